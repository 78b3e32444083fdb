package workflow

import (
	"slices"
	"testing"

	"longhaul/internal/executor"
)

func TestALineThatManyLeaveKeepsItsOrder(t *testing.T) {
	r := &run{}
	p := permits{run: r, free: 0}
	var waits []*permitWait
	for number := range 1000 {
		w := &permitWait{wait: &executor.Wait{}, wants: int64(number)}
		waits = append(waits, w)
		p.waiting = append(p.waiting, w)
	}
	// All but every tenth give up, from everywhere.
	there := len(waits)
	for i := range waits {
		if w := waits[i*7%1000]; w.wants%10 != 3 {
			p.giveUp(w)
			there--
			if !p.anyWaits() || len(p.waiting) > 2*there {
				t.Fatalf("%d are kept of %d that wait", len(p.waiting), there)
			}
		}
	}
	var left []int64
	for _, w := range p.waiting {
		if !w.gone {
			left = append(left, w.wants)
		}
	}
	if len(left) != 100 || !slices.IsSorted(left) {
		t.Errorf("%v", left)
	}
	for _, w := range waits {
		if w.wants%10 == 3 {
			p.giveUp(w)
		}
	}
	if p.anyWaits() || len(p.waiting) != 0 || p.gone != 0 {
		t.Errorf("%d are kept", len(p.waiting))
	}
}

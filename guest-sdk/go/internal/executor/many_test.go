package executor

import (
	"fmt"
	"math/bits"
	"slices"
	"testing"

	"longhaul/internal/wit/types"
)

const many = 10_000

// steps are all that the lists of a run have done.
func (r *Runtime) steps(tokens ...*Token) int {
	steps := r.tasks.steps + r.conditions.steps + r.handlers.steps + r.children.steps
	for _, token := range append(tokens, r.Root) {
		steps += token.waits.steps
	}
	return steps
}

// assertFew fails if a run has done more than a share of n log n.
func assertFew(t *testing.T, what string, steps int) {
	t.Helper()
	if limit := 8 * many * bits.Len(many); steps > limit {
		t.Errorf("%s: %d steps for %d tasks; %d are enough", what, steps, many, limit)
	}
}

// begin begins as many handlers as there are, which wait.
func begin(r *Runtime, wait func(number int)) {
	for number := range many {
		r.RunHandler(fmt.Sprint(number), func() {
			handler := r.BeginHandler(UpdateHandler, "handler", false)
			wait(number)
			r.EndHandler(handler)
		})
	}
}

func none() bool { return false }

// orders are in which order those that wait may go on.
var orders = map[string]func(number int) int{
	"the first first": func(number int) int { return number },
	"the last first":  func(number int) int { return many - 1 - number },
	// From everywhere: the factor has no divisor in common with the number of all.
	"any": func(number int) int { return number * 7919 % many },
}

func TestThousandsThatWaitForThingsOfTheirOwnCostNoMoreEach(t *testing.T) {
	for name, order := range orders {
		r := New(nil, types.ExecutionInfo{})
		token := NewToken(r.Root)
		waiters := make([]Waiters, many)
		known := make([]bool, many)
		var ended []int
		begin(r, func(number int) {
			wait := r.Park("future", 0)
			wait.Watch(token)
			waiters[number].Add(wait)
			for !known[number] {
				r.Block()
			}
			waiters[number].Remove(wait)
			r.Leave(wait)
			ended = append(ended, number)
		})
		for number := range many {
			known[order(number)] = true
			waiters[order(number)].Wake(r)
			r.Advance(none)
		}
		for number, have := range ended {
			if have != order(number) {
				t.Fatalf("%s: %d has ended instead of %d", name, have, order(number))
			}
		}
		if len(ended) != many || !r.AllHandlersFinished() || !r.Stuck() || len(r.byGoroutine) != 0 {
			t.Errorf("%s: %d have ended", name, len(ended))
		}
		assertFew(t, name, r.steps(token))
	}
}

func TestThousandsThatWaitForOneThingGoOnInTheOrderInWhichTheyBegan(t *testing.T) {
	r := New(nil, types.ExecutionInfo{})
	var waiters Waiters
	known := false
	var ended []int
	begin(r, func(number int) {
		wait := r.Park("future", 0)
		waiters.Add(wait)
		for !known {
			r.Block()
		}
		waiters.Remove(wait)
		r.Leave(wait)
		ended = append(ended, number)
	})
	known = true
	waiters.Wake(r)
	r.Advance(none)
	if len(ended) != many || !slices.IsSorted(ended) {
		t.Errorf("%d have ended", len(ended))
	}
	assertFew(t, "one thing", r.steps()+waiters.waits.steps)
}

func TestThousandsOfConditionsAreGivenUpWithoutALookAtAllOthers(t *testing.T) {
	for name, order := range orders {
		r := New(nil, types.ExecutionInfo{})
		// Each is cancelled by a token of its own, so that none of them is tried.
		tokens := make([]*Token, many)
		var ended []int
		begin(r, func(number int) {
			tokens[number] = NewToken(r.Root)
			wait := r.Park("condition", 0)
			wait.Watch(tokens[number])
			r.TryAs(wait, none)
			r.Block()
			r.Leave(wait)
			ended = append(ended, number)
		})
		for number := range many {
			r.Cancel(tokens[order(number)], "")
		}
		r.Advance(none)
		if len(ended) != many || ended[1] != order(1) || r.conditions.len() != 0 {
			t.Errorf("%s: %d have ended", name, len(ended))
		}
		assertFew(t, name, r.steps())
	}
}

func TestATaskThatWaitsForThousandsOfThingsLeavesThem(t *testing.T) {
	r := New(nil, types.ExecutionInfo{})
	var task *Task
	r.RunHandler("selector", func() {
		waits := make([]*Wait, many)
		for i := range waits {
			waits[i] = r.Park("future", 0)
		}
		task = waits[0].task
		for _, wait := range waits {
			r.Leave(wait)
		}
	})
	if task.waits.len() != 0 {
		t.Errorf("%d are left", task.waits.len())
	}
	assertFew(t, "a selector", task.waits.steps)
}

func TestAListKeepsItsOrderWhateverIsTakenOut(t *testing.T) {
	var l list[int]
	var want []int
	for i := range 100 {
		l.add(uint64(i), &[]int{i}[0])
		want = append(want, i)
	}
	for _, gone := range []int{50, 0, 2, 1, 99, 98, 60, 61, 59, 3, 5, 7, 9, 4, 97, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58, 62, 63,
		64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89} {
		for range 2 {
			// The second time there is nothing to remove.
			l.remove(uint64(gone))
		}
		want = slices.DeleteFunc(want, func(i int) bool { return i == gone })
		var have []int
		for value := range l.all {
			have = append(have, *value)
		}
		if !slices.Equal(have, want) || l.len() != len(want) {
			t.Fatalf("without %d: %v, not %v", gone, have, want)
		}
	}
	l.add(100, new(int))
	if l.len() != len(want)+1 {
		t.Errorf("%d", l.len())
	}
}

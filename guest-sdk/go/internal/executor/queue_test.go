package executor

import (
	"testing"

	"longhaul/internal/wit/types"
)

// Tasks that wake each other within one Advance keep the queue of those that are ready from ever being empty.
func TestAQueueThatIsNeverEmptyDoesNotGrow(t *testing.T) {
	const rounds, tasks = 10_000, 4
	r := New(nil, types.ExecutionInfo{})
	var order []int
	room := 0
	for task := range tasks {
		r.Spawn("", func() {
			for range rounds {
				wait := r.Park("its turn", 0)
				r.Wake(wait)
				r.Block()
				r.Leave(wait)
				order = append(order, task)
				room = max(room, cap(r.ready))
			}
		})
	}
	r.Advance(none)
	if len(order) != rounds*tasks {
		t.Fatalf("%d turns instead of %d", len(order), rounds*tasks)
	}
	for turn, task := range order {
		if task != turn%tasks {
			t.Fatalf("turn %d was of task %d", turn, task)
		}
	}
	if room > 8*kept {
		t.Errorf("there was room for %d tasks in a queue that never had more than %d", room, tasks)
	}
}

package executor

import "slices"

// Wait is a wait of a task. Waits that end together end in the order in which they began.
type Wait struct {
	number uint64
	task   *Task
	awaits string
	seq    uint32
	token  *Token
	// What an Await waits for.
	condition func() bool
	// The condition held when it was tried, which is now.
	held bool
	// What says what it waits for, where there is no text.
	operation *Operation
}

// Waiters are the waits that something will end.
type Waiters struct{ waits waitSet }

// Add adds a wait.
func (w *Waiters) Add(wait *Wait) { w.waits.add(wait) }

// Len is how many waits there are.
func (w *Waiters) Len() int { return len(w.waits.waits) }

// Remove removes a wait.
func (w *Waiters) Remove(wait *Wait) { w.waits.remove(wait) }

// Wake wakes all, in the order in which their waits began.
func (w *Waiters) Wake(r *Runtime) { r.WakeInOrder(slices.Clone(w.waits.waits)) }

// Park begins a wait of the task that runs, for something in words, and for an operation if seq is not 0.
func (r *Runtime) Park(awaits string, seq uint32) *Wait {
	r.MustWrite("something that waits")
	wait := &Wait{awaits: awaits, seq: seq}
	r.park(wait)
	return wait
}

func (r *Runtime) park(wait *Wait) {
	r.wait++
	wait.number, wait.task = r.wait, r.running()
	wait.task.waits.add(wait.number, wait)
}

// text is what it waits for.
func (w *Wait) text() string {
	if w.operation != nil {
		return w.operation.Awaits()
	}
	return w.awaits
}

// Watch also wakes the wait when the token is cancelled.
func (w *Wait) Watch(token *Token) {
	w.token = token
	token.Add(w)
}

// TryAs makes the wait a condition, which is tried whenever no task is ready.
func (r *Runtime) TryAs(w *Wait, condition func() bool) {
	w.condition = condition
	r.conditions.add(w.number, w)
}

// Held tells whether the condition holds: it was tried and nothing else has run since.
func (w *Wait) Held() bool {
	held := w.held
	w.held = false
	return held
}

// Leave ends a wait.
func (r *Runtime) Leave(w *Wait) {
	task := w.task
	w.task = nil
	task.waits.remove(w.number)
	if w.token != nil {
		w.token.Remove(w)
	}
	if w.condition != nil {
		r.conditions.remove(w.number)
		w.condition = nil
	}
	if task.waits.len() == 0 && task.own {
		r.end(task)
	}
}

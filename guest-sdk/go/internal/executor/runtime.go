// Package executor runs one execution: its tasks, operations and waits, in the order of the contract.
//
//  1. Advance first lets a requested cancellation reach the operations, in the order in which they started.
//  2. Every wait whose operation has ended is woken, in the order in which the waits began; tasks run first in, first out.
//  3. When no task is ready, conditions are tried in the order in which they began. The first that holds runs its task at once.
//
// A task is a goroutine that waits through this package. What a workflow does with goroutines and channels of its own happens
// within the turn of the task that made it possible.
package executor

import (
	"cmp"
	"slices"

	"longhaul/internal/coro"
	"longhaul/internal/host"
	"longhaul/internal/wit/definition"
	"longhaul/internal/wit/types"
)

// idleWorkers is how many goroutines are kept for the next task. A goroutine's stack is what costs most of it.
const idleWorkers = 4

// Runtime is the state of one run.
type Runtime struct {
	Host host.Host
	Info types.ExecutionInfo
	// Root is cancelled when the execution is.
	Root *Token

	// The last of each kind of number that was given out.
	seq     uint32
	wait    uint64
	id      uint64
	handler uint64
	// The workflow task that is being worked on, by the length of history when it began. Asked for when needed.
	workflowTask      uint64
	workflowTaskKnown bool

	// Those that will run, from next on: what is in front of it has run.
	ready []*Task
	next  int
	tasks list[Task]
	// Of those whose goroutine is known: which task a goroutine is.
	byGoroutine map[uintptr]*Task
	// How many of them wait in Block.
	parked     int
	idle       []*worker
	current    *Task
	operations list[Operation]
	children   list[Operation]
	conditions list[Wait]
	// Waits whose operation has ended since the last Advance.
	ended           []*Wait
	cancelRequested *string
	handlers        list[Handler]
	closed          bool
	// Why nothing may wait and no command may be given now; empty where both are fine.
	readOnly string
	// The main routine runs in `start`: it stops at its first command or wait, and so does what it starts with `go`.
	starting bool
	// Those that have stopped there.
	held []*Task
	// Operations that have ended and go on by themselves: what Then is for.
	following []*Operation
}

// New is a run that has not begun.
func New(h host.Host, info types.ExecutionInfo) *Runtime {
	r := &Runtime{Host: h, Info: info, byGoroutine: map[uintptr]*Task{}}
	r.Root = NewToken(nil)
	return r
}

// NextSeq gives the numbers of operations out: 1, 2, 3, ...
func (r *Runtime) NextSeq() uint32 {
	r.seq++
	return r.seq
}

func (r *Runtime) nextID() uint64 {
	r.id++
	return r.id
}

// currentWorkflowTask names the current workflow task: history is longer at the next one.
func (r *Runtime) currentWorkflowTask() uint64 {
	if !r.workflowTaskKnown {
		r.workflowTask = r.Host.TaskInfo().HistoryLength
		r.workflowTaskKnown = true
	}
	return r.workflowTask
}

// Close notes that the run has its terminal command.
func (r *Runtime) Close() { r.closed = true }

// IsClosed tells whether the run has its terminal command.
func (r *Runtime) IsClosed() bool { return r.closed }

// RequestCancel marks that cancellation of the execution was requested.
func (r *Runtime) RequestCancel(reason string) {
	if r.cancelRequested == nil {
		r.cancelRequested = &reason
	}
}

// ReadOnly calls a function that may neither wait nor give commands. The text says what it is. Outside of tasks the function gets a
// goroutine: on the system stack, a wait for a channel of Go's own would be a crash without a word.
func (r *Runtime) ReadOnly(what string, call func()) {
	guarded := func() {
		before := r.readOnly
		r.readOnly = what
		call()
		r.readOnly = before
	}
	if r.InTask() {
		guarded()
		return
	}
	r.resume(&Task{name: what, body: guarded})
}

// sideEffect is what runs in Make.
const sideEffect = "the function of a SideEffect"

// Make calls the function of a side effect. It may do what a read-only function may, and draw random numbers.
func (r *Runtime) Make(call func()) { r.ReadOnly(sideEffect, call) }

// MustDraw stops code that draws a random number where it must not.
func (r *Runtime) MustDraw() {
	if r.readOnly != sideEffect {
		r.MustWrite("a random number")
	}
}

// MustWrite stops code that gives a command where it must not.
func (r *Runtime) MustWrite(what string) {
	if r.readOnly != "" {
		panic("longhaul: " + what + " was called in " + r.readOnly + ", which may not change anything and must not wait")
	}
	r.Proceed()
}

// Proceed lets what runs in `start` go on in the first `advance`, when the messages of the first workflow task have been handled. To
// look at what messages may have changed needs it as commands and waits do.
func (r *Runtime) Proceed() {
	if !r.starting {
		return
	}
	task := r.running()
	r.held = append(r.held, task)
	r.Block()
	if task.own {
		r.end(task)
	}
}

// Resolve marks an operation's outcome. One that is not awaited any more, because the operation was cancelled here, is dropped.
func (r *Runtime) Resolve(seq uint32, outcome definition.Outcome) {
	operation := r.operations.get(uint64(seq))
	if operation == nil {
		return
	}
	r.ended = operation.resolve(outcome, r.ended)
	if operation.ended.over {
		r.forget(operation)
		if operation.Then != nil {
			r.following = append(r.following, operation)
		}
	}
}

// Advance runs every task until all of them wait. Whenever no task is ready, and before conditions are tried, deliver may begin
// the handlers of signals that the run has sent to itself; it says whether it has.
func (r *Runtime) Advance(deliver func() bool) {
	// The main routine, where it has begun.
	for _, task := range r.held {
		r.enqueue(task)
	}
	r.held = nil
	// Nothing ends an operation's wait before all of these are woken.
	woken := r.ended
	if reason := r.cancelRequested; reason != nil {
		r.cancelRequested = nil
		woken = append(woken, r.cancel(r.Root, *reason)...)
	}
	r.WakeInOrder(woken)
	for i := range woken {
		woken[i] = nil
	}
	r.ended = emptied(woken)
	// Goroutines that the workflow has made in a handler may be able to run.
	coro.RunAll()
	for {
		r.runReady()
		if !r.follow() && !deliver() && !r.tryConditions() && r.next == len(r.ready) {
			break
		}
	}
	r.workflowTaskKnown = false
}

func (r *Runtime) runReady() {
	for r.next < len(r.ready) {
		task := r.ready[r.next]
		r.ready[r.next] = nil
		r.next++
		switch {
		case r.next == len(r.ready):
			r.ready, r.next = emptied(r.ready), 0
		case r.next > kept && 2*r.next > len(r.ready):
			// Tasks that wake each other keep it from ever being empty.
			left := copy(r.ready, r.ready[r.next:])
			clear(r.ready[left:])
			r.ready, r.next = r.ready[:left], 0
		}
		task.queued = false
		r.resume(task)
	}
}

// follow lets operations go on that have ended and that no task has waited for. True if there were any.
func (r *Runtime) follow() bool {
	following := r.following
	r.following = nil
	for _, operation := range following {
		operation.Then()
	}
	return len(following) > 0
}

// tryConditions tries the conditions in order. True if one of them holds.
func (r *Runtime) tryConditions() bool {
	if r.conditions.len() == 0 {
		return false
	}
	held := r.heldCondition()
	if held == nil {
		return false
	}
	held.held = true
	r.Wake(held)
	return true
}

// heldCondition is the wait with the first condition that holds, or nil.
func (r *Runtime) heldCondition() (held *Wait) {
	r.ReadOnly("the condition of an Await", func() {
		for wait := range r.conditions.all {
			if wait.condition() {
				held = wait
				return
			}
		}
	})
	return held
}

// WakeInOrder wakes waits in the order in which they began.
func (r *Runtime) WakeInOrder(waits []*Wait) {
	if len(waits) > 1 {
		slices.SortFunc(waits, func(a, b *Wait) int { return cmp.Compare(a.number, b.number) })
	}
	for _, wait := range waits {
		r.Wake(wait)
	}
}

// Wake makes a wait's task ready.
func (r *Runtime) Wake(wait *Wait) {
	if wait.task != nil {
		r.enqueue(wait.task)
	}
}

func (r *Runtime) enqueue(task *Task) {
	if !task.queued {
		task.queued = true
		r.ready = append(r.ready, task)
	}
}

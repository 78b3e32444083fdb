package executor

import (
	"strconv"

	"longhaul/internal/coro"
	"longhaul/internal/wit/definition"
)

// Task is the main routine, a handler, a coroutine of workflow.Go, or a goroutine of the workflow that waits through the SDK.
type Task struct {
	id     uint64
	name   string
	body   func()
	handle coro.Handle
	// It has begun.
	started bool
	// It waits in Block. Whatever else a goroutine waits for, the SDK must not resume it.
	parked bool
	queued bool
	ended  bool
	// A goroutine of the workflow's own, which is a task only while it waits.
	own   bool
	waits list[Wait]
}

// worker is a goroutine that runs one task after the other.
type worker struct {
	handle coro.Handle
	next   *Task
}

// Spawn adds a task that Advance will run, behind those that are ready. Without a name it gets a number.
func (r *Runtime) Spawn(name string, body func()) *Task {
	task := r.newTask(name, body)
	r.enqueue(task)
	return task
}

// RunHandler adds a task and runs it up to its first wait. No other task runs.
func (r *Runtime) RunHandler(name string, body func()) {
	r.resume(r.newTask(name, body))
}

// Begin adds the main routine and runs it up to its first command or wait, where it goes on in the first Advance. Handlers that begin
// before that do not stop so early.
func (r *Runtime) Begin(name string, body func()) {
	r.starting = true
	r.resume(r.newTask(name, body))
	r.starting = false
}

func (r *Runtime) newTask(name string, body func()) *Task {
	task := &Task{id: r.nextID(), name: name, body: body}
	if name == "" {
		task.name = "task " + strconv.FormatUint(task.id, 10)
	}
	r.tasks.add(task.id, task)
	return task
}

func (r *Runtime) resume(task *Task) {
	if task.ended || task.started && !task.parked {
		return
	}
	before, readOnly := r.current, r.readOnly
	r.current = task
	if task.started {
		coro.Resume(task.handle)
	} else {
		task.started = true
		if n := len(r.idle); n > 0 {
			w := r.idle[n-1]
			r.idle = r.idle[:n-1]
			w.next = task
			coro.Resume(w.handle)
		} else {
			r.startWorker(task)
		}
	}
	r.current = before
	if r.readOnly != readOnly {
		panic("longhaul: something in " + r.readOnly + " waits for a channel or a lock of Go's own; it must not wait")
	}
}

// startWorker is apart from resume: what a closure holds is allocated when its function begins.
func (r *Runtime) startWorker(task *Task) {
	w := &worker{next: task}
	coro.Start(func() { r.work(w) })
}

func (r *Runtime) work(w *worker) {
	w.handle = coro.Current()
	for {
		task := w.next
		w.next = nil
		r.setHandle(task, w.handle)
		task.body()
		r.end(task)
		if len(r.idle) >= idleWorkers {
			return
		}
		r.idle = append(r.idle, w)
		coro.Pause()
	}
}

func (r *Runtime) end(task *Task) {
	task.ended = true
	task.body = nil
	if r.current == task {
		// Its goroutine may go on: one of the workflow's own is another task when it waits again.
		r.current = nil
	}
	r.tasks.remove(task.id)
	if key := task.handle.Key(); r.byGoroutine[key] == task {
		delete(r.byGoroutine, key)
	}
}

func (r *Runtime) setHandle(task *Task, handle coro.Handle) {
	task.handle = handle
	r.byGoroutine[handle.Key()] = task
}

// running is the task that runs: the one whose turn it is, or one for a goroutine of the workflow's own.
func (r *Runtime) running() *Task {
	handle := coro.Current()
	if r.current != nil && r.current.handle == handle {
		return r.current
	}
	if task := r.byGoroutine[handle.Key()]; task != nil {
		return task
	}
	task := &Task{id: r.nextID(), name: "goroutine", started: true, own: true}
	r.setHandle(task, handle)
	r.tasks.add(task.id, task)
	return task
}

// Block stops the goroutine that runs until something that it waits for wakes it. It may be woken without reason.
func (r *Runtime) Block() {
	if r.readOnly != "" {
		panic("longhaul: something in " + r.readOnly + " waits; it must not")
	}
	if coro.Current() == (coro.Handle{}) {
		panic("longhaul: an init function or a validator waits; only the main routine and handlers can")
	}
	task := r.running()
	task.parked = true
	r.parked++
	coro.Pause()
	task.parked = false
	r.parked--
}

// Stuck tells whether no task waits through the SDK, so that no outcome can make one go on.
func (r *Runtime) Stuck() bool { return r.parked == 0 }

// Waiting tells where every task waits.
func (r *Runtime) Waiting() []definition.WaitingTask {
	var waiting []definition.WaitingTask
	for task := range r.tasks.all {
		if task.waits.len() == 0 {
			awaits := "a channel or a lock that is not of this SDK"
			if !task.started {
				awaits = "its start"
			}
			waiting = append(waiting, definition.WaitingTask{Task: task.name, Awaits: awaits})
		}
		for wait := range task.waits.all {
			var seq *uint32
			if wait.seq != 0 {
				seq = &wait.seq
			}
			waiting = append(waiting, definition.WaitingTask{Task: task.name, Seq: seq, Awaits: wait.text()})
		}
	}
	return waiting
}

// InTask tells whether the code that runs is a task's: then no other can be run, only made ready.
func (r *Runtime) InTask() bool { return coro.Current() != (coro.Handle{}) }

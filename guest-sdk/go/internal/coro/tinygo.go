//go:build wasip2

package coro

import "unsafe"

// Handle names a goroutine.
type Handle struct{ task unsafe.Pointer }

// Current is the goroutine that runs; the zero Handle on the system stack, where nothing can pause.
func Current() Handle { return Handle{currentTask()} }

// Pause stops the goroutine that runs until it is resumed.
func Pause() { pauseTask() }

// Start runs a function in a new goroutine, and whatever that makes runnable, until all of it waits. Only on the system stack.
func Start(body func()) {
	go body()
	runScheduler(true)
}

// Resume lets a paused goroutine go on, and whatever that makes runnable, until all of it waits. Only on the system stack.
func Resume(h Handle) {
	scheduleTask(h.task)
	runScheduler(true)
}

// RunAll runs every goroutine that can run. Only on the system stack.
func RunAll() { runScheduler(true) }

//go:linkname currentTask internal/task.Current
func currentTask() unsafe.Pointer

//go:linkname pauseTask internal/task.Pause
func pauseTask()

//go:linkname scheduleTask runtime.scheduleTask
func scheduleTask(task unsafe.Pointer)

//go:linkname runScheduler runtime.scheduler
func runScheduler(returnAtDeadlock bool)

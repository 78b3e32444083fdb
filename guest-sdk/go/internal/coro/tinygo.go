//go:build wasip2

package coro

import (
	"math"
	"time"
	"unsafe"
)

// Handle names a goroutine.
type Handle struct{ task unsafe.Pointer }

// Key tells goroutines that have not ended apart, as the key of a map.
func (h Handle) Key() uintptr { return uintptr(h.task) }

// Current is the goroutine that runs; the zero Handle on the system stack, where nothing can pause.
func Current() Handle { return Handle{currentTask()} }

// Pause stops the goroutine that runs until it is resumed.
func Pause() { pauseTask() }

// Start runs a function in a new goroutine, and whatever that makes runnable, until all of it waits. Only on the system stack.
func Start(body func()) {
	go func() {
		publish()
		body()
	}()
	runScheduler(true)
}

// Resume lets a paused goroutine go on, and whatever that makes runnable, until all of it waits. Only on the system stack.
func Resume(h Handle) {
	scheduleTask(h.task)
	runScheduler(true)
}

// Main runs a function in a new goroutine, and with it whatever runs, sleeps or waits for time, until the function ends: true, and the
// others stay where they are. If all goroutines wait for each other before that, it is false. Only on the system stack.
func Main(body func()) (ended bool) {
	mainExited = false
	go func() {
		publish()
		body()
		mainExited = true
	}()
	runScheduler(true)
	return mainExited
}

// Wake lets a paused goroutine go on later, when the one that runs waits.
func Wake(h Handle) { scheduleTask(h.task) }

// Alone tells whether no other goroutine could run now.
func Alone() bool { return queueEmpty(runQueue()) }

// NextTimer is how long it is until a goroutine's sleep or a timer ends; false if there is none.
func NextTimer() (time.Duration, bool) {
	if sleepQueue == nil && timerQueue == nil {
		return 0, false
	}
	now := ticks()
	left := int64(math.MaxInt64)
	if sleepQueue != nil {
		left = sleepBase + int64(sleepQueue.data) - now
	}
	if timerQueue != nil {
		left = min(left, timerTicks(timerQueue)-now)
	}
	return time.Duration(max(left, 0)), true
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

// sleeper is the beginning of a goroutine that sleeps: `internal/task.Task`.
type sleeper struct {
	next *sleeper
	_    unsafe.Pointer
	// data is when it wakes, after the one before it.
	data uint64
}

// What the scheduler looks at before it lets the whole instance wait.
//
//go:extern runtime.sleepQueue
var sleepQueue *sleeper

//go:extern runtime.sleepQueueBaseTime
var sleepBase int64

//go:extern runtime.timerQueue
var timerQueue unsafe.Pointer

// mainExited ends the scheduler's loop: the program's main function has returned.
//
//go:extern runtime.mainExited
var mainExited bool

//go:linkname timerTicks (*runtime.timerNode).whenTicks
func timerTicks(timer unsafe.Pointer) int64

//go:linkname ticks runtime.ticks
func ticks() int64

//go:linkname runQueue runtime.schedulerRunQueue
func runQueue() unsafe.Pointer

//go:linkname queueEmpty (*internal/task.Queue).Empty
func queueEmpty(queue unsafe.Pointer) bool

//go:build wasip2

package coro

import (
	"runtime/volatile"
	"unsafe"
)

// canary is the lowest word of every goroutine's stack: `internal/task.stackCanary`. What overflows the stack writes over it, and
// TinyGo looks at it whenever the goroutine waits or ends. Until then the goroutine may do anything with the memory that it has written
// over, and most often that is a trap that says nothing of a stack.
const canary = uint32(0x670c1333b83bf575 & 0xffffffff)

// guard tells the host where the canary of the goroutine that runs is. After a trap the host looks for the mark in the instance's memory:
// whatever the trap says, a canary that is gone says what happened.
var guard = struct {
	mark [4]uint32
	// running is the address of the variable that has the task that runs, and offset is where a task has its canary's address.
	running, offset, canary uint32
}{mark: [4]uint32{0x6c6f6e67, 0x6861756c, 0x20676f20, 0x73746b3a}}

// task is `internal/task.Task`, as far as its stack.
type task struct {
	_      [2]unsafe.Pointer
	_      uint64
	_      unsafe.Pointer
	stack  stack
	canary *uint32
}

// publish fills the guard, once, in a goroutine: where the runtime is not the one that this is made for, the host is told nothing.
func publish() {
	if guard.canary != 0 {
		return
	}
	running := (*task)(currentTask())
	if running == nil || running.canary == nil || *running.canary != canary {
		return
	}
	// Nobody reads it here, so that the compiler would leave it out.
	volatile.StoreUint32(&guard.running, uint32(uintptr(unsafe.Pointer(&runningTask))))
	volatile.StoreUint32(&guard.offset, uint32(unsafe.Offsetof(running.canary)))
	volatile.StoreUint32(&guard.canary, canary)
}

//go:extern internal/task.currentTask
var runningTask unsafe.Pointer

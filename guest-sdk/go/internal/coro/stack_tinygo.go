//go:build wasip2

package coro

import (
	"runtime"
	"unsafe"
)

// WithStack calls a function on a stack of its own with that many bytes: a goroutine's is small, and what overflows it writes over other
// memory. The function must not wait.
func WithStack(bytes int, call func()) {
	ended := false
	body := func() {
		call()
		ended = true
	}
	// Of pointers, so that the collector looks for some in it.
	memory := make([]unsafe.Pointer, bytes/int(unsafe.Sizeof(uintptr(0))))
	function := *(*functionValue)(unsafe.Pointer(&body))
	lowest := (*uint32)(unsafe.Pointer(&memory[0]))
	*lowest = canary
	launch(&stack{entry: function.code, args: function.context, top: unsafe.Add(unsafe.Pointer(&memory[0]), bytes)})
	intact := *lowest == canary
	runtime.KeepAlive(memory)
	if !intact {
		panic("longhaul: stack overflow: a method of a value that is read from JSON or written as JSON needs more stack than it may have")
	}
	if !ended {
		panic("longhaul: something waits while a value is read from JSON or written as JSON; it must not")
	}
}

// functionValue is what a `func()` is in memory.
type functionValue struct {
	context unsafe.Pointer
	code    unsafe.Pointer
}

// stack is what the runtime needs to begin a goroutine: the beginning of `internal/task.state`.
type stack struct {
	entry unsafe.Pointer
	args  unsafe.Pointer
	// Where the frames of a goroutine that waits are kept, which this one does not.
	_ unsafe.Pointer
	// top is where the stack begins, which grows downwards.
	top unsafe.Pointer
}

// launch calls the entry with its argument on that stack, and goes back to the caller's.
//
//export tinygo_launch
func launch(on *stack)

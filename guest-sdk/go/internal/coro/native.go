//go:build !wasip2

package coro

import "unsafe"

// Handle names a goroutine.
type Handle struct{ routine *routine }

// Key tells goroutines that have not ended apart, as the key of a map.
func (h Handle) Key() uintptr { return uintptr(unsafe.Pointer(h.routine)) }

type routine struct {
	resume chan struct{}
	yield  chan any
}

var current *routine

// Current is the goroutine that runs; the zero Handle outside of all.
func Current() Handle { return Handle{current} }

// Pause stops the goroutine that runs until it is resumed.
func Pause() {
	r := current
	r.yield <- nil
	<-r.resume
}

// Start runs a function in a new goroutine until it pauses or ends. A panic in it is one of the caller's.
func Start(body func()) {
	r := &routine{resume: make(chan struct{}), yield: make(chan any)}
	routine := func() {
		var failed any = "the goroutine has ended by runtime.Goexit"
		defer func() {
			if failed != nil {
				if p := recover(); p != nil {
					failed = p
				}
			}
			r.yield <- failed
		}()
		body()
		failed = nil
	}
	r.run(func() { go routine() })
}

// Resume lets a paused goroutine go on until it pauses again or ends.
func Resume(h Handle) {
	h.routine.run(func() { h.routine.resume <- struct{}{} })
}

// Main runs a function until it ends or pauses. Elsewhere, goroutines that wait for each other are the runtime's to tell.
func Main(body func()) (ended bool) {
	Start(func() {
		body()
		ended = true
	})
	return ended
}

// RunAll does nothing: there are no other goroutines that could run.
func RunAll() {}

func (r *routine) run(begin func()) {
	before := current
	current = r
	begin()
	failed := <-r.yield
	current = before
	if failed != nil {
		panic(failed)
	}
}

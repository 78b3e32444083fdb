//go:build wasip2

package poll

import (
	"context"
	"runtime"
	"slices"

	"longhaul/internal/coro"
	"longhaul/internal/wit/clocksmonotonicclock"
	"longhaul/internal/wit/iopoll"
)

// waiter is a goroutine that waits.
type waiter struct {
	goroutine coro.Handle
	pollable  iopoll.Pollable
	woken     bool
}

var (
	waiting []*waiter
	// polling: the goroutine runs that waits for all others.
	polling bool
)

// Wait waits until something is ready, or the context has ended: then the error is why. It gives the pollable back. Only in a goroutine.
func Wait(ctx context.Context, pollable iopoll.Pollable) error {
	defer pollable.Drop()
	if ctx.Err() == nil && pollable.Ready() {
		// Who never has to wait leaves time for the others too.
		runtime.Gosched()
		return ended(ctx)
	}
	if err := ended(ctx); err != nil {
		return err
	}
	w := &waiter{goroutine: coro.Current(), pollable: pollable}
	if w.goroutine == (coro.Handle{}) {
		panic("longhaul: this waits for the host, which only an activity can, once it runs")
	}
	// It runs in a goroutine of its own, so not before this one waits.
	unwatch := context.AfterFunc(ctx, w.wake)
	defer unwatch()
	waiting = append(waiting, w)
	if !polling {
		polling = true
		go waitForAll()
	}
	coro.Pause()
	return ended(ctx)
}

// ended is why a context has ended.
func ended(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return context.Cause(ctx)
}

// wake lets the goroutine go on.
func (w *waiter) wake() {
	if w.woken {
		return
	}
	w.woken = true
	waiting = slices.DeleteFunc(waiting, func(other *waiter) bool { return other == w })
	coro.Wake(w.goroutine)
}

// roundsMax is how often all others run before it is asked whether somebody who waits could go on: they need not ever wait themselves.
const roundsMax = 64

// waitForAll runs until nobody waits.
func waitForAll() {
	rounds := 0
	for len(waiting) > 0 {
		if !coro.Alone() {
			if rounds++; rounds == roundsMax {
				rounds = 0
				for _, w := range slices.Clone(waiting) {
					if w.pollable.Ready() {
						w.wake()
					}
				}
			}
			// Timers that are due fire here too.
			runtime.Gosched()
			continue
		}
		rounds = 0
		pollables := make([]iopoll.Pollable, 0, len(waiting)+1)
		for _, w := range waiting {
			pollables = append(pollables, w.pollable)
		}
		if left, ok := coro.NextTimer(); ok {
			if left == 0 {
				runtime.Gosched()
				continue
			}
			timer := clocksmonotonicclock.SubscribeDuration(uint64(left))
			wakeReady(append(pollables, timer))
			timer.Drop()
			continue
		}
		wakeReady(pollables)
	}
	polling = false
}

// wakeReady waits until one of them is ready. The first are those of `waiting`, in its order.
func wakeReady(pollables []iopoll.Pollable) {
	before := slices.Clone(waiting)
	for _, index := range iopoll.Poll(pollables) {
		if int(index) < len(before) {
			before[index].wake()
		}
	}
}

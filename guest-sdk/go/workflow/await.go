package workflow

import (
	"time"

	"longhaul/internal/executor"
)

// source is what ends a wait.
type source interface {
	Add(wait *executor.Wait)
	Remove(wait *executor.Wait)
}

// Waitable is what Selectors wait for: futures and channels.
type Waitable interface {
	// poll tells whether there is something to take. It only looks: conditions and queries ask too.
	poll() bool
	// pending is what has to happen first, in words, and what tells of it.
	pending() (awaits string, seq uint32, from source)
}

// stepper is a Waitable that does something between the things that it waits for, such as the next attempt after a backoff.
type stepper interface{ step() }

// step lets whatever is waited for go on as far as it can; true if there is something to take.
func step(on Waitable) bool {
	if s, ok := on.(stepper); ok {
		s.step()
	}
	return on.poll()
}

// waiting is a wait for something, which may come from one source after the other.
type waiting struct {
	wait *executor.Wait
	from source
}

// renew begins the wait, or goes on with it.
func (w *waiting) renew(r *executor.Runtime, on Waitable) {
	awaits, seq, from := on.pending()
	if w.from == from {
		return
	}
	w.leave(r)
	w.wait = r.Park(awaits, seq)
	w.from = from
	from.Add(w.wait)
}

func (w *waiting) leave(r *executor.Runtime) {
	if w.from != nil {
		w.from.Remove(w.wait)
		r.Leave(w.wait)
		w.from = nil
	}
}

// until waits until there is something to take.
func until(r *executor.Runtime, on Waitable) {
	r.Proceed()
	var w waiting
	for !step(on) {
		w.renew(r, on)
		r.Block()
	}
	w.leave(r)
}

// Await waits until the condition holds. It is looked at now, and again whenever nothing else can run. The error is a
// *temporal.CanceledError if the context is cancelled first.
func Await(ctx Context, condition func() bool) error {
	_, err := await(ctx, condition, nil)
	return err
}

// AwaitWithTimeout waits until the condition holds, but not longer than the timeout: true if it holds.
//
// Where it does not hold at once, this is one timer, which is cancelled as soon as the condition holds. If both happen in the same
// workflow task, the condition counts.
func AwaitWithTimeout(ctx Context, timeout time.Duration, condition func() bool) (bool, error) {
	return await(ctx, condition, &AwaitOptions{Timeout: timeout})
}

// AwaitOptions are the options of AwaitWithOptions.
type AwaitOptions struct {
	// Timeout is how long it waits at most.
	Timeout time.Duration
	// TimerOptions are those of the timer.
	TimerOptions TimerOptions
}

// AwaitWithOptions is AwaitWithTimeout, with options.
func AwaitWithOptions(ctx Context, options AwaitOptions, condition func() bool) (bool, error) {
	return await(ctx, condition, &options)
}

func await(ctx Context, condition func() bool, limit *AwaitOptions) (bool, error) {
	c := ctx.state()
	r := c.run.runtime
	r.MustWrite("workflow.Await")
	look := func() (held bool) {
		r.ReadOnly("the condition of an Await", func() { held = condition() })
		return held
	}
	if look() {
		return true, nil
	}
	if c.token.Cancelled() {
		return false, canceled()
	}
	wait := r.Park("condition", 0)
	wait.Watch(c.token)
	r.TryAs(wait, condition)
	var timer *operationFuture[None]
	var timed waiting
	if limit != nil {
		timer = startTimer(c, limit.Timeout, limit.TimerOptions.Summary)
		timed.renew(r, timer)
	}
	held, err := false, error(nil)
	for {
		r.Block()
		if wait.Held() {
			held = true
			break
		}
		fired := timer != nil && timer.poll()
		cancelled := c.token.Cancelled()
		if !fired && !cancelled {
			continue
		}
		if look() {
			held = true
		} else if cancelled {
			err = canceled()
		}
		break
	}
	if timer != nil {
		timed.leave(r)
	}
	r.Leave(wait)
	if timer != nil {
		timer.cancel("")
	}
	return held, err
}

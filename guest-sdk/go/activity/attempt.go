package activity

import (
	"context"
	"errors"
	"sync"

	wit "longhaul/internal/wit/activitycontext"
)

// Why an attempt should stop: context.Cause of its context.
var (
	// ErrCancelled: the workflow asked for it.
	ErrCancelled = errors.New("the activity was cancelled")
	// ErrNotFound: the workflow, or the activity, is no more.
	ErrNotFound = errors.New("the activity is no more")
	// ErrTimedOut: a limit has passed.
	ErrTimedOut = errors.New("the activity has timed out")
	// ErrShutdown: the server stops.
	ErrShutdown = errors.New("the server stops")
)

// attempt is one attempt.
type attempt struct {
	host     host
	info     wit.ActivityInfo
	cancel   context.CancelCauseFunc
	watching sync.Once
}

type attemptKey struct{}

// newAttempt is an attempt and its context.
func newAttempt(h host) (context.Context, *attempt) {
	ctx, cancel := context.WithCancelCause(context.Background())
	a := &attempt{host: h, info: h.Info(), cancel: cancel}
	return attemptContext{context.WithValue(ctx, attemptKey{}, a), a}, a
}

func attemptOf(ctx context.Context) *attempt {
	a, ok := ctx.Value(attemptKey{}).(*attempt)
	if !ok {
		panic("longhaul: the context is not one of an activity")
	}
	return a
}

// attemptContext is the context of an attempt. The host does not call when an attempt should stop; a goroutine waits for that, from when
// somebody first wants to. So it is also noticed while the attempt waits for something else, such as an HTTP response.
type attemptContext struct {
	context.Context
	attempt *attempt
}

func (c attemptContext) Done() <-chan struct{} {
	c.attempt.watching.Do(func() {
		go func() {
			if c.attempt.host.AwaitCancellation(c.Context) {
				c.attempt.stop()
			}
		}()
	})
	return c.Context.Done()
}

// stop asks whether the attempt should stop, and if so cancels its context.
func (a *attempt) stop() bool {
	reason := a.host.Cancellation()
	if reason == nil {
		return false
	}
	switch *reason {
	case wit.CancellationReasonNotFound:
		a.cancel(ErrNotFound)
	case wit.CancellationReasonTimedOut:
		a.cancel(ErrTimedOut)
	case wit.CancellationReasonShutdown:
		a.cancel(ErrShutdown)
	default:
		a.cancel(ErrCancelled)
	}
	return true
}

// IsCancelled asks whether the attempt should stop, and if so cancels the context. Heartbeats ask too, and so does whoever waits for
// the context's Done.
func IsCancelled(ctx context.Context) bool { return attemptOf(ctx).stop() }

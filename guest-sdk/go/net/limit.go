package net

import (
	"context"
	"os"
	"sync"
	"time"
)

// limit ends what waits: at a deadline, or because the connection is closed.
type limit struct {
	mutex  sync.Mutex
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	closed bool
}

func newLimit() *limit {
	l := &limit{}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	return l
}

// context is what a wait that begins now ends with.
func (l *limit) context() context.Context {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.ctx
}

// set moves the deadline, also of what waits now; the zero time is none. False if it is closed.
func (l *limit) set(deadline time.Time) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.closed {
		return false
	}
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if l.ctx.Err() != nil {
		l.ctx, l.cancel = context.WithCancelCause(context.Background())
	}
	if deadline.IsZero() {
		return true
	}
	left := time.Until(deadline)
	if left <= 0 {
		l.cancel(os.ErrDeadlineExceeded)
		return true
	}
	var timer *time.Timer
	timer = time.AfterFunc(left, func() {
		l.mutex.Lock()
		defer l.mutex.Unlock()
		// It may have been moved when this was on its way.
		if l.timer == timer {
			l.cancel(os.ErrDeadlineExceeded)
		}
	})
	l.timer = timer
	return true
}

// close ends it for good. False if it was closed before.
func (l *limit) close() bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.closed {
		return false
	}
	l.closed = true
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if l.ctx.Err() != nil {
		// A deadline has ended it, and whoever comes now has to hear that it is closed.
		l.ctx, l.cancel = context.WithCancelCause(context.Background())
	}
	l.cancel(ErrClosed)
	return true
}

func (l *limit) isClosed() bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.closed
}

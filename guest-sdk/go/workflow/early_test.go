package workflow

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"longhaul/temporal"
)

// plain registers a plain function.
func plain(main func(ctx Context) (int, error)) func() {
	return func() { Register("Plain", func(ctx Context, _ None) (int, error) { return main(ctx) }) }
}

// S3, S4, U5
func TestHandlersOfAPlainFunctionRunUpToTheirFirstWaitBeforeItGoesOn(t *testing.T) {
	j := &journal{}
	d := begin(t, plain(func(ctx Context) (int, error) {
		HandleSignal(ctx, "go", func(ctx Context, n int) {
			timer := NewTimer(ctx, time.Second)
			j.note("handler" + strconv.Itoa(n))
			_, _ = timer.Get(ctx)
			j.note("late" + strconv.Itoa(n))
		})
		HandleUpdate(ctx, "ask", func(ctx Context, n int) (int, error) {
			future, settable := NewFuture[int](ctx)
			Go(ctx, func(Context) {
				j.note("spawned")
				settable.SetValue(2 * n)
			})
			j.note("update")
			return future.Get(ctx)
		})
		err := Sleep(ctx, time.Minute)
		j.note("main")
		return 0, err
	}))
	d.signal("go", 1)
	d.update("u", "ask", 4)
	d.signal("go", 2)
	if j.text() != "handler1 update handler2" {
		t.Error(j.text())
	}
	// What a handler has started queues before the main routine, as in a type with an init function.
	d.expect(d.advance(), "timer 1 1s", "timer 2 1s", "timer 3 60s", "update u [8]")
	d.done(3)
	d.expect(d.advance(), "complete [0]")
	if j.text() != "handler1 update handler2 spawned main" {
		t.Error(j.text())
	}
}

// S3, S8, S9
func TestAPlainFunctionSeesTheFirstMessagesHoweverItLooksForThem(t *testing.T) {
	looks := map[string]func(ctx Context, j *journal) bool{
		"ReceiveAsync": func(ctx Context, _ *journal) bool {
			value, ok := GetSignalChannel[int](ctx, "first").ReceiveAsync()
			return ok && value == 7
		},
		"Receive": func(ctx Context, _ *journal) bool {
			value, _ := GetSignalChannel[int](ctx, "first").Receive(ctx)
			return value == 7
		},
		"Len": func(ctx Context, _ *journal) bool { return GetSignalChannel[int](ctx, "first").Len() == 1 },
		"Peek": func(ctx Context, _ *journal) bool {
			signal, ok, _ := WaitSignal[int](ctx, "first").Peek()
			return ok && signal.Value == 7
		},
		"IsReady": func(ctx Context, _ *journal) bool { return WaitSignal[int](ctx, "first").IsReady() },
		"Selector": func(ctx Context, _ *journal) bool {
			return NewSelector(ctx).AddReceive(GetSignalChannel[int](ctx, "first"), func() {}).HasPending()
		},
		"Future": func(ctx Context, _ *journal) bool {
			future, settable := NewFuture[int](ctx)
			HandleSignal(ctx, "first", func(_ Context, value int) { settable.SetValue(value) })
			return future.IsReady()
		},
		"AllHandlersFinished": func(ctx Context, j *journal) bool {
			HandleSignal(ctx, "first", func(ctx Context, _ int) { j.note("handled") })
			return AllHandlersFinished(ctx) && j.text() == "handled"
		},
		"Err": func(ctx Context, _ *journal) bool { return ctx.Err() != nil },
		"TryLock": func(ctx Context, _ *journal) bool {
			mutex := NewMutex(ctx)
			HandleSignal(ctx, "first", func(ctx Context, _ int) { _ = mutex.Lock(ctx) })
			return !mutex.TryLock(ctx)
		},
	}
	for name, look := range looks {
		t.Run(name, func(t *testing.T) {
			j := &journal{}
			d := begin(t, plain(func(ctx Context) (int, error) {
				if !look(ctx, j) {
					return 0, nil
				}
				return 1, nil
			}))
			d.signal("first", 7)
			if name == "Err" {
				d.guest.Cancel("")
			}
			d.expect(d.advance(), "complete [1]")
		})
	}
}

// E4
func TestACancelledTimerOrBackoffFailsAWorkflowThatIsNotCancelled(t *testing.T) {
	ends := map[string]func(ctx Context) error{
		"Sleep":   func(ctx Context) error { return Sleep(ctx, time.Hour) },
		"no time": func(ctx Context) error { return Sleep(ctx, 0) },
		"NewTimer": func(ctx Context) error {
			_, err := NewTimer(ctx, time.Hour).Get(ctx)
			return err
		},
	}
	for name, end := range ends {
		for _, requested := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
					if requested {
						_ = Await(ctx, func() bool { return false })
					}
					inner, cancel := WithCancel(ctx)
					cancel()
					err := end(inner)
					if !temporal.IsCanceledError(err) {
						t.Error(err)
					}
					return 0, err
				}))
				if requested {
					d.advance()
					d.guest.Cancel("")
				}
				want := "fail Timer cancelled"
				if requested {
					want = "cancelled []"
				}
				if have := d.advance(); !strings.HasSuffix(have, want) {
					t.Errorf("requested %t: %s", requested, have)
				}
			})
		}
	}
}

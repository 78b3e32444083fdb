package workflow

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"longhaul/internal/wit/definition"
	"longhaul/internal/wit/types"
	"longhaul/temporal"
)

func TestTimersSayWhatTheyAreFor(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		timer := NewTimerWithOptions(ctx, time.Second, TimerOptions{Summary: "nightly"})
		options := AwaitOptions{Timeout: time.Minute, TimerOptions: TimerOptions{Summary: "patience"}}
		held, err := AwaitWithOptions(ctx, options, timer.IsReady)
		return map[bool]int{true: 1}[held], err
	}))
	d.expect(d.advance(), "timer 1 1s nightly", "timer 2 60s patience")
	d.done(1)
	d.expect(d.advance(), "cancel-timer 2", "complete [1]")
}

func TestTheErrorOfACancelledContextIsErrCanceled(t *testing.T) {
	begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		inner, cancel := WithCancel(ctx)
		if err := inner.Err(); err != nil {
			t.Error(err)
		}
		cancel()
		if inner.Err() != ErrCanceled || !errors.Is(Await(inner, func() bool { return false }), ErrCanceled) || ctx.Err() != nil {
			t.Error(inner.Err())
		}
		if !temporal.IsCanceledError(ErrCanceled) {
			t.Error("it is not one")
		}
		return 0, nil
	})).advance()
}

// E4
func TestACancellationByCodeHasAReason(t *testing.T) {
	j := &journal{}
	d := begin(t, journaled(j, nil, func(ctx Context) (int, error) {
		middle, cancel := WithCancelReason(WithWorkflowID(ctx, "c"))
		inner, _ := WithCancel(middle)
		ExecuteChildWorkflow[int](inner, "Child")
		_ = Sleep(ctx, time.Second)
		cancel("sold out")
		cancel("too late")
		j.note(fmt.Sprint([]string{CancellationReason(ctx), CancellationReason(middle), CancellationReason(inner)}))
		return 0, Sleep(ctx, time.Hour)
	}))
	d.expect(d.advance(), "child 1 Child c []", "timer 2 1s")
	d.guest.Resolve(1, definition.OutcomeChildStarted{Value: "run"})
	d.done(2)
	d.expect(d.advance(), "cancel-child 1 sold out", "timer 3 3600s")
	if j.text() != "[ sold out sold out]" {
		t.Error(j.text())
	}
	d = begin(t, journaled(j, nil, func(ctx Context) (int, error) {
		clean, _ := NewDisconnectedContext(ctx)
		err := Sleep(ctx, time.Second)
		j.lines = []string{CancellationReason(ctx), CancellationReason(clean)}
		return 0, err
	}))
	d.advance()
	d.guest.Cancel("closing time")
	d.advance()
	if j.text() != "closing time " {
		t.Errorf("%q", j.text())
	}
}

func TestAContextHasValues(t *testing.T) {
	type key struct{ name string }
	begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		inner := WithTaskQueue(WithValue(ctx, key{"a"}, 1), "q")
		inner = WithValue(inner, key{"b"}, 2)
		other := WithValue(inner, key{"a"}, 3)
		if have := fmt.Sprint(inner.Value(key{"a"}), inner.Value(key{"b"}), other.Value(key{"a"}), ctx.Value(key{"a"})); have != "1 2 3 <nil>" {
			t.Error(have)
		}
		return 0, nil
	})).advance()
}

func TestStackTracesNameTasks(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		GoNamed(ctx, "packer", func(ctx Context) { _ = Sleep(ctx, time.Second) })
		return 0, Sleep(ctx, time.Minute)
	}))
	d.advance()
	var tasks []string
	for _, task := range d.guest.Waiting() {
		tasks = append(tasks, task.Task)
	}
	if text := strings.Join(tasks, " "); text != "run packer" {
		t.Error(text)
	}
}

// E8
func TestAWaitForANewerSignalDoesNotTakeTheOldOne(t *testing.T) {
	d := begin(t, journaled(&journal{}, func(ctx Context) { DeclareSignal(ctx, "level") }, func(ctx Context) (int, error) {
		first, err := WaitSignal[int](ctx, "level").Get(ctx)
		if err != nil {
			return 0, err
		}
		if _, ok, _ := WaitSignal[int](ctx, "level").NewerThan(first.EventID).Peek(); ok {
			t.Error("it is not newer")
		}
		second, err := WaitSignal[int](ctx, "level").NewerThan(first.EventID).Get(ctx)
		return first.Value + second.Value, err
	}))
	d.signal("level", 1)
	d.expect(d.advance())
	d.signal("level", 10)
	d.expect(d.advance(), "complete [11]")
}

// S7
func TestTheNamesOfSignalsThatNobodyHasTakenAreKnown(t *testing.T) {
	d := begin(t, journaled(&journal{}, func(ctx Context) {
		AllowDynamicHandlers(ctx)
		GetSignalChannelWithOptions[int](ctx, "numbers", SignalChannelOptions{Description: "Numbers."})
		HandleQuery(ctx, "left", func() ([]string, error) { return GetUnhandledSignalNames(ctx), nil })
	}, func(ctx Context) (int, error) { return 0, Sleep(ctx, time.Second) }))
	d.signal("other")
	d.signal("numbers", 1)
	d.advance()
	d.expect(d.query("left"), `["numbers","other"]`)
	for _, signal := range (&guest{host: d.host}).Describe().Workflows[0].Signals {
		if signal.Name == "numbers" && signal.Description != "Numbers." {
			t.Errorf("%+v", signal)
		}
	}
}

// E7
func TestASignalToTheFamilyGoesToTheParentUnlessTheTypeSaysNo(t *testing.T) {
	for _, propagate := range []bool{true, false} {
		d := prepare(t, journaled(&journal{}, func(ctx Context) { PropagateSignalsToParent(ctx, propagate) }, func(ctx Context) (int, error) {
			_, err := SignalFamily(ctx, "hello", FamilySignalOptions{NotToSelf: true}, 1).Get(ctx)
			return 0, err
		}))
		d.info.Parent = &types.NamespacedExecution{Namespace: "default", WorkflowID: "parent", RunID: "p"}
		d.start()
		commands := d.advance()
		if propagate && !strings.HasPrefix(commands, "signal-external 1 parent hello [1] longhaul-family=") {
			t.Error(commands)
		}
		if !propagate && !strings.HasPrefix(commands, "fail signal hello to the family has reached nobody") {
			t.Error(commands)
		}
	}
}

package workflow

import (
	"testing"
	"time"

	"longhaul/internal/failure"
	"longhaul/internal/wit/definition"
	"longhaul/internal/wit/types"
	"longhaul/temporal"
)

// E4, E5
func TestByDefaultAnActivityIsNotWaitedForAndAChildIs(t *testing.T) {
	j := &journal{}
	d := begin(t, journaled(j, nil, func(ctx Context) (int, error) {
		activity := ExecuteActivity[int](ctx, "charge")
		child := ExecuteChildWorkflow[int](WithChildOptions(ctx, ChildWorkflowOptions{WorkflowID: "c"}), "Child")
		_, err := activity.Get(ctx)
		if temporal.IsCanceledError(err) {
			j.note("activity")
		}
		_, err = child.Get(ctx)
		if temporal.IsCanceledError(err) {
			j.note("child")
		}
		return 0, err
	}))
	d.expect(d.advance(), "activity 1 charge []", "child 2 Child c []")
	d.guest.Resolve(2, definition.OutcomeChildStarted{Value: "run"})
	d.expect(d.advance())
	d.guest.Cancel("enough")
	d.expect(d.advance(), "cancel-activity 1", "cancel-child 2 enough")
	if j.text() != "activity" {
		t.Error(j.text())
	}
	info := types.FailureInfoChildWorkflow{Value: types.ChildWorkflowFailure{WorkflowID: "c"}}
	d.guest.Resolve(2, definition.OutcomeCancelled{Value: types.Failure{failure.Link("child", info), failure.Cancelled("canceled")}})
	d.expect(d.advance(), "cancelled []")
	if j.text() != "activity child" {
		t.Error(j.text())
	}
}

// E4
func TestCancellationReachesOperationsInTheOrderInWhichTheyStarted(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		first, cancel := WithCancel(ctx)
		defer cancel()
		timer := NewTimer(first, time.Hour)
		ExecuteActivity[int](ctx, "a")
		NewTimer(first, time.Hour)
		_, err := timer.Get(ctx)
		return 0, err
	}))
	d.expect(d.advance(), "timer 1 3600s", "activity 2 a []", "timer 3 3600s")
	d.guest.Cancel("")
	d.expect(d.advance(), "cancel-timer 1", "cancel-activity 2", "cancel-timer 3", "cancelled []")
}

func TestWhatHasEndedIsNotCancelledAndALateOutcomeIsDropped(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		inner, cancel := WithCancel(ctx)
		done, late := NewTimer(inner, time.Second), NewTimer(inner, time.Hour)
		_, _ = done.Get(ctx)
		cancel()
		_, err := late.Get(ctx)
		if !temporal.IsCanceledError(err) {
			return 0, err
		}
		return 7, Sleep(ctx, time.Minute)
	}))
	d.advance()
	d.done(1)
	d.expect(d.advance(), "cancel-timer 2", "timer 3 60s")
	d.done(2)
	d.expect(d.advance())
	d.done(3)
	d.expect(d.advance(), "complete [7]")
}

func TestWhatWasNotSentEndsAtOnceWhateverItsCancellationType(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		inner, cancel := WithCancel(WithActivityOptions(ctx, ActivityOptions{WaitForCancellation: true}))
		activity := ExecuteActivity[int](inner, "a")
		cancel()
		_, err := activity.Get(ctx)
		if !temporal.IsCanceledError(err) {
			return 0, err
		}
		return 1, nil
	}))
	d.expect(d.advance(), "activity 1 a []", "cancel-activity 1", "complete [1]")
}

// E4, A4
func TestWhatIsWaitedForEndsWhenTheHostSaysSo(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		return ExecuteActivity[int](WithActivityOptions(ctx, ActivityOptions{WaitForCancellation: true}), "a").Get(ctx)
	}))
	d.advance()
	d.guest.Cancel("")
	d.expect(d.advance(), "cancel-activity 1")
	d.done(1, 5)
	d.expect(d.advance(), "complete [5]")
}

// E4
func TestADisconnectedContextLetsCleanUpGoOn(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		err := Sleep(ctx, time.Hour)
		clean, _ := NewDisconnectedContext(ctx)
		if _, failed := ExecuteActivity[int](clean, "clean").Get(clean); failed != nil {
			return 0, failed
		}
		return 0, err
	}))
	d.advance()
	d.guest.Cancel("")
	d.expect(d.advance(), "cancel-timer 1", "activity 2 clean []")
	d.done(2, 1)
	d.expect(d.advance(), "cancelled []")
}

// E4: an operation that was cancelled on its own is a failure like any other.
func TestACancelledOperationFailsAWorkflowThatIsNotCancelled(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		return ExecuteActivity[int](ctx, "a").Get(ctx)
	}))
	d.advance()
	d.guest.Resolve(1, definition.OutcomeCancelled{Value: types.Failure{failure.Cancelled("by hand")}})
	d.expect(d.advance(), "fail by hand")
}

// E4
func TestAHandlerThatIsCancelledLeavesTheEndToTheMainRoutine(t *testing.T) {
	d := begin(t, journaled(&journal{}, func(ctx Context) {
		HandleSignalWithOptions(ctx, "wait", func(ctx Context, _ None) error { return Sleep(ctx, time.Hour) }, SignalHandlerOptions{})
	}, func(ctx Context) (int, error) {
		_ = Sleep(ctx, time.Hour)
		return 3, nil
	}))
	d.signal("wait")
	d.advance()
	d.guest.Cancel("")
	d.expect(d.advance(), "cancel-timer 1", "cancel-timer 2", "complete [3]")
}

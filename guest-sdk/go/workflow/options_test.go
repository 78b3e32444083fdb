package workflow

import (
	"testing"
	"time"

	"longhaul/internal/wit/commands"
	"longhaul/temporal"
)

// options runs a main routine up to its first wait.
func options(t *testing.T, main func(ctx Context)) *fakeHost {
	t.Helper()
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		main(ctx)
		return 0, Await(ctx, func() bool { return false })
	}))
	d.advance()
	return d.host
}

func TestOptionsOfActivitiesAreSetOneByOne(t *testing.T) {
	h := options(t, func(ctx Context) {
		outer := WithActivityOptions(ctx, ActivityOptions{TaskQueue: "mine", ActivityID: "first", Summary: "a summary"})
		outer = WithScheduleToCloseTimeout(outer, time.Hour)
		outer = WithScheduleToStartTimeout(outer, time.Minute)
		outer = WithStartToCloseTimeout(outer, 2*time.Second)
		outer = WithHeartbeatTimeout(outer, time.Second)
		outer = WithRetryPolicy(outer, temporal.RetryPolicy{MaximumAttempts: 3})
		inner := WithTaskQueue(WithWaitForCancellation(outer, true), "theirs")
		if have := GetActivityOptions(outer); have.TaskQueue != "mine" || have.WaitForCancellation {
			t.Errorf("the outer context has changed: %+v", have)
		}
		ExecuteActivity[int](inner, "a")
	})
	o := h.activity
	if or(o.TaskQueue) != "theirs" || or(o.ActivityID) != "first" || or(o.Summary) != "a summary" || or(o.ScheduleToClose) != 3600e9 ||
		or(o.ScheduleToStart) != 60e9 || or(o.StartToClose) != 2e9 || or(o.Heartbeat) != 1e9 || o.RetryPolicy.MaximumAttempts != 3 ||
		o.CancellationType != commands.ActivityCancellationTypeWaitCancellationCompleted {
		t.Errorf("%+v", o)
	}
	h = options(t, func(ctx Context) {
		ctx = WithActivityOptions(ctx, ActivityOptions{CancellationType: ActivityWaitCancellationCompleted})
		ExecuteActivity[int](WithWaitForCancellation(ctx, false), "a")
	})
	if h.activity.CancellationType != commands.ActivityCancellationTypeTryCancel {
		t.Errorf("%+v", h.activity)
	}
}

func TestNewOptionsReplaceTheOldOnesButForTheTaskQueue(t *testing.T) {
	h := options(t, func(ctx Context) {
		ctx = WithActivityOptions(ctx, ActivityOptions{TaskQueue: "mine", HeartbeatTimeout: time.Second})
		ctx = WithActivityOptions(ctx, ActivityOptions{StartToCloseTimeout: time.Second})
		ctx = WithChildOptions(ctx, ChildWorkflowOptions{TaskQueue: "ours", WorkflowID: "c", CronSchedule: "@daily"})
		ctx = WithChildOptions(ctx, ChildWorkflowOptions{WorkflowID: "d"})
		ctx = WithLocalActivityOptions(ctx, LocalActivityOptions{ActivityID: "x", StartToCloseTimeout: time.Second})
		ctx = WithLocalActivityOptions(ctx, LocalActivityOptions{StartToCloseTimeout: time.Minute})
		if local := GetLocalActivityOptions(ctx); local != (LocalActivityOptions{StartToCloseTimeout: time.Minute}) {
			t.Errorf("%+v", local)
		}
		if child := GetChildWorkflowOptions(ctx); child.TaskQueue != "ours" || child.WorkflowID != "d" {
			t.Errorf("%+v", child)
		}
		ExecuteActivity[int](ctx, "a")
		ExecuteLocalActivity[int](ctx, "l")
		ExecuteChildWorkflow[int](ctx, "Child")
	})
	if o := h.activity; or(o.TaskQueue) != "mine" || o.Heartbeat != nil || or(o.StartToClose) != 1e9 {
		t.Errorf("%+v", o)
	}
	if o := h.local; o.ActivityID != nil || or(o.StartToClose) != 60e9 {
		t.Errorf("%+v", o)
	}
	if o := h.child; or(o.TaskQueue) != "ours" || o.WorkflowID != "d" || o.CronSchedule != nil {
		t.Errorf("%+v", o)
	}
}

func TestOptionsOfChildrenAreSetOneByOne(t *testing.T) {
	h := options(t, func(ctx Context) {
		ctx = WithWorkflowTaskQueue(WithWorkflowID(ctx, "c"), "theirs")
		ctx = WithWorkflowTaskTimeout(WithWorkflowRunTimeout(ctx, time.Hour), time.Minute)
		ExecuteChildWorkflow[int](ctx, "Child")
	})
	if o := h.child; or(o.TaskQueue) != "theirs" || o.WorkflowID != "c" || or(o.RunTimeout) != 3600e9 || or(o.TaskTimeout) != 60e9 {
		t.Errorf("%+v", o)
	}
}

// E3
func TestARunGoesOnAsNewWithOptions(t *testing.T) {
	h := options(t, func(ctx Context) {
		err := NewContinueAsNewErrorWithOptions(ctx, ContinueAsNewErrorOptions{WorkflowType: "Next"}, 1)
		if !IsContinueAsNewError(err) || IsContinueAsNewError(ErrCanceled) {
			t.Error(err)
		}
	})
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		return 0, NewContinueAsNewErrorWithOptions(ctx, ContinueAsNewErrorOptions{
			WorkflowType: "Next", TaskQueue: "theirs", WorkflowRunTimeout: time.Hour, WorkflowTaskTimeout: time.Second,
			Memo:                  map[string]any{"b": 2, "a": "x"},
			TypedSearchAttributes: temporal.NewSearchAttributes(temporal.NewSearchAttributeKeyInt64("n").ValueSet(5)),
			RetryPolicy:           &temporal.RetryPolicy{MaximumAttempts: 2},
		}, 1)
	}))
	d.expect(d.advance(), "continue-as-new [1]")
	h = d.host
	o := h.next
	if or(o.WorkflowType) != "Next" || or(o.TaskQueue) != "theirs" || or(o.RunTimeout) != 3600e9 || or(o.TaskTimeout) != 1e9 ||
		o.RetryPolicy.MaximumAttempts != 2 || len(*o.Memo) != 2 || (*o.Memo)[0].First != "a" ||
		len(*o.SearchAttributes) != 1 || string((*o.SearchAttributes)[0].Second.Data) != "5" {
		t.Errorf("%+v", o)
	}
	d = begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		return 0, NewContinueAsNewErrorWithOptions(ctx, ContinueAsNewErrorOptions{TypedSearchAttributes: temporal.NewSearchAttributes()})
	}))
	d.advance()
	if o := d.host.next; o.Memo != nil || o.SearchAttributes == nil || len(*o.SearchAttributes) != 0 {
		t.Errorf("what is empty is not what is carried over: %+v", o)
	}
}

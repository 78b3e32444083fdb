package temporal

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"longhaul/converter"
	"longhaul/internal/failure"
	"longhaul/internal/wit/types"
)

func payloads(t *testing.T, values ...any) []converter.Payload {
	t.Helper()
	payloads, err := converter.ToPayloads(values...)
	if err != nil {
		t.Fatal(err)
	}
	return payloads
}

func TestAnApplicationErrorIsTheSameOnTheOtherSide(t *testing.T) {
	sent := NewApplicationErrorWithOptions("no money", "Declined", ApplicationErrorOptions{
		NonRetryable: true, Cause: errors.New("card 7"), Details: []any{3, "x"}, NextRetryDelay: time.Minute, Category: ApplicationErrorCategoryBenign,
	})
	received := FromFailure(Failure(fmt.Errorf("charge: %w", sent)))
	if received.Error() != "charge: no money: no money: card 7" {
		t.Error(received)
	}
	var e *ApplicationError
	if !errors.As(errors.Unwrap(received), &e) {
		t.Fatal(received)
	}
	if e.Message() != "no money" || e.Type() != "Declined" || !e.NonRetryable() || e.NextRetryDelay() != time.Minute ||
		e.Category() != ApplicationErrorCategoryBenign || !e.HasDetails() {
		t.Errorf("%+v", e)
	}
	number, err := Detail[int](e.Details(), 0)
	if number != 3 || err != nil {
		t.Error(number, err)
	}
	if _, err := Detail[int](e.Details(), 1); err == nil {
		t.Error("it is a text")
	}
	if e.Unwrap().Error() != "card 7" {
		t.Error(e.Unwrap())
	}
	var plain *ApplicationError
	if !errors.As(NewApplicationError("plain", "Plain"), &plain) || plain.HasDetails() || plain.NextRetryDelay() != 0 {
		t.Error(plain)
	}
}

// E4
func TestACancellationCarriesDetails(t *testing.T) {
	var e *CanceledError
	if !errors.As(FromFailure(Failure(NewCanceledError("why"))), &e) || !e.HasDetails() {
		t.Fatal(e)
	}
	if why, err := Detail[string](e.Details(), 0); why != "why" || err != nil {
		t.Error(why, err)
	}
	if err := NewCanceledError(make(chan int)); IsCanceledError(err) {
		t.Error("a channel has no JSON")
	}
}

// A2, A3
func TestATimeoutKeepsWhatTheLastHeartbeatSaid(t *testing.T) {
	info := types.ActivityFailure{
		ScheduledEventID: 5, StartedEventID: 6, Identity: "worker", ActivityType: "charge", ActivityID: "1", RetryState: types.RetryStateTimeout,
	}
	late := types.TimeoutFailure{Type: types.TimeoutTypeHeartbeat, LastHeartbeatDetails: payloads(t, 42)}
	err := FromFailure(types.Failure{
		failure.Link("activity failed", types.FailureInfoActivity{Value: info}), failure.Link("late", types.FailureInfoTimeout{Value: late}),
	})
	var activity *ActivityError
	var timeout *TimeoutError
	if !errors.As(err, &activity) || !errors.As(err, &timeout) || !IsTimeoutError(err) || IsTimeoutError(errors.New("late")) {
		t.Fatal(err)
	}
	if activity.ScheduledEventID() != 5 || activity.StartedEventID() != 6 || activity.Identity() != "worker" || activity.ActivityType() != "charge" ||
		activity.ActivityID() != "1" || activity.RetryState() != RetryStateTimeout {
		t.Errorf("%+v", activity)
	}
	if timeout.TimeoutType().String() != "Heartbeat" || !timeout.HasLastHeartbeatDetails() {
		t.Errorf("%+v", timeout)
	}
	if progress, err := Detail[int](timeout.LastHeartbeatDetails(), 0); progress != 42 || err != nil {
		t.Error(progress, err)
	}
}

// E5
func TestTheErrorOfAChildSaysWhichItWas(t *testing.T) {
	info := types.ChildWorkflowFailure{
		Namespace: "default", WorkflowID: "c", RunID: "r", WorkflowType: "Child", InitiatedEventID: 7, StartedEventID: 8,
		RetryState: types.RetryStateMaximumAttemptsReached,
	}
	err := FromFailure(types.Failure{
		failure.Link("child failed", types.FailureInfoChildWorkflow{Value: info}), failure.Link("stopped", types.FailureInfoTerminated{}),
	})
	var child *ChildWorkflowExecutionError
	if !errors.As(err, &child) {
		t.Fatal(err)
	}
	if child.Namespace() != "default" || child.WorkflowID() != "c" || child.RunID() != "r" || child.WorkflowType() != "Child" ||
		child.InitiatedEventID() != 7 || child.StartedEventID() != 8 || child.RetryState() != RetryStateMaximumAttemptsReached {
		t.Errorf("%+v", child)
	}
	if !IsTerminatedError(err) || IsTerminatedError(nil) || IsApplicationError(err) {
		t.Error(err)
	}
}

func TestWhatAnErrorIsIsFoundBelowWhatWrapsIt(t *testing.T) {
	taken := &ChildWorkflowExecutionAlreadyStartedError{WorkflowID: "c", WorkflowType: "Child", Cause: "WorkflowAlreadyExists"}
	application := NewApplicationError("a", "A")
	for _, wrap := range []func(error) error{
		func(err error) error { return err },
		func(err error) error { return fmt.Errorf("around: %w", err) },
		func(err error) error { return errors.Join(errors.New("first"), err) },
	} {
		if !IsWorkflowExecutionAlreadyStartedError(wrap(taken)) || IsWorkflowExecutionAlreadyStartedError(wrap(application)) {
			t.Error(wrap(taken))
		}
		if !IsApplicationError(wrap(application)) || IsApplicationError(wrap(taken)) {
			t.Error(wrap(application))
		}
	}
}

func TestARetryPolicyIsTheSameOnTheOtherSide(t *testing.T) {
	policy := RetryPolicy{
		InitialInterval: time.Minute, BackoffCoefficient: 1.5, MaximumInterval: time.Hour, MaximumAttempts: 7, NonRetryableErrorTypes: []string{"Fatal"},
	}
	again := RetryPolicyOf(policy.Wire())
	if fmt.Sprint(*again) != fmt.Sprint(policy) {
		t.Errorf("%+v", again)
	}
	if wire := (&RetryPolicy{}).Wire(); wire.InitialInterval != 1e9 || wire.BackoffCoefficient != 2 {
		t.Errorf("%+v", wire)
	}
	var none *RetryPolicy
	if none.Wire() != nil || RetryPolicyOf(nil) != nil {
		t.Error("none is a policy")
	}
}

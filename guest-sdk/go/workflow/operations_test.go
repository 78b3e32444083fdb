package workflow

import (
	"errors"
	"strings"
	"testing"
	"time"

	"longhaul/internal/failure"
	"longhaul/internal/wit/definition"
	"longhaul/internal/wit/types"
	"longhaul/temporal"
)

func TestAnActivitysFailureKeepsItsChain(t *testing.T) {
	j := &journal{}
	d := begin(t, journaled(j, nil, func(ctx Context) (int, error) {
		_, err := ExecuteActivity[int](ctx, "charge", "card", 3).Get(ctx)
		var activity *temporal.ActivityError
		var application *temporal.ApplicationError
		if errors.As(err, &activity) && errors.As(err, &application) {
			amount, _ := temporal.Detail[int](application.Details(), 0)
			j.note(activity.ActivityType() + " " + application.Type() + " " + string(rune('0'+amount)))
		}
		return 0, err
	}))
	d.expect(d.advance(), `activity 1 charge ["card", 3]`)
	info := types.ApplicationFailure{Type: "Declined", NonRetryable: true, Details: d.payloads([]any{7})}
	d.failed(1, activityFailed(failure.Link("no money", types.FailureInfoApplication{Value: info}))...)
	d.expect(d.advance(), "fail activity failed: no money")
	if j.text() != "charge Declined 7" {
		t.Error(j.text())
	}
}

func TestAResultThatDoesNotDecodeFailsTheTask(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		return ExecuteActivity[int](ctx, "charge").Get(ctx)
	}))
	d.advance()
	d.done(1, "text")
	if commands := d.advance(); !strings.HasPrefix(commands, "fail-task Payload conversion failed: ") {
		t.Error(commands)
	}
}

// A5
func TestALongBackoffOfALocalActivityIsATimer(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		return ExecuteLocalActivity[int](ctx, "check").Get(ctx)
	}))
	d.expect(d.advance(), "local-activity 1 check attempt 1")
	d.guest.Resolve(1, definition.OutcomeBackoff{Value: definition.Backoff{Attempt: 4, Delay: 90_000_000_000, OriginalScheduleTime: 5}})
	d.expect(d.advance(), "timer 2 90s")
	d.done(2)
	d.expect(d.advance(), "local-activity 3 check attempt 4")
	d.done(3, 8)
	d.expect(d.advance(), "complete [8]")
}

// E5
func TestAChildsStartAndEndAreAwaitedApart(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		child := ExecuteChildWorkflow[int](WithChildOptions(ctx, ChildWorkflowOptions{WorkflowID: "c"}), "Child", 1)
		execution, err := child.GetChildWorkflowExecution().Get(ctx)
		if err != nil || execution != (Execution{"c", "run"}) {
			return 0, errors.New("another child")
		}
		if _, err := child.SignalChildWorkflow(ctx, "poke", true).Get(ctx); err != nil {
			return 0, err
		}
		return child.Get(ctx)
	}))
	d.expect(d.advance(), "child 1 Child c [1]")
	d.guest.Resolve(1, definition.OutcomeChildStarted{Value: "run"})
	d.expect(d.advance(), "signal-child 2 1 poke [true]")
	d.done(2)
	d.done(1, 9)
	d.expect(d.advance(), "complete [9]")
}

// E5
func TestAChildWhoseIdIsTakenIsAFailureOfItsStart(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		return ExecuteChildWorkflow[int](WithChildOptions(ctx, ChildWorkflowOptions{WorkflowID: "c"}), "Child").Get(ctx)
	}))
	d.advance()
	d.guest.Resolve(1, definition.OutcomeChildStartFailed{Value: definition.ChildStartFailure{WorkflowID: "c", WorkflowType: "Child"}})
	d.expect(d.advance(), "fail Child workflow start failed: workflow_id=c, workflow_type=Child, cause=WorkflowAlreadyExists")
}

func TestAChildWithoutAnIdGetsAUUID(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) { return ExecuteChildWorkflow[int](ctx, "Child").Get(ctx) }))
	d.expect(d.advance(), "child 1 Child 01010101-0101-4101-8101-010101010101 []")
}

// E6
func TestOthersAreSignalledAndCancelled(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		with, err := WithHeader(ctx, "tenant", "blue")
		if err != nil {
			return 0, err
		}
		signal := SignalExternalWorkflow(with, "other", "", "poke", 1)
		cancel := RequestCancelExternalWorkflowWithReason(ctx, "other", "", "enough")
		_, err = signal.Get(ctx)
		if err != nil {
			_, err = cancel.Get(ctx)
		}
		return 0, err
	}))
	d.expect(d.advance(), `signal-external 1 other poke [1] tenant="blue"`, "cancel-external 2 other enough")
	d.failed(1, failure.Application("ExternalWorkflowExecutionNotFound", "gone"))
	d.done(2)
	d.expect(d.advance(), "complete [0]")
}

// E3
func TestContinueAsNewCarriesItsInput(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		return 0, NewContinueAsNewError(ctx, []string(nil), 2)
	}))
	d.expect(d.advance(), "continue-as-new [[], 2]")
}

// W5
func TestAVersionIsThePatchOfItsName(t *testing.T) {
	var version Version
	register := journaled(&journal{}, nil, func(ctx Context) (int, error) {
		version = GetVersion(ctx, "fees", DefaultVersion, 3)
		return int(GetVersion(ctx, "fees", DefaultVersion, 3)), nil
	})
	d := begin(t, register)
	d.expect(d.advance(), "patched fees-3 false", "complete [3]")

	d = prepare(t, register)
	d.host.replaying, d.host.patches = true, map[string]bool{"fees-2": true}
	d.start()
	d.advance()
	if version != 2 {
		t.Error(version)
	}

	d = prepare(t, register)
	d.host.replaying = true
	d.start()
	d.advance()
	if version != DefaultVersion {
		t.Error(version)
	}
}

func TestChannelsHandValuesOnInOrder(t *testing.T) {
	j := &journal{}
	d := begin(t, journaled(j, nil, func(ctx Context) (int, error) {
		channel := NewChannel[string](ctx)
		Go(ctx, func(ctx Context) {
			for _, text := range []string{"a", "b", "c"} {
				channel.Send(ctx, text)
				j.note("sent-" + text)
			}
			channel.Close()
		})
		for {
			text, more := channel.Receive(ctx)
			if !more {
				return 0, Sleep(ctx, time.Second)
			}
			j.note(text)
		}
	}))
	d.expect(d.advance(), "timer 1 1s")
	if j.text() != "a sent-a b sent-b c sent-c" {
		t.Error(j.text())
	}
}

func TestFailuresKeepWhatTheyAreAcrossTheBoundary(t *testing.T) {
	links := activityFailed(failure.Link("late", types.FailureInfoTimeout{Value: types.TimeoutFailure{Type: types.TimeoutTypeHeartbeat}}))
	err := temporal.FromFailure(links)
	var timeout *temporal.TimeoutError
	if !errors.As(err, &timeout) || timeout.TimeoutType() != temporal.TimeoutTypeHeartbeat {
		t.Error(err)
	}
	if again := temporal.Failure(err); len(again) != 2 || again[0].Message != "activity failed" {
		t.Errorf("%+v", again)
	}
	wrapped := temporal.Failure(errors.Join(errors.New("first"), err))
	if len(wrapped) != 1 || !strings.Contains(wrapped[0].Message, "late") {
		t.Errorf("%+v", wrapped)
	}
}

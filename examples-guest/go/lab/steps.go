package main

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"longhaul/temporal"
	"longhaul/workflow"
)

// task is what steps run in: the context cancels what they start.
type task struct {
	lab *lab
	ctx workflow.Context
	// Of a branch: what it is a branch of.
	parent *task
	// Nothing is done any more, here and in what branches off: another branch has failed. A goroutine cannot be ended from outside.
	dropped bool
}

// errDropped ends the steps of a branch that was dropped.
var errDropped = errors.New("the branch was dropped")

func (t *task) isDropped() bool {
	for ; t != nil; t = t.parent {
		if t.dropped {
			return true
		}
	}
	return false
}

// stop ends the workflow with a result.
type stop struct{ value any }

func (*stop) Error() string {
	return "the step `return` stands in a handler; it is for the main routine"
}

func (t *task) log(line string) {
	if !t.isDropped() {
		t.lab.log = append(t.lab.log, line)
	}
}

// steps runs steps one after the other.
func (t *task) steps(steps []step) error {
	for _, step := range steps {
		if t.isDropped() {
			return errDropped
		}
		if err := step.do.run(t); err != nil {
			return err
		}
	}
	return nil
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func (s *logStep) run(t *task) error {
	t.log(s.Text)
	return nil
}

func (s *sleepStep) run(t *task) error {
	if err := workflow.Sleep(t.ctx, ms(s.Ms)); err != nil && s.Ms > 0 {
		return err
	}
	t.log("slept")
	return nil
}

func (s *activityStep) run(t *task) error {
	options := workflow.ActivityOptions{
		TaskQueue:              s.Queue,
		StartToCloseTimeout:    s.startToClose(),
		ScheduleToCloseTimeout: ms(s.ScheduleToCloseMs),
		ScheduleToStartTimeout: ms(s.ScheduleToStartMs),
		HeartbeatTimeout:       ms(s.HeartbeatMs),
		RetryPolicy:            s.retryPolicy(),
	}
	if options.TaskQueue == "" {
		options.TaskQueue = queue
	}
	ctx := workflow.WithActivityOptions(t.ctx, options)
	value, err := workflow.ExecuteActivity[any](ctx, s.Type, s.Args...).Get(ctx)
	return t.logActivity(s.Type, value, err)
}

func (s *localActivityStep) run(t *task) error {
	ctx := workflow.WithLocalActivityOptions(t.ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout:    s.startToClose(),
		ScheduleToCloseTimeout: ms(s.ScheduleToCloseMs),
		ScheduleToStartTimeout: ms(s.ScheduleToStartMs),
		RetryPolicy:            s.retryPolicy(),
	})
	value, err := workflow.ExecuteLocalActivity[any](ctx, s.Type, s.Args...).Get(ctx)
	return t.logActivity(s.Type, value, err)
}

func (c *call) startToClose() time.Duration { return ms(orElse(c.StartToCloseMs, 10_000)) }

func (c *call) retryPolicy() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval:        ms(orElse(c.RetryMs, 20)),
		MaximumAttempts:        c.Attempts,
		NonRetryableErrorTypes: c.FatalTypes,
	}
}

func (t *task) logActivity(kind string, value any, err error) error {
	switch {
	case err == nil:
		t.log(kind + "=" + dump(value))
	case temporal.IsCanceledError(err):
		return err
	default:
		t.log(kind + " failed: " + say(err))
	}
	return nil
}

func (s *waitStep) run(t *task) error {
	enough := func() bool { return t.lab.notes >= s.Notes && !t.isDropped() }
	inTime := true
	var err error
	if s.TimeoutMs == nil {
		err = workflow.Await(t.ctx, enough)
	} else {
		inTime, err = workflow.AwaitWithTimeout(t.ctx, ms(*s.TimeoutMs), enough)
	}
	switch {
	case err != nil:
		return err
	case inTime:
		t.log("waited")
	default:
		t.log("timeout")
	}
	return nil
}

func (s *parallelStep) run(t *task) error {
	selector := workflow.NewSelector(t.ctx)
	left := len(s.Branches)
	var failed error
	// Whoever fails first drops the others.
	branches := &task{lab: t.lab, ctx: t.ctx, parent: t}
	for _, branch := range s.Branches {
		future, settable := workflow.NewFuture[workflow.None](t.ctx)
		workflow.Go(t.ctx, func(workflow.Context) { settable.SetError(branches.steps(branch)) })
		selector.AddFuture(future, func() {
			left--
			_, failed = future.Get(t.ctx)
		})
	}
	for left > 0 && failed == nil {
		selector.Select(t.ctx)
	}
	branches.dropped = failed != nil
	return failed
}

// Whoever wins, and however, cancels the others. A cancellation of the race itself ends it at once: it does not reach what the
// branches have started.
func (s *raceStep) run(t *task) error {
	selector := workflow.NewSelector(t.ctx)
	cancelled := false
	ended := 0
	won := -1
	var cancels []workflow.CancelFunc
	for index, branch := range s.Branches {
		ctx, cancel := workflow.NewDisconnectedContext(t.ctx)
		cancels = append(cancels, cancel)
		future, settable := workflow.NewFuture[workflow.None](ctx)
		workflow.Go(ctx, func(ctx workflow.Context) { settable.SetError((&task{lab: t.lab, ctx: ctx, parent: t}).steps(branch)) })
		selector.AddFuture(future, func() {
			ended++
			if won < 0 {
				won = index
			}
		})
	}
	selector.AddReceive(t.ctx.Done(), func() { cancelled = true })
	if len(s.Branches) > 0 {
		selector.Select(t.ctx)
	}
	if t.isDropped() {
		return errDropped
	}
	for _, cancel := range cancels {
		cancel()
	}
	for ended < len(s.Branches) && !cancelled {
		selector.Select(t.ctx)
	}
	if cancelled {
		return t.ctx.Err()
	}
	if won >= 0 {
		t.log(fmt.Sprintf("won=%d", won))
	}
	return nil
}

func (s *childStep) run(t *task) error {
	options := workflow.ChildWorkflowOptions{WorkflowID: s.ID, TaskQueue: queue}
	switch s.Policy {
	case "abandon":
		options.ParentClosePolicy = workflow.ParentClosePolicyAbandon
	case "request_cancel":
		options.ParentClosePolicy = workflow.ParentClosePolicyRequestCancel
	}
	ctx := workflow.WithChildOptions(t.ctx, options)
	child := workflow.ExecuteChildWorkflow[any](ctx, s.Type, s.Program)
	_, err := child.GetChildWorkflowExecution().Get(ctx)
	if err == nil {
		t.log("child started")
		if !orElse(s.Wait, true) {
			return nil
		}
		var value any
		if value, err = child.Get(ctx); err == nil {
			t.log("child=" + dump(value))
			return nil
		}
	}
	var exists *temporal.ChildWorkflowExecutionAlreadyStartedError
	switch {
	case errors.As(err, &exists):
		t.log("child failed: exists")
	case temporal.IsCanceledError(err):
		// A cancelled child ends the steps of a cancelled workflow; in any other it is one of the ways to fail.
		if t.lab.ctx.Err() != nil {
			return err
		}
		t.log("child failed: cancelled")
	default:
		t.log("child failed: " + say(err))
	}
	return nil
}

func (s *signalStep) run(t *task) error {
	_, err := workflow.SignalExternalWorkflow(t.ctx, s.ID, "", s.Name, s.Args...).Get(t.ctx)
	t.logDelivery("signalled", "signal", err)
	return nil
}

func (s *cancelStep) run(t *task) error {
	_, err := workflow.RequestCancelExternalWorkflow(t.ctx, s.ID, "").Get(t.ctx)
	t.logDelivery("cancel requested", "cancel", err)
	return nil
}

func (t *task) logDelivery(done, what string, err error) {
	if err != nil {
		t.log(what + " failed: " + say(err))
		return
	}
	t.log(done)
}

func (s *continueStep) run(t *task) error {
	next := maps.Clone(s.Program)
	if orElse(s.Carry, true) {
		next["log"] = t.lab.log
	}
	return workflow.NewContinueAsNewError(t.ctx, next)
}

func (s *patchStep) run(t *task) error {
	if workflow.Patched(t.ctx, s.ID) {
		return t.steps(s.Then)
	}
	return t.steps(s.Else)
}

func (s *failStep) run(*task) error {
	return temporal.NewApplicationErrorWithOptions(s.Message, s.Type, temporal.ApplicationErrorOptions{NonRetryable: s.NonRetryable})
}

func (s *returnStep) run(*task) error { return &stop{s.Value} }

func (s *sideEffectStep) run(t *task) error {
	when := ""
	made := workflow.SideEffect(t.ctx, func(ctx workflow.Context) any {
		if workflow.IsReplaying(ctx) {
			when = " again"
		}
		switch {
		case s.Bytes != nil:
			return strings.Repeat("x", *s.Bytes)
		case s.Value == nil:
			return "Go"
		default:
			return s.Value
		}
	})
	t.log("side" + when + "=" + dump(made))
	return nil
}

func (s *memoStep) run(t *task) error { return workflow.UpsertMemo(t.ctx, s.Memo) }

func (*handlersStep) run(t *task) error {
	return workflow.Await(t.ctx, func() bool { return workflow.AllHandlersFinished(t.ctx) })
}

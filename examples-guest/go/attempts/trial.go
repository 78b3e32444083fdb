package main

import (
	"errors"
	"time"

	"longhaul/temporal"
	"longhaul/workflow"
)

// plan is what a Trial does.
type plan struct {
	// Activity is the activity's type.
	Activity string `json:"activity"`
	// Argument is its argument.
	Argument string `json:"argument"`
	// Cancellation is `try`, which is the default, `wait` or `abandon`.
	Cancellation string `json:"cancellation"`
	// HeartbeatMS is the limit between two heartbeats, in milliseconds.
	HeartbeatMS int64 `json:"heartbeat_ms"`
	// Attempts of the activity; 0: without end.
	Attempts int32 `json:"attempts"`
	// Linger: wait for the signal `finish` at the end.
	Linger bool `json:"linger"`
}

type trial struct {
	plan      plan
	cancel    workflow.CancelFunc
	cancelled bool
	outcome   *string
	finished  bool
}

func newTrial(ctx workflow.Context, plan plan) (*trial, error) {
	t := &trial{plan: plan}
	workflow.HandleSignal(ctx, "cancel", func(workflow.Context, workflow.None) {
		t.cancelled = true
		if t.cancel != nil {
			t.cancel()
		}
	})
	workflow.HandleSignal(ctx, "finish", func(workflow.Context, workflow.None) { t.finished = true })
	workflow.HandleQuery(ctx, "outcome", func() (*string, error) { return t.outcome, nil })
	return t, nil
}

func (t *trial) Run(ctx workflow.Context) (string, error) {
	ctx, t.cancel = workflow.WithCancel(ctx)
	if t.cancelled {
		t.cancel()
	}
	cancellation := workflow.ActivityTryCancel
	switch t.plan.Cancellation {
	case "wait":
		cancellation = workflow.ActivityWaitCancellationCompleted
	case "abandon":
		cancellation = workflow.ActivityAbandon
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: forever,
		CancellationType:    cancellation,
		HeartbeatTimeout:    time.Duration(t.plan.HeartbeatMS) * time.Millisecond,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: t.plan.Attempts},
	})
	told, err := workflow.ExecuteActivity[string](ctx, t.plan.Activity, t.plan.Argument).Get(ctx)
	if err != nil {
		told = inWords(err)
	}
	t.outcome = &told
	if t.plan.Linger {
		ctx, _ := workflow.NewDisconnectedContext(ctx)
		if err := workflow.Await(ctx, func() bool { return t.finished }); err != nil {
			return "", err
		}
	}
	return told, nil
}

// inWords is how the activity ended.
func inWords(err error) string {
	var cancelled *temporal.CanceledError
	var timeout *temporal.TimeoutError
	var failed *temporal.ApplicationError
	switch {
	case errors.As(err, &cancelled):
		if details, err := temporal.Detail[string](cancelled.Details(), 0); err == nil {
			return "cancelled with " + details
		}
		return "cancelled with nothing"
	case errors.As(err, &timeout):
		return "timed out: " + timeout.TimeoutType().String()
	case errors.As(err, &failed):
		return "failed: " + failed.Message()
	}
	return "failed: " + err.Error()
}

func registerTrial() {
	workflow.RegisterWithInitOptions(workflow.RegisterOptions{Name: "Trial", Description: "Runs one activity and returns how it ended, in words."}, newTrial, workflow.Run)
}

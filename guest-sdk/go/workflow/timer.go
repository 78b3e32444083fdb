package workflow

import (
	"time"

	"longhaul/internal/executor"
	"longhaul/internal/failure"
	"longhaul/internal/wit/definition"
	"longhaul/internal/wit/types"
	"longhaul/temporal"
)

// Now is the workflow's time: when the current workflow task started. It does not move during a task, but for the results of local
// activities. time.Now tells the same.
func Now(ctx Context) time.Time {
	run := ctx.state().run
	if run.describing {
		return time.Unix(0, 0).UTC()
	}
	return moment(run.runtime.Host.Now())
}

func moment(nanos types.Timestamp) time.Time { return time.Unix(0, int64(nanos)).UTC() }

// TimerOptions are the options of NewTimerWithOptions.
type TimerOptions struct {
	// Summary is one line for tools to show.
	Summary string
}

// NewTimer starts a durable timer. It ends with a *temporal.CanceledError if the context is cancelled first. To wait for no time is
// no timer.
func NewTimer(ctx Context, d time.Duration) Future[None] {
	return NewTimerWithOptions(ctx, d, TimerOptions{})
}

// NewTimerWithOptions starts a durable timer, with options.
func NewTimerWithOptions(ctx Context, d time.Duration, options TimerOptions) Future[None] {
	c := ctx.state()
	if d <= 0 {
		return known(c, None{}, nil)
	}
	return startTimer(c, d, options.Summary)
}

func startTimer(c *contextState, d time.Duration, summary string) *operationFuture[None] {
	r := c.run.runtime
	operation := r.Prepare(executor.Timer, true, c.token)
	operation.Span = d
	r.Host.StartTimer(operation.Seq, types.Duration(max(d, 0)), text(summary))
	r.Sent(operation)
	return &operationFuture[None]{runtime: r, operation: operation, read: fired}
}

func fired(outcome definition.Outcome) (None, error) {
	if _, fired := outcome.(definition.OutcomeCompleted); fired {
		return None{}, nil
	}
	return None{}, readFailure(outcome)
}

// Sleep waits. The error is a *temporal.CanceledError if the context is cancelled first.
func Sleep(ctx Context, d time.Duration) error {
	if d <= 0 {
		if ctx.Err() != nil {
			return temporal.FromFailure(types.Failure{failure.Cancelled("Timer cancelled")})
		}
		return nil
	}
	_, err := NewTimer(ctx, d).Get(ctx)
	return err
}

// text is a text that may be missing.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// span is a limit that may be missing.
func span(d time.Duration) *types.Duration {
	if d <= 0 {
		return nil
	}
	nanos := types.Duration(d)
	return &nanos
}

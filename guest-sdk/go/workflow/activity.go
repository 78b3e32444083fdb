package workflow

import (
	"time"

	"longhaul/converter"
	"longhaul/internal/executor"
	"longhaul/internal/failure"
	"longhaul/internal/wit/commands"
	"longhaul/internal/wit/definition"
	"longhaul/internal/wit/types"
	"longhaul/temporal"
)

// ActivityCancellationType is what the workflow sees when it cancels an activity.
type ActivityCancellationType uint8

const (
	// ActivityTryCancel asks the activity to stop, and goes on at once. It is the default.
	ActivityTryCancel ActivityCancellationType = iota
	// ActivityWaitCancellationCompleted asks the activity to stop, and waits until it has ended.
	ActivityWaitCancellationCompleted
	// ActivityAbandon does not ask, and goes on at once.
	ActivityAbandon
)

// ActivityOptions are the options of activities. One of the two close timeouts is required.
type ActivityOptions struct {
	// TaskQueue is where it runs. Default: the workflow's own queue.
	TaskQueue string
	// ScheduleToCloseTimeout is the limit over all attempts.
	ScheduleToCloseTimeout time.Duration
	// ScheduleToStartTimeout is the limit of the wait for a worker. Never retried.
	ScheduleToStartTimeout time.Duration
	// StartToCloseTimeout is the limit of one attempt.
	StartToCloseTimeout time.Duration
	// HeartbeatTimeout is the limit between two heartbeats.
	HeartbeatTimeout time.Duration
	// WaitForCancellation is ActivityWaitCancellationCompleted, where CancellationType is not set.
	WaitForCancellation bool
	// CancellationType is what the workflow sees when it cancels the activity.
	CancellationType ActivityCancellationType
	// ActivityID is the activity's id. Default: the operation's number.
	ActivityID string
	// RetryPolicy is how it is retried. Default: after 1 s, then twice as long each time, without end.
	RetryPolicy *temporal.RetryPolicy
	// Summary is one line for tools to show.
	Summary string
}

// LocalActivityOptions are the options of local activities.
type LocalActivityOptions struct {
	// ScheduleToCloseTimeout is the limit over all attempts. Default, where no other limit is given: 100 s.
	ScheduleToCloseTimeout time.Duration
	// ScheduleToStartTimeout is the limit of the wait before an attempt.
	ScheduleToStartTimeout time.Duration
	// StartToCloseTimeout is the limit of one attempt.
	StartToCloseTimeout time.Duration
	// RetryPolicy is how it is retried. Default: after 1 s, then twice as long each time, without end.
	RetryPolicy *temporal.RetryPolicy
	// LocalRetryThreshold: a wait between two attempts that is longer is a timer of the workflow. Default: the limit of the workflow
	// task.
	LocalRetryThreshold time.Duration
	// CancellationType is what the workflow sees when it cancels the activity.
	CancellationType ActivityCancellationType
	// ActivityID is the activity's id. Default: the operation's number.
	ActivityID string
	// Summary is one line for tools to show.
	Summary string
}

// copied is a policy that nobody else changes.
func copied(policy *temporal.RetryPolicy) *temporal.RetryPolicy {
	if policy == nil {
		return nil
	}
	own := *policy
	return &own
}

// activityOptions are options, and what they are to the host: made once, not for each activity.
type activityOptions struct {
	ActivityOptions
	wire commands.ActivityOptions
}

func (o ActivityOptions) kept() *activityOptions {
	o.RetryPolicy = copied(o.RetryPolicy)
	cancellation := commands.ActivityCancellationType(o.CancellationType)
	if o.WaitForCancellation && o.CancellationType == ActivityTryCancel {
		cancellation = commands.ActivityCancellationTypeWaitCancellationCompleted
	}
	return &activityOptions{ActivityOptions: o, wire: commands.ActivityOptions{
		ActivityID:       text(o.ActivityID),
		TaskQueue:        text(o.TaskQueue),
		ScheduleToClose:  span(o.ScheduleToCloseTimeout),
		ScheduleToStart:  span(o.ScheduleToStartTimeout),
		StartToClose:     span(o.StartToCloseTimeout),
		Heartbeat:        span(o.HeartbeatTimeout),
		RetryPolicy:      o.RetryPolicy.Wire(),
		CancellationType: cancellation,
		Summary:          text(o.Summary),
	}}
}

// WithActivityOptions is the same context with options for the activities that are started with it. They replace those of the context,
// but for its task queue, which stays where none is given.
func WithActivityOptions(ctx Context, options ActivityOptions) Context {
	if outer := ctx.state().activity; outer != nil && options.TaskQueue == "" {
		options.TaskQueue = outer.TaskQueue
	}
	return ctx.state().with(func(c *contextState) { c.activity = options.kept() })
}

// WithLocalActivityOptions is the same context with options for the local activities that are started with it.
func WithLocalActivityOptions(ctx Context, options LocalActivityOptions) Context {
	options.RetryPolicy = copied(options.RetryPolicy)
	return ctx.state().with(func(c *contextState) { c.local = &options })
}

// GetActivityOptions are the options that activities of this context get.
func GetActivityOptions(ctx Context) ActivityOptions {
	if options := ctx.state().activity; options != nil {
		return options.ActivityOptions
	}
	return ActivityOptions{}
}

// GetLocalActivityOptions are the options that local activities of this context get.
func GetLocalActivityOptions(ctx Context) LocalActivityOptions {
	if options := ctx.state().local; options != nil {
		return *options
	}
	return LocalActivityOptions{}
}

// ExecuteActivity runs an activity; each argument is a payload of its own. The future's error is an *temporal.ActivityError, or a
// *temporal.CanceledError if it was cancelled.
func ExecuteActivity[R any](ctx Context, activityType string, args ...any) Future[R] {
	c := ctx.state()
	r := c.run.runtime
	r.MustWrite("workflow.ExecuteActivity")
	input, err := converter.ToPayloads(args...)
	if err != nil {
		var none R
		return known(c, none, error(&conversionError{err}))
	}
	return &operationFuture[R]{runtime: r, operation: c.scheduleActivity(activityType, input), read: activityResult[R]}
}

func (c *contextState) scheduleActivity(activityType string, input types.Payloads) *executor.Operation {
	r := c.run.runtime
	var wire commands.ActivityOptions
	if c.activity != nil {
		wire = c.activity.wire
	}
	wire.ActivityType, wire.Input = activityType, input
	operation := r.Prepare(executor.Activity, executor.ActivityEndsAtOnce(wire.CancellationType), c.token)
	operation.Name = activityType
	r.Host.ScheduleActivity(operation.Seq, wire)
	r.Sent(operation)
	return operation
}

func activityResult[R any](outcome definition.Outcome) (R, error) {
	if completed, ok := outcome.(definition.OutcomeCompleted); ok {
		return read[R](completed.Value)
	}
	var none R
	if err := readFailure(outcome); err != nil {
		return none, err
	}
	panic("longhaul: the host resolved an activity with an outcome that activities do not have")
}

// ExecuteLocalActivity runs an activity inside the workflow task. A long wait between two attempts is a timer of the workflow.
func ExecuteLocalActivity[R any](ctx Context, activityType string, args ...any) Future[R] {
	c := ctx.state()
	c.run.runtime.MustWrite("workflow.ExecuteLocalActivity")
	input, err := converter.ToPayloads(args...)
	if err != nil {
		var none R
		return known(c, none, error(&conversionError{err}))
	}
	options := GetLocalActivityOptions(ctx)
	if options.ScheduleToCloseTimeout <= 0 && options.StartToCloseTimeout <= 0 {
		// As in Temporal's SDK.
		options.ScheduleToCloseTimeout = 100 * time.Second
	}
	if options.RetryPolicy == nil {
		options.RetryPolicy = &temporal.RetryPolicy{}
	}
	f := &localActivity[R]{context: c, command: commands.LocalActivityOptions{
		ActivityType:        activityType,
		ActivityID:          text(options.ActivityID),
		Input:               input,
		ScheduleToClose:     span(options.ScheduleToCloseTimeout),
		ScheduleToStart:     span(options.ScheduleToStartTimeout),
		StartToClose:        span(options.StartToCloseTimeout),
		RetryPolicy:         options.RetryPolicy.Wire(),
		CancellationType:    commands.ActivityCancellationType(options.CancellationType),
		LocalRetryThreshold: span(options.LocalRetryThreshold),
		Attempt:             1,
		Summary:             text(options.Summary),
	}}
	f.schedule()
	return f
}

// localActivity is an attempt, or the timer between two.
type localActivity[R any] struct {
	context *contextState
	command commands.LocalActivityOptions
	attempt *executor.Operation
	// The wait before the next attempt; nil: there is none.
	timer *operationFuture[None]
	known bool
	value R
	err   error
}

func (f *localActivity[R]) schedule() {
	r := f.context.run.runtime
	atOnce := executor.ActivityEndsAtOnce(f.command.CancellationType)
	f.attempt = r.Start(executor.LocalActivity, atOnce, f.context.token, func(o *executor.Operation) {
		r.Host.ScheduleLocalActivity(o.Seq, f.command)
	})
	// So that the attempts go on also if nobody waits.
	f.attempt.Then = f.step
	f.timer = nil
}

// step begins what follows an attempt that is to be repeated: the wait, and then the next attempt. Whoever waits for the activity does
// it in its turn; if nobody does, it is done when no task is ready any more.
func (f *localActivity[R]) step() {
	if f.timer == nil {
		outcome, _ := f.attempt.Ended()
		backoff, ok := outcome.(definition.OutcomeBackoff)
		if !ok {
			return
		}
		f.command.Attempt = backoff.Value.Attempt
		f.command.OriginalScheduleTime = &backoff.Value.OriginalScheduleTime
		f.timer = startTimer(f.context, time.Duration(min(backoff.Value.Delay, types.Duration(1<<63-1))), "")
		f.timer.operation.Then = f.step
	}
	if outcome, _ := f.timer.operation.Ended(); isCompleted(outcome) {
		f.schedule()
	}
}

func isCompleted(outcome definition.Outcome) bool {
	_, ok := outcome.(definition.OutcomeCompleted)
	return ok
}

func (f *localActivity[R]) poll() bool {
	if f.known {
		return true
	}
	if f.timer != nil {
		if outcome, ended := f.timer.operation.Ended(); ended && !isCompleted(outcome) {
			f.known, f.err = true, temporal.FromFailure(types.Failure{failure.Cancelled("Activity cancelled")})
		}
		return f.known
	}
	outcome, ended := f.attempt.Ended()
	if _, again := outcome.(definition.OutcomeBackoff); ended && !again {
		f.known = true
		f.value, f.err = activityResult[R](outcome)
	}
	return f.known
}

func (f *localActivity[R]) pending() (string, uint32, source) {
	if f.timer != nil {
		return f.timer.pending()
	}
	return "local activity " + f.command.ActivityType, f.attempt.Seq, f.attempt.AtEnd()
}

func (f *localActivity[R]) IsReady() bool { return f.poll() }

func (f *localActivity[R]) Get(Context) (R, error) {
	until(f.context.run.runtime, f)
	return f.value, f.err
}

package workflow

import (
	"time"

	"longhaul/temporal"
)

// withActivity is the same context with other options for activities.
func withActivity(ctx Context, change func(options *ActivityOptions)) Context {
	options := GetActivityOptions(ctx)
	change(&options)
	return ctx.state().with(func(c *contextState) { c.activity = options.kept() })
}

// WithTaskQueue is the same context with another task queue for activities.
func WithTaskQueue(ctx Context, name string) Context {
	return withActivity(ctx, func(o *ActivityOptions) { o.TaskQueue = name })
}

// WithScheduleToCloseTimeout is the same context with another limit over all attempts of an activity.
func WithScheduleToCloseTimeout(ctx Context, d time.Duration) Context {
	return withActivity(ctx, func(o *ActivityOptions) { o.ScheduleToCloseTimeout = d })
}

// WithScheduleToStartTimeout is the same context with another limit of the wait of an activity for a worker.
func WithScheduleToStartTimeout(ctx Context, d time.Duration) Context {
	return withActivity(ctx, func(o *ActivityOptions) { o.ScheduleToStartTimeout = d })
}

// WithStartToCloseTimeout is the same context with another limit of one attempt of an activity.
func WithStartToCloseTimeout(ctx Context, d time.Duration) Context {
	return withActivity(ctx, func(o *ActivityOptions) { o.StartToCloseTimeout = d })
}

// WithHeartbeatTimeout is the same context with another limit between two heartbeats of an activity.
func WithHeartbeatTimeout(ctx Context, d time.Duration) Context {
	return withActivity(ctx, func(o *ActivityOptions) { o.HeartbeatTimeout = d })
}

// WithWaitForCancellation is the same context, in which who cancels an activity waits for its end, or does not.
func WithWaitForCancellation(ctx Context, wait bool) Context {
	return withActivity(ctx, func(o *ActivityOptions) {
		o.WaitForCancellation = wait
		if !wait && o.CancellationType == ActivityWaitCancellationCompleted {
			o.CancellationType = ActivityTryCancel
		}
	})
}

// WithRetryPolicy is the same context with another policy by which activities are retried.
func WithRetryPolicy(ctx Context, policy temporal.RetryPolicy) Context {
	return withActivity(ctx, func(o *ActivityOptions) { o.RetryPolicy = &policy })
}

// withChild is the same context with other options for children.
func withChild(ctx Context, change func(options *ChildWorkflowOptions)) Context {
	options := GetChildWorkflowOptions(ctx)
	change(&options)
	return ctx.state().with(func(c *contextState) { c.child = &options })
}

// WithWorkflowTaskQueue is the same context with another task queue for children.
func WithWorkflowTaskQueue(ctx Context, name string) Context {
	return withChild(ctx, func(o *ChildWorkflowOptions) { o.TaskQueue = name })
}

// WithWorkflowID is the same context with a workflow id for the child that is started with it.
func WithWorkflowID(ctx Context, workflowID string) Context {
	return withChild(ctx, func(o *ChildWorkflowOptions) { o.WorkflowID = workflowID })
}

// WithWorkflowRunTimeout is the same context with another limit of one run of a child.
func WithWorkflowRunTimeout(ctx Context, d time.Duration) Context {
	return withChild(ctx, func(o *ChildWorkflowOptions) { o.WorkflowRunTimeout = d })
}

// WithWorkflowTaskTimeout is the same context with another limit of one workflow task of a child.
func WithWorkflowTaskTimeout(ctx Context, d time.Duration) Context {
	return withChild(ctx, func(o *ChildWorkflowOptions) { o.WorkflowTaskTimeout = d })
}

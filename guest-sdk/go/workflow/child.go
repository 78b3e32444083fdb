package workflow

import (
	"time"

	"longhaul/converter"
	"longhaul/internal/executor"
	"longhaul/internal/wit/commands"
	"longhaul/internal/wit/definition"
	"longhaul/temporal"
)

// ParentClosePolicy is what becomes of a child when its parent closes.
type ParentClosePolicy uint8

const (
	// ParentClosePolicyTerminate: the child is terminated. It is the default.
	ParentClosePolicyTerminate ParentClosePolicy = iota
	// ParentClosePolicyAbandon: the child goes on.
	ParentClosePolicyAbandon
	// ParentClosePolicyRequestCancel: the child's cancellation is requested.
	ParentClosePolicyRequestCancel
)

// WorkflowIDReusePolicy is whether a workflow id may be used again once its execution has closed.
type WorkflowIDReusePolicy uint8

const (
	// WorkflowIDReusePolicyAllowDuplicate: it may. It is the default.
	WorkflowIDReusePolicyAllowDuplicate WorkflowIDReusePolicy = iota
	// WorkflowIDReusePolicyAllowDuplicateFailedOnly: only if the last execution did not complete.
	WorkflowIDReusePolicyAllowDuplicateFailedOnly
	// WorkflowIDReusePolicyRejectDuplicate: it may not.
	WorkflowIDReusePolicyRejectDuplicate
)

// ChildWorkflowCancellationType is what the parent sees when it cancels a child.
type ChildWorkflowCancellationType uint8

const (
	// ChildWorkflowWaitCancellationCompleted asks, and waits until the child has closed. It is the default.
	ChildWorkflowWaitCancellationCompleted ChildWorkflowCancellationType = iota
	// ChildWorkflowTryCancel asks, and goes on at once.
	ChildWorkflowTryCancel
	// ChildWorkflowWaitCancellationRequested asks, and waits until the child has got the request.
	ChildWorkflowWaitCancellationRequested
	// ChildWorkflowAbandon does not ask, and goes on at once.
	ChildWorkflowAbandon
)

func (t ChildWorkflowCancellationType) wire() commands.ChildCancellationType {
	switch t {
	case ChildWorkflowTryCancel:
		return commands.ChildCancellationTypeTryCancel
	case ChildWorkflowWaitCancellationRequested:
		return commands.ChildCancellationTypeWaitCancellationRequested
	case ChildWorkflowAbandon:
		return commands.ChildCancellationTypeAbandon
	default:
		return commands.ChildCancellationTypeWaitCancellationCompleted
	}
}

// ChildWorkflowOptions are the options of child workflows.
type ChildWorkflowOptions struct {
	// WorkflowID is the child's id. Default: a random UUID that is the same in every replay.
	WorkflowID string
	// TaskQueue is where it runs. Default: the parent's own queue.
	TaskQueue string
	// WorkflowExecutionTimeout is the limit of the whole chain of runs.
	WorkflowExecutionTimeout time.Duration
	// WorkflowRunTimeout is the limit of one run.
	WorkflowRunTimeout time.Duration
	// WorkflowTaskTimeout is the limit of one workflow task.
	WorkflowTaskTimeout time.Duration
	// CancellationType is what the parent sees when it cancels the child.
	CancellationType ChildWorkflowCancellationType
	// WorkflowIDReusePolicy is whether the id may be used again once its execution has closed.
	WorkflowIDReusePolicy WorkflowIDReusePolicy
	// RetryPolicy is how it is retried. Default: not at all.
	RetryPolicy *temporal.RetryPolicy
	// CronSchedule is when it runs again and again.
	CronSchedule string
	// Memo are values that tools show beside the child.
	Memo map[string]any
	// TypedSearchAttributes are values by which the child is found.
	TypedSearchAttributes temporal.SearchAttributes
	// ParentClosePolicy is what becomes of the child when its parent closes.
	ParentClosePolicy ParentClosePolicy
	// StaticSummary is one line for tools to show.
	StaticSummary string
}

// WithChildOptions is the same context with options for the children that are started with it. They replace those of the context, but
// for its task queue, which stays where none is given.
func WithChildOptions(ctx Context, options ChildWorkflowOptions) Context {
	if outer := ctx.state().child; outer != nil && options.TaskQueue == "" {
		options.TaskQueue = outer.TaskQueue
	}
	return ctx.state().with(func(c *contextState) { c.child = &options })
}

// GetChildWorkflowOptions are the options that children of this context get.
func GetChildWorkflowOptions(ctx Context) ChildWorkflowOptions {
	if options := ctx.state().child; options != nil {
		return *options
	}
	return ChildWorkflowOptions{}
}

// ChildWorkflowFuture is a child workflow: Get waits for its result.
type ChildWorkflowFuture[R any] interface {
	Future[R]
	// GetChildWorkflowExecution is known when the child has started, or could not be.
	GetChildWorkflowExecution() Future[Execution]
	// SignalChildWorkflow sends the child a signal, once it has started. The future is known when it was delivered, or could not be.
	SignalChildWorkflow(ctx Context, name string, args ...any) Future[None]
}

// ExecuteChildWorkflow starts a child workflow; each argument is a payload of its own. The error of its result is a
// *temporal.ChildWorkflowExecutionError, that of its start a *temporal.ChildWorkflowExecutionAlreadyStartedError.
func ExecuteChildWorkflow[R any](ctx Context, workflowType string, args ...any) ChildWorkflowFuture[R] {
	c := ctx.state()
	r := c.run.runtime
	r.MustWrite("workflow.ExecuteChildWorkflow")
	options := GetChildWorkflowOptions(ctx)
	input, err := converter.ToPayloads(args...)
	memo, memoErr := memoFields(options.Memo)
	if err == nil {
		err = memoErr
	}
	if err != nil {
		err = &conversionError{err}
		var none R
		return &unsentChild[R]{known(c, none, err), known(c, Execution{}, err)}
	}
	id := options.WorkflowID
	if id == "" {
		id = uuid(r, "")
	}
	cancellation := options.CancellationType.wire()
	operation := r.Start(executor.Child, executor.ChildEndsAtOnce(cancellation), c.token, func(o *executor.Operation) {
		o.WorkflowID, o.WorkflowType = id, workflowType
		r.Host.StartChild(o.Seq, commands.ChildOptions{
			WorkflowType:      workflowType,
			WorkflowID:        id,
			TaskQueue:         text(options.TaskQueue),
			Input:             input,
			Memo:              memo,
			SearchAttributes:  options.TypedSearchAttributes.Wire(),
			ExecutionTimeout:  span(options.WorkflowExecutionTimeout),
			RunTimeout:        span(options.WorkflowRunTimeout),
			TaskTimeout:       span(options.WorkflowTaskTimeout),
			IDReusePolicy:     commands.IDReusePolicy(options.WorkflowIDReusePolicy),
			RetryPolicy:       options.RetryPolicy.Wire(),
			CronSchedule:      text(options.CronSchedule),
			ParentClosePolicy: commands.ParentClosePolicy(options.ParentClosePolicy),
			CancellationType:  cancellation,
			Summary:           text(options.StaticSummary),
		})
	})
	return &child[R]{context: c, operation: operation}
}

type child[R any] struct {
	context   *contextState
	operation *executor.Operation
}

func (f *child[R]) start() *childStart { return &childStart{f.context, f.operation} }

// poll: there is something to take when the child has ended, or could not be started.
func (f *child[R]) poll() bool {
	_, ended := f.operation.Ended()
	return ended || f.start().failed() != nil
}

func (f *child[R]) pending() (string, uint32, source) {
	if !f.start().poll() {
		return f.start().pending()
	}
	return "child " + f.operation.WorkflowType, f.operation.Seq, f.operation.AtEnd()
}

func (f *child[R]) IsReady() bool { return f.poll() }

func (f *child[R]) Get(Context) (R, error) {
	until(f.context.run.runtime, f)
	var none R
	if err := f.start().failed(); err != nil {
		return none, err
	}
	outcome, _ := f.operation.Ended()
	switch outcome := outcome.(type) {
	case definition.OutcomeCompleted:
		return read[R](outcome.Value)
	case definition.OutcomeCancelled:
		// Not the cancellation alone: the error says which child it was.
		return none, temporal.FromFailure(outcome.Value)
	}
	return none, readFailure(outcome)
}

func (f *child[R]) GetChildWorkflowExecution() Future[Execution] { return f.start() }

func (f *child[R]) SignalChildWorkflow(ctx Context, name string, args ...any) Future[None] {
	if f.start().poll() {
		if err := f.start().failed(); err != nil {
			return known(ctx.state(), None{}, err)
		}
		return sendSignal(ctx.state(), target{child: f.operation.Seq}, name, args)
	}
	future, settable := NewFuture[None](ctx)
	Go(ctx, func(ctx Context) {
		if _, err := f.start().Get(ctx); err != nil {
			settable.SetError(err)
			return
		}
		settable.Set(sendSignal(ctx.state(), target{child: f.operation.Seq}, name, args).Get(ctx))
	})
	return future
}

// childStart is the start of a child.
type childStart struct {
	context   *contextState
	operation *executor.Operation
}

func (f *childStart) poll() bool {
	_, known := f.operation.Started()
	return known
}

func (f *childStart) pending() (string, uint32, source) {
	return "start of child " + f.operation.WorkflowType, f.operation.Seq, f.operation.AtStart()
}

func (f *childStart) IsReady() bool { return f.poll() }

// failed is why the child could not be started; nil if it is not known yet, or if it could.
func (f *childStart) failed() error {
	outcome, known := f.operation.Started()
	if !known {
		return nil
	}
	if failed, ok := outcome.(definition.OutcomeChildStartFailed); ok {
		cause := "WorkflowAlreadyExists"
		if failed.Value.Cause == definition.ChildStartFailedCauseNamespaceNotFound {
			cause = "NamespaceNotFound"
		}
		return &temporal.ChildWorkflowExecutionAlreadyStartedError{
			WorkflowID:   failed.Value.WorkflowID,
			WorkflowType: failed.Value.WorkflowType,
			Cause:        cause,
		}
	}
	return readFailure(outcome)
}

func (f *childStart) Get(Context) (Execution, error) {
	until(f.context.run.runtime, f)
	if err := f.failed(); err != nil {
		return Execution{}, err
	}
	outcome, _ := f.operation.Started()
	started, _ := outcome.(definition.OutcomeChildStarted)
	return Execution{ID: f.operation.WorkflowID, RunID: started.Value}, nil
}

// unsentChild is a child whose input could not be written.
type unsentChild[R any] struct {
	*settableFuture[R]
	execution *settableFuture[Execution]
}

func (f *unsentChild[R]) GetChildWorkflowExecution() Future[Execution] { return f.execution }

func (f *unsentChild[R]) SignalChildWorkflow(ctx Context, _ string, _ ...any) Future[None] {
	return known(ctx.state(), None{}, f.execution.err)
}

package workflow

import (
	"time"

	"longhaul/converter"
	"longhaul/internal/wit/context"
	"longhaul/temporal"
)

// Type is a workflow type.
type Type struct {
	// Name is its name.
	Name string
}

// Info is facts about the execution.
type Info struct {
	// WorkflowExecution is this run.
	WorkflowExecution Execution
	// FirstRunID is the first run of the chain that continue-as-new, retry and cron make.
	FirstRunID string
	// ContinuedExecutionRunID is the run that continued as this one.
	ContinuedExecutionRunID string
	// WorkflowType is its type.
	WorkflowType Type
	// TaskQueueName is its task queue.
	TaskQueueName string
	// Namespace is where it runs.
	Namespace string
	// Attempt is from 1; above 1 if the workflow's retry policy has started this run.
	Attempt int32
	// WorkflowStartTime is when this run started.
	WorkflowStartTime time.Time
	// WorkflowExecutionTimeout is the limit of the whole chain; 0 if there is none.
	WorkflowExecutionTimeout time.Duration
	// WorkflowRunTimeout is the limit of this run; 0 if there is none.
	WorkflowRunTimeout time.Duration
	// WorkflowTaskTimeout is the limit of one workflow task.
	WorkflowTaskTimeout time.Duration
	// CronSchedule is when the workflow runs again and again.
	CronSchedule string
	// RetryPolicy is how the workflow is retried; nil if it is not.
	RetryPolicy *temporal.RetryPolicy
	// ParentWorkflowNamespace is where the parent runs.
	ParentWorkflowNamespace string
	// ParentWorkflowExecution is the parent; nil if there is none.
	ParentWorkflowExecution *Execution
	// RootWorkflowExecution is the topmost ancestor; nil if that is this execution.
	RootWorkflowExecution *Execution

	run *run
}

// GetInfo are facts about the execution.
func GetInfo(ctx Context) *Info {
	run := ctx.state().run
	info := &run.runtime.Info
	facts := &Info{
		WorkflowExecution:        Execution{info.WorkflowID, info.RunID},
		FirstRunID:               info.FirstRunID,
		ContinuedExecutionRunID:  or(info.ContinuedFromRunID),
		WorkflowType:             Type{info.WorkflowType},
		TaskQueueName:            info.TaskQueue,
		Namespace:                info.Namespace,
		Attempt:                  int32(info.Attempt),
		WorkflowStartTime:        moment(info.StartTime),
		WorkflowExecutionTimeout: time.Duration(or(info.ExecutionTimeout)),
		WorkflowRunTimeout:       time.Duration(or(info.RunTimeout)),
		WorkflowTaskTimeout:      time.Duration(info.TaskTimeout),
		CronSchedule:             or(info.CronSchedule),
		RetryPolicy:              temporal.RetryPolicyOf(info.RetryPolicy),
		run:                      run,
	}
	if parent := info.Parent; parent != nil {
		facts.ParentWorkflowNamespace = parent.Namespace
		facts.ParentWorkflowExecution = &Execution{parent.WorkflowID, parent.RunID}
	}
	if root := info.Root; root != nil {
		facts.RootWorkflowExecution = &Execution{root.WorkflowID, root.RunID}
	}
	return facts
}

// or is a value that may be missing, or the zero value.
func or[T any](value *T) T {
	if value == nil {
		var none T
		return none
	}
	return *value
}

// GetCurrentHistoryLength is how many events there are in history up to the current workflow task.
func (i *Info) GetCurrentHistoryLength() int { return int(i.run.runtime.Host.TaskInfo().HistoryLength) }

// GetCurrentHistorySize is the size of these events in bytes.
func (i *Info) GetCurrentHistorySize() int {
	return int(i.run.runtime.Host.TaskInfo().HistorySizeBytes)
}

// GetContinueAsNewSuggested tells whether the workflow should go on as a new run soon.
func (i *Info) GetContinueAsNewSuggested() bool {
	return i.run.runtime.Host.TaskInfo().ContinueAsNewSuggested
}

// ContinueAsNewSuggestedReason is why a workflow should go on as a new run.
type ContinueAsNewSuggestedReason uint8

const (
	// ContinueAsNewSuggestedReasonUnspecified: not told.
	ContinueAsNewSuggestedReasonUnspecified ContinueAsNewSuggestedReason = iota
	// ContinueAsNewSuggestedReasonHistorySizeTooLarge: history has too many bytes.
	ContinueAsNewSuggestedReasonHistorySizeTooLarge
	// ContinueAsNewSuggestedReasonTooManyHistoryEvents: history has too many events.
	ContinueAsNewSuggestedReasonTooManyHistoryEvents
	// ContinueAsNewSuggestedReasonTooManyUpdates: the run has had too many updates.
	ContinueAsNewSuggestedReasonTooManyUpdates
)

// GetContinueAsNewSuggestedReasons are why the workflow should go on as a new run; none if it need not.
func (i *Info) GetContinueAsNewSuggestedReasons() []ContinueAsNewSuggestedReason {
	var reasons []ContinueAsNewSuggestedReason
	for _, reason := range i.run.runtime.Host.TaskInfo().ContinueAsNewReasons {
		switch reason {
		case context.ContinueAsNewReasonHistoryTooLarge:
			reasons = append(reasons, ContinueAsNewSuggestedReasonHistorySizeTooLarge)
		case context.ContinueAsNewReasonTooManyEvents:
			reasons = append(reasons, ContinueAsNewSuggestedReasonTooManyHistoryEvents)
		case context.ContinueAsNewReasonTooManyUpdates:
			reasons = append(reasons, ContinueAsNewSuggestedReasonTooManyUpdates)
		}
	}
	return reasons
}

// IsReadOnly tells whether nothing may be changed and nothing may wait: in queries, validators, conditions, init functions and the
// functions of side effects.
func IsReadOnly(ctx Context) bool { return ctx.state().run.runtime.IsReadOnly() }

// IsReplaying tells whether history is being replayed. For logs only: never decide anything by it.
func IsReplaying(ctx Context) bool { return ctx.state().run.runtime.Host.IsReplaying() }

// HasLastCompletionResult tells whether an earlier run of a cron or retry chain has completed.
func HasLastCompletionResult(ctx Context) bool {
	return len(ctx.state().run.runtime.Info.LastCompletionResult) > 0
}

// GetLastCompletionResult is the result of the last run that completed, in a cron or retry chain.
func GetLastCompletionResult[R any](ctx Context) (R, error) {
	return converter.FromPayloads[R](ctx.state().run.runtime.Info.LastCompletionResult)
}

// GetLastError is the failure of the last run that failed, in a cron or retry chain; nil if there is none.
func GetLastError(ctx Context) error {
	if last := ctx.state().run.runtime.Info.LastFailure; last != nil {
		return temporal.FromFailure(*last)
	}
	return nil
}

// FailTask fails the workflow task, not the workflow: it is tried again later. What the workflow does afterwards in this task is
// ignored.
func FailTask(ctx Context, err error) {
	r := ctx.state().run.runtime
	r.MustWrite("workflow.FailTask")
	r.Host.FailTask(temporal.Failure(err))
}

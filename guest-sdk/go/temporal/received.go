package temporal

import (
	"time"

	"longhaul/internal/wit/types"
)

// TimeoutType is which limit passed.
type TimeoutType uint8

const (
	// TimeoutTypeStartToClose is from the start of an attempt to its end.
	TimeoutTypeStartToClose TimeoutType = iota
	// TimeoutTypeScheduleToStart is from being scheduled to the start of an attempt.
	TimeoutTypeScheduleToStart
	// TimeoutTypeScheduleToClose is from being scheduled to the end of the last attempt.
	TimeoutTypeScheduleToClose
	// TimeoutTypeHeartbeat is between two heartbeats.
	TimeoutTypeHeartbeat
)

// String is the limit's name.
func (t TimeoutType) String() string {
	switch t {
	case TimeoutTypeStartToClose:
		return "StartToClose"
	case TimeoutTypeScheduleToStart:
		return "ScheduleToStart"
	case TimeoutTypeScheduleToClose:
		return "ScheduleToClose"
	default:
		return "Heartbeat"
	}
}

// RetryState is why there was no further attempt.
type RetryState uint8

const (
	// RetryStateUnspecified: not told.
	RetryStateUnspecified RetryState = iota
	// RetryStateInProgress: there will be one.
	RetryStateInProgress
	// RetryStateNonRetryableFailure: the failure said that it must not be retried.
	RetryStateNonRetryableFailure
	// RetryStateTimeout: no time was left for one.
	RetryStateTimeout
	// RetryStateMaximumAttemptsReached: there were as many as the policy allows.
	RetryStateMaximumAttemptsReached
	// RetryStateRetryPolicyNotSet: there is no policy.
	RetryStateRetryPolicyNotSet
	// RetryStateInternalServerError: the server failed.
	RetryStateInternalServerError
	// RetryStateCancelRequested: it was cancelled.
	RetryStateCancelRequested
)

// TimeoutError says that something did not end in time.
type TimeoutError struct {
	received
	timeoutType TimeoutType
	details     Values
}

// Error says what did not end in time.
func (e *TimeoutError) Error() string { return e.text() }

// TimeoutType is which limit passed.
func (e *TimeoutError) TimeoutType() TimeoutType { return e.timeoutType }

// HasLastHeartbeatDetails tells whether the last heartbeat of the attempt said anything.
func (e *TimeoutError) HasLastHeartbeatDetails() bool { return e.details.HasValues() }

// LastHeartbeatDetails are what the last heartbeat of the attempt said.
func (e *TimeoutError) LastHeartbeatDetails() Values { return e.details }

// TerminatedError says that an execution was terminated.
type TerminatedError struct{ received }

// Error says what was terminated.
func (e *TerminatedError) Error() string { return e.text() }

// ServerError says that the server failed.
type ServerError struct {
	received
	nonRetryable bool
}

// Error says how the server failed.
func (e *ServerError) Error() string { return e.text() }

// NonRetryable tells whether a retry makes no sense.
func (e *ServerError) NonRetryable() bool { return e.nonRetryable }

// ResetWorkflowError says that an execution was reset.
type ResetWorkflowError struct {
	received
	details Values
}

// Error says what was reset.
func (e *ResetWorkflowError) Error() string { return e.text() }

// ActivityError says that an activity failed; what it wraps tells why.
type ActivityError struct {
	received
	info types.ActivityFailure
}

// Error says that an activity failed, and why.
func (e *ActivityError) Error() string { return e.text() }

// ScheduledEventID is the event that scheduled it.
func (e *ActivityError) ScheduledEventID() int64 { return e.info.ScheduledEventID }

// StartedEventID is the event that started it.
func (e *ActivityError) StartedEventID() int64 { return e.info.StartedEventID }

// Identity is who ran the attempt.
func (e *ActivityError) Identity() string { return e.info.Identity }

// ActivityType is the activity's type.
func (e *ActivityError) ActivityType() string { return e.info.ActivityType }

// ActivityID is the activity's id.
func (e *ActivityError) ActivityID() string { return e.info.ActivityID }

// RetryState is why there was no further attempt.
func (e *ActivityError) RetryState() RetryState { return RetryState(e.info.RetryState) }

// ChildWorkflowExecutionError says that a child workflow failed; what it wraps tells why.
type ChildWorkflowExecutionError struct {
	received
	info types.ChildWorkflowFailure
}

// Error says that a child failed, and why.
func (e *ChildWorkflowExecutionError) Error() string { return e.text() }

// Namespace is where the child ran.
func (e *ChildWorkflowExecutionError) Namespace() string { return e.info.Namespace }

// WorkflowID is the child's workflow id.
func (e *ChildWorkflowExecutionError) WorkflowID() string { return e.info.WorkflowID }

// RunID is the child's run id.
func (e *ChildWorkflowExecutionError) RunID() string { return e.info.RunID }

// InitiatedEventID is the event that started it.
func (e *ChildWorkflowExecutionError) InitiatedEventID() int64 { return e.info.InitiatedEventID }

// StartedEventID is the event that says that it has started.
func (e *ChildWorkflowExecutionError) StartedEventID() int64 { return e.info.StartedEventID }

// WorkflowType is the child's type.
func (e *ChildWorkflowExecutionError) WorkflowType() string { return e.info.WorkflowType }

// RetryState is why there was no further attempt.
func (e *ChildWorkflowExecutionError) RetryState() RetryState { return RetryState(e.info.RetryState) }

// ChildWorkflowExecutionAlreadyStartedError says that a child could not be started.
type ChildWorkflowExecutionAlreadyStartedError struct {
	// WorkflowID is the child's id.
	WorkflowID string
	// WorkflowType is the child's type.
	WorkflowType string
	// Cause is WorkflowAlreadyExists or NamespaceNotFound.
	Cause string
}

// Error says which child could not be started, and why.
func (e *ChildWorkflowExecutionAlreadyStartedError) Error() string {
	return "Child workflow start failed: workflow_id=" + e.WorkflowID + ", workflow_type=" + e.WorkflowType + ", cause=" + e.Cause
}

// RetryPolicy is when and how often something that failed is tried again.
type RetryPolicy struct {
	// InitialInterval is the wait before the second attempt. Default: 1 s.
	InitialInterval time.Duration
	// BackoffCoefficient: each further wait is the last one times this. Default: 2.
	BackoffCoefficient float64
	// MaximumInterval: no wait is longer. Default: 100 times the initial interval.
	MaximumInterval time.Duration
	// MaximumAttempts is how many there are in all. Default: no limit.
	MaximumAttempts int32
	// NonRetryableErrorTypes: application errors of these types end the attempts.
	NonRetryableErrorTypes []string
}

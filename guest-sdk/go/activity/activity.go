package activity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"longhaul/converter"
	"longhaul/internal/abi"
	wit "longhaul/internal/wit/activitycontext"
	"longhaul/internal/wit/types"
	"longhaul/temporal"
)

// None stands for no value: an argument that there is not, or the result of a function without one.
type None = converter.None

// RawValue is payloads that nobody has read yet: several arguments, or one value.
type RawValue = converter.RawValue

// ErrResultPending is what an activity returns that somebody else will complete, by its task token or its id.
var ErrResultPending = errors.New("not error: do not autocomplete, using Client.CompleteActivity() to complete")

// RegisterOptions are the options of an activity type.
type RegisterOptions struct {
	// Name is the activity type.
	Name string
	// Description is what tools show.
	Description string
}

type activityDefinition struct {
	name        string
	description string
	call        func(ctx context.Context, input types.Payloads) (any, error)
}

var definitions []activityDefinition

// Register defines an activity type. A is its argument: None if there is none, converter.Args2 and its like for several.
func Register[A, R any](name string, call func(ctx context.Context, arg A) (R, error)) {
	RegisterWithOptions(RegisterOptions{Name: name}, call)
}

// RegisterWithOptions defines an activity type, with options.
func RegisterWithOptions[A, R any](options RegisterOptions, call func(ctx context.Context, arg A) (R, error)) {
	for _, other := range definitions {
		if other.name == options.Name {
			panic("longhaul: the activity type " + options.Name + " is registered twice")
		}
	}
	definitions = append(definitions, activityDefinition{options.Name, options.Description, func(ctx context.Context, input types.Payloads) (any, error) {
		arg, err := converter.Arguments[A](input)
		if err != nil {
			return nil, err
		}
		return call(ctx, arg)
	}})
}

// host is what an attempt may ask of the host: in a component the imports of the contract, in tests a fake.
type host interface {
	Info() wit.ActivityInfo
	Heartbeat(details types.Payloads)
	Cancellation() *wit.CancellationReason
	// AwaitCancellation waits, in a goroutine, until there is a reason for the attempt to stop. False: the context has ended before.
	AwaitCancellation(ctx context.Context) bool
	Log(level types.LogLevel, message string, fields []abi.Pair[string, string])
}

// WorkflowExecution is the execution that an activity belongs to.
type WorkflowExecution struct {
	// ID is the workflow id.
	ID string
	// RunID is the run id.
	RunID string
}

// Type is an activity or workflow type.
type Type struct {
	// Name is its name.
	Name string
}

// Info is facts about an attempt.
type Info struct {
	// TaskToken names this attempt; whoever has it can complete the activity.
	TaskToken []byte
	// WorkflowType is the workflow's type.
	WorkflowType *Type
	// WorkflowNamespace is where the workflow runs.
	WorkflowNamespace string
	// WorkflowExecution is the workflow.
	WorkflowExecution WorkflowExecution
	// ActivityID is the activity's id.
	ActivityID string
	// ActivityType is the activity's type.
	ActivityType Type
	// TaskQueue is where it runs.
	TaskQueue string
	// HeartbeatTimeout is the limit between two heartbeats; 0 if there is none.
	HeartbeatTimeout time.Duration
	// ScheduleToCloseTimeout is the limit over all attempts; 0 if there is none.
	ScheduleToCloseTimeout time.Duration
	// StartToCloseTimeout is the limit of one attempt; 0 if there is none.
	StartToCloseTimeout time.Duration
	// ScheduledTime is when the activity was scheduled.
	ScheduledTime time.Time
	// CurrentAttemptScheduledTime is when this attempt was scheduled.
	CurrentAttemptScheduledTime time.Time
	// StartedTime is when this attempt started.
	StartedTime time.Time
	// Deadline is when the attempt times out; zero if it does not.
	Deadline time.Time
	// Attempt is from 1.
	Attempt int32
	// IsLocalActivity tells whether it runs inside a workflow task.
	IsLocalActivity bool
	// RetryPolicy is how it is retried; nil if that is not told.
	RetryPolicy *temporal.RetryPolicy
}

// GetInfo are facts about the attempt.
func GetInfo(ctx context.Context) Info {
	info := attemptOf(ctx).info
	facts := Info{
		TaskToken:                   info.TaskToken,
		WorkflowType:                &Type{info.WorkflowType},
		WorkflowNamespace:           info.Namespace,
		WorkflowExecution:           WorkflowExecution{info.WorkflowID, info.RunID},
		ActivityID:                  info.ActivityID,
		ActivityType:                Type{info.ActivityType},
		TaskQueue:                   info.TaskQueue,
		HeartbeatTimeout:            limit(info.Heartbeat),
		ScheduleToCloseTimeout:      limit(info.ScheduleToClose),
		StartToCloseTimeout:         limit(info.StartToClose),
		ScheduledTime:               time.Unix(0, int64(info.ScheduledTime)).UTC(),
		CurrentAttemptScheduledTime: time.Unix(0, int64(info.AttemptScheduledTime)).UTC(),
		StartedTime:                 time.Unix(0, int64(info.StartedTime)).UTC(),
		Attempt:                     int32(info.Attempt),
		IsLocalActivity:             info.IsLocal,
		RetryPolicy:                 temporal.RetryPolicyOf(info.RetryPolicy),
	}
	if facts.StartToCloseTimeout > 0 {
		facts.Deadline = facts.StartedTime.Add(facts.StartToCloseTimeout)
	}
	if facts.ScheduleToCloseTimeout > 0 {
		if over := facts.ScheduledTime.Add(facts.ScheduleToCloseTimeout); facts.Deadline.IsZero() || over.Before(facts.Deadline) {
			facts.Deadline = over
		}
	}
	return facts
}

// IsActivity tells whether a context is one of an activity.
func IsActivity(ctx context.Context) bool {
	_, ok := ctx.Value(attemptKey{}).(*attempt)
	return ok
}

// GetHeader reads a value that came with the activity beside its arguments. False if there is none of that name.
func GetHeader[T any](ctx context.Context, name string) (value T, ok bool, err error) {
	for _, entry := range attemptOf(ctx).info.Header {
		if entry.First == name {
			value, err = converter.FromPayload[T](entry.Second)
			return value, true, err
		}
	}
	return value, false, nil
}

func limit(d *types.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return time.Duration(*d)
}

// RecordHeartbeat tells that the attempt is alive and how far it has come. Details that have no JSON are an error of the activity's own,
// and end it. If the attempt should stop, the context is cancelled.
func RecordHeartbeat(ctx context.Context, details ...any) {
	a := attemptOf(ctx)
	payloads, err := converter.ToPayloads(details...)
	if err != nil {
		panic("longhaul: the details of a heartbeat: " + err.Error())
	}
	a.host.Heartbeat(payloads)
	IsCancelled(ctx)
}

// HasHeartbeatDetails tells whether an earlier attempt has left details.
func HasHeartbeatDetails(ctx context.Context) bool {
	return len(attemptOf(ctx).info.HeartbeatDetails) > 0
}

// GetHeartbeatDetails reads the details of the last heartbeat of an earlier attempt.
func GetHeartbeatDetails[T any](ctx context.Context) (T, error) {
	return converter.FromPayloads[T](attemptOf(ctx).info.HeartbeatDetails)
}

// Logger writes log lines of an attempt.
type Logger struct{ host host }

// GetLogger writes log lines of this attempt.
func GetLogger(ctx context.Context) *Logger { return &Logger{attemptOf(ctx).host} }

// Debug writes a line, with names and values.
func (l *Logger) Debug(message string, keyvals ...any) {
	l.write(types.LogLevelDebug, message, keyvals)
}

// Info writes a line, with names and values.
func (l *Logger) Info(message string, keyvals ...any) { l.write(types.LogLevelInfo, message, keyvals) }

// Warn writes a line, with names and values.
func (l *Logger) Warn(message string, keyvals ...any) { l.write(types.LogLevelWarn, message, keyvals) }

// Error writes a line, with names and values.
func (l *Logger) Error(message string, keyvals ...any) {
	l.write(types.LogLevelError, message, keyvals)
}

func (l *Logger) write(level types.LogLevel, message string, keyvals []any) {
	var fields []abi.Pair[string, string]
	for i := 0; i < len(keyvals); i += 2 {
		field := abi.Pair[string, string]{First: fmt.Sprint(keyvals[i])}
		if i+1 < len(keyvals) {
			field.Second = fmt.Sprint(keyvals[i+1])
		}
		fields = append(fields, field)
	}
	l.host.Log(level, message, fields)
}

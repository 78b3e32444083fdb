package workflow

import (
	"errors"
	"time"

	"longhaul/converter"
	"longhaul/internal/wit/commands"
	"longhaul/temporal"
)

// ContinueAsNewError ends this run and goes on as a new one with an empty history, when the main routine or a signal handler returns
// it.
type ContinueAsNewError struct{ options commands.ContinueAsNewOptions }

// Error says what it is.
func (*ContinueAsNewError) Error() string { return "continue as new" }

// IsContinueAsNewError tells whether an error is or wraps a ContinueAsNewError.
func IsContinueAsNewError(err error) bool {
	var next *ContinueAsNewError
	return errors.As(err, &next)
}

// ContinueAsNewErrorOptions are what the new run has of its own. What is not set is carried over.
type ContinueAsNewErrorOptions struct {
	// WorkflowType is the type of the new run.
	WorkflowType string
	// TaskQueue is where it runs.
	TaskQueue string
	// WorkflowRunTimeout is the limit of the new run.
	WorkflowRunTimeout time.Duration
	// WorkflowTaskTimeout is the limit of one workflow task.
	WorkflowTaskTimeout time.Duration
	// Memo is the memo of the new run.
	Memo map[string]any
	// TypedSearchAttributes are those of the new run; the zero value, which NewSearchAttributes does not make, carries them over.
	TypedSearchAttributes temporal.SearchAttributes
	// RetryPolicy is how the new run is retried.
	RetryPolicy *temporal.RetryPolicy
}

// NewContinueAsNewError makes the error by which a run goes on as a new one of the same type; each argument is a payload of its own.
func NewContinueAsNewError(ctx Context, args ...any) error {
	return NewContinueAsNewErrorWithOptions(ctx, ContinueAsNewErrorOptions{}, args...)
}

// NewContinueAsNewErrorWithOptions makes the error by which a run goes on as a new one, with options.
func NewContinueAsNewErrorWithOptions(ctx Context, options ContinueAsNewErrorOptions, args ...any) error {
	input, err := converter.ToPayloads(args...)
	if err != nil {
		return &conversionError{err}
	}
	wire := commands.ContinueAsNewOptions{
		WorkflowType: text(options.WorkflowType),
		TaskQueue:    text(options.TaskQueue),
		Input:        input,
		RunTimeout:   span(options.WorkflowRunTimeout),
		TaskTimeout:  span(options.WorkflowTaskTimeout),
		RetryPolicy:  options.RetryPolicy.Wire(),
	}
	if options.Memo != nil {
		memo, err := memoFields(options.Memo)
		if err != nil {
			return &conversionError{err}
		}
		wire.Memo = &memo
	}
	if !options.TypedSearchAttributes.IsZero() {
		attributes := options.TypedSearchAttributes.Wire()
		wire.SearchAttributes = &attributes
	}
	return &ContinueAsNewError{wire}
}

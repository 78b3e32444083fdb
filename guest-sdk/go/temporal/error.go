package temporal

import (
	"errors"
	"fmt"
	"time"

	"longhaul/converter"
	"longhaul/internal/failure"
	"longhaul/internal/wit/types"
)

// received is what was received as a failure: it is passed on as it was.
type received struct {
	failure types.Failure
	cause   error
}

// Unwrap is the cause.
func (r *received) Unwrap() error { return r.cause }

// text is the messages of the failure and its causes.
func (r *received) text() string {
	text := ""
	for i, link := range r.failure {
		if i > 0 {
			text += ": "
		}
		text += link.Message
	}
	return text
}

func (r *received) chain() types.Failure { return r.failure }

// Values are the details that an error carries.
type Values struct {
	payloads []converter.Payload
}

// HasValues tells whether there are any.
func (v Values) HasValues() bool { return len(v.payloads) > 0 }

// Payloads are the values as they came.
func (v Values) Payloads() []converter.Payload { return v.payloads }

// Detail reads one of an error's details, counted from 0.
func Detail[T any](v Values, index int) (T, error) {
	return converter.Argument[T](v.payloads, index)
}

// ErrorCategory says how much an application error matters.
type ErrorCategory uint8

const (
	// ApplicationErrorCategoryUnspecified is the default.
	ApplicationErrorCategoryUnspecified ErrorCategory = iota
	// ApplicationErrorCategoryBenign is for errors that are expected and should not alarm anyone.
	ApplicationErrorCategoryBenign
)

// ApplicationError is a failure that user code declares: the only error that fails a workflow by itself.
type ApplicationError struct {
	received
	message        string
	kind           string
	nonRetryable   bool
	nextRetryDelay time.Duration
	category       ErrorCategory
	details        Values
	unwritable     error
}

// ApplicationErrorOptions are the options of NewApplicationErrorWithOptions.
type ApplicationErrorOptions struct {
	// NonRetryable ends the attempts, whatever the retry policy says.
	NonRetryable bool
	// Cause is what led to the error.
	Cause error
	// Details are values for whoever handles the error.
	Details []any
	// NextRetryDelay overrides the retry policy's next interval.
	NextRetryDelay time.Duration
	// Category says how much the error matters.
	Category ErrorCategory
}

// NewApplicationError makes an error of a type, by which retry policies and callers tell errors apart.
func NewApplicationError(message, errType string, details ...any) error {
	return NewApplicationErrorWithOptions(message, errType, ApplicationErrorOptions{Details: details})
}

// NewApplicationErrorWithCause makes an error of a type that has a cause.
func NewApplicationErrorWithCause(message, errType string, cause error, details ...any) error {
	return NewApplicationErrorWithOptions(message, errType, ApplicationErrorOptions{Cause: cause, Details: details})
}

// NewNonRetryableApplicationError makes an error that no retry policy retries.
func NewNonRetryableApplicationError(message, errType string, cause error, details ...any) error {
	options := ApplicationErrorOptions{NonRetryable: true, Cause: cause, Details: details}
	return NewApplicationErrorWithOptions(message, errType, options)
}

// NewApplicationErrorWithOptions makes an error with options. If a detail cannot be written, that is the error.
func NewApplicationErrorWithOptions(message, errType string, options ApplicationErrorOptions) error {
	payloads, err := converter.ToPayloads(options.Details...)
	if err != nil {
		return fmt.Errorf("the details of the error %q: %w", message, err)
	}
	return &ApplicationError{
		received:       received{cause: options.Cause},
		message:        message,
		kind:           errType,
		nonRetryable:   options.NonRetryable,
		nextRetryDelay: options.NextRetryDelay,
		category:       options.Category,
		details:        Values{payloads},
	}
}

// Error is the message.
func (e *ApplicationError) Error() string {
	if e.failure != nil {
		return e.text()
	}
	return e.message
}

// Message is the message, without those of the causes.
func (e *ApplicationError) Message() string { return e.message }

// Type is the error's type.
func (e *ApplicationError) Type() string { return e.kind }

// NonRetryable tells whether no retry policy may retry it.
func (e *ApplicationError) NonRetryable() bool { return e.nonRetryable }

// NextRetryDelay overrides the retry policy's next interval; zero if it does not.
func (e *ApplicationError) NextRetryDelay() time.Duration { return e.nextRetryDelay }

// Category says how much it matters.
func (e *ApplicationError) Category() ErrorCategory { return e.category }

// HasDetails tells whether it carries values.
func (e *ApplicationError) HasDetails() bool { return e.details.HasValues() }

// Details are the values that it carries.
func (e *ApplicationError) Details() Values { return e.details }

func (e *ApplicationError) outgoing() types.Failure {
	if e.failure != nil {
		return e.failure
	}
	info := types.ApplicationFailure{
		Type:         e.kind,
		NonRetryable: e.nonRetryable,
		Details:      e.details.payloads,
		Benign:       e.category == ApplicationErrorCategoryBenign,
	}
	if e.nextRetryDelay > 0 {
		delay := types.Duration(e.nextRetryDelay)
		info.NextRetryDelay = &delay
	}
	chain := types.Failure{failure.Link(e.message, types.FailureInfoApplication{Value: info})}
	if e.cause != nil {
		chain = append(chain, Failure(e.cause)...)
	}
	return chain
}

// CanceledError says that something was cancelled.
type CanceledError struct {
	received
	details Values
	// The workflow's own cancellation, or one that its code declares; not that of an operation.
	own bool
}

// NewCanceledError makes an error that, returned by a workflow, ends it as cancelled.
func NewCanceledError(details ...any) error {
	payloads, err := converter.ToPayloads(details...)
	if err != nil {
		return fmt.Errorf("the details of a cancellation: %w", err)
	}
	return &CanceledError{details: Values{payloads}, own: true}
}

// Error says what was cancelled.
func (e *CanceledError) Error() string {
	if e.failure != nil {
		return e.text()
	}
	return "canceled"
}

// HasDetails tells whether it carries values.
func (e *CanceledError) HasDetails() bool { return e.details.HasValues() }

// Details are the values that it carries.
func (e *CanceledError) Details() Values { return e.details }

func (e *CanceledError) outgoing() types.Failure {
	if e.failure != nil {
		return e.failure
	}
	return types.Failure{failure.Link("canceled", types.FailureInfoCancelled{Value: e.details.payloads})}
}

// IsCanceledError tells whether an error says that something was cancelled: it is or wraps a CanceledError.
func IsCanceledError(err error) bool {
	_, ok := find[*CanceledError](err)
	return ok
}

// IsApplicationError tells whether an error is or wraps an ApplicationError.
func IsApplicationError(err error) bool {
	_, ok := find[*ApplicationError](err)
	return ok
}

// IsTimeoutError tells whether an error is or wraps a TimeoutError.
func IsTimeoutError(err error) bool {
	_, ok := find[*TimeoutError](err)
	return ok
}

// IsTerminatedError tells whether an error is or wraps a TerminatedError.
func IsTerminatedError(err error) bool {
	_, ok := find[*TerminatedError](err)
	return ok
}

// IsWorkflowExecutionAlreadyStartedError tells whether an error is or wraps a ChildWorkflowExecutionAlreadyStartedError.
func IsWorkflowExecutionAlreadyStartedError(err error) bool {
	_, ok := find[*ChildWorkflowExecutionAlreadyStartedError](err)
	return ok
}

// find is errors.As for the errors of this package, without reflection.
func find[E error](err error) (E, bool) {
	for err != nil {
		if found, ok := err.(E); ok {
			return found, true
		}
		if several, ok := err.(interface{ Unwrap() []error }); ok {
			for _, err := range several.Unwrap() {
				if found, ok := find[E](err); ok {
					return found, true
				}
			}
			break
		}
		err = errors.Unwrap(err)
	}
	var none E
	return none, false
}

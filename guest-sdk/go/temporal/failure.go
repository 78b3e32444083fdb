package temporal

import (
	"errors"
	"reflect"
	"time"

	"longhaul/internal/failure"
	"longhaul/internal/wit/types"
)

// Failure is an error as it goes to the host: what was received as it was, the errors of this package as what they are, and
// everything else as an application failure by its text. For the packages of this SDK.
func Failure(err error) types.Failure {
	switch err := err.(type) {
	case *ApplicationError:
		return err.outgoing()
	case *CanceledError:
		return err.outgoing()
	case interface{ chain() types.Failure }:
		if chain := err.chain(); chain != nil {
			return chain
		}
	case interface{ Outgoing() types.Failure }:
		return err.Outgoing()
	}
	// An error around one of these is what it says, caused by that one.
	chain := types.Failure{failure.Application(typeName(err), err.Error())}
	if cause := errors.Unwrap(err); cause != nil {
		chain = append(chain, Failure(cause)...)
	}
	return chain
}

// typeName is the name of an error's Go type, as Temporal's SDK sends it: errorString for one of errors.New.
func typeName(err error) string {
	t := reflect.TypeOf(err)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}

// FromFailure is a failure of the host as an error. For the packages of this SDK.
func FromFailure(chain types.Failure) error {
	if len(chain) == 0 {
		// The contract excludes it.
		chain = types.Failure{failure.Link("", types.FailureInfoNone{})}
	}
	r := received{failure: chain}
	if len(chain) > 1 {
		r.cause = FromFailure(chain[1:])
	}
	switch info := chain[0].Info.(type) {
	case types.FailureInfoApplication:
		value := info.Value
		e := &ApplicationError{
			received:     r,
			message:      chain[0].Message,
			kind:         value.Type,
			nonRetryable: value.NonRetryable,
			details:      Values{value.Details},
		}
		if value.NextRetryDelay != nil {
			e.nextRetryDelay = time.Duration(*value.NextRetryDelay)
		}
		if value.Benign {
			e.category = ApplicationErrorCategoryBenign
		}
		return e
	case types.FailureInfoTimeout:
		return &TimeoutError{r, TimeoutType(info.Value.Type), Values{info.Value.LastHeartbeatDetails}}
	case types.FailureInfoCancelled:
		return &CanceledError{received: r, details: Values{info.Value}}
	case types.FailureInfoTerminated:
		return &TerminatedError{r}
	case types.FailureInfoServer:
		return &ServerError{r, info.Value}
	case types.FailureInfoReset:
		return &ResetWorkflowError{r, Values{info.Value}}
	case types.FailureInfoActivity:
		return &ActivityError{r, info.Value}
	case types.FailureInfoChildWorkflow:
		return &ChildWorkflowExecutionError{r, info.Value}
	default:
		return &ApplicationError{received: r, message: chain[0].Message}
	}
}

// Cancelled finds a cancellation in an error, and tells whether it is the workflow's own. For the packages of this SDK.
func Cancelled(err error) (e *CanceledError, own bool) {
	e, ok := find[*CanceledError](err)
	return e, ok && e.own
}

// FirstCancelled is the cancellation in a failure, or else the failure as it is. For the packages of this SDK.
func FirstCancelled(chain types.Failure) error {
	for i := range chain {
		if _, ok := chain[i].Info.(types.FailureInfoCancelled); ok {
			return FromFailure(chain[i:])
		}
	}
	return FromFailure(chain)
}

// Wire is the policy as it goes to the host. For the packages of this SDK.
func (p *RetryPolicy) Wire() *types.RetryPolicy {
	if p == nil {
		return nil
	}
	interval, coefficient := p.InitialInterval, p.BackoffCoefficient
	if interval <= 0 {
		interval = time.Second
	}
	if coefficient == 0 {
		coefficient = 2
	}
	return &types.RetryPolicy{
		InitialInterval:        types.Duration(interval),
		BackoffCoefficient:     coefficient,
		MaximumInterval:        types.Duration(max(p.MaximumInterval, 0)),
		MaximumAttempts:        uint32(max(p.MaximumAttempts, 0)),
		NonRetryableErrorTypes: p.NonRetryableErrorTypes,
	}
}

// RetryPolicyOf is a policy of the host. For the packages of this SDK.
func RetryPolicyOf(p *types.RetryPolicy) *RetryPolicy {
	if p == nil {
		return nil
	}
	return &RetryPolicy{
		InitialInterval:        time.Duration(p.InitialInterval),
		BackoffCoefficient:     p.BackoffCoefficient,
		MaximumInterval:        time.Duration(p.MaximumInterval),
		MaximumAttempts:        int32(p.MaximumAttempts),
		NonRetryableErrorTypes: p.NonRetryableErrorTypes,
	}
}

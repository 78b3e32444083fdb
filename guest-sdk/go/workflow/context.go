package workflow

import (
	"longhaul/internal/executor"
	"longhaul/temporal"
)

// Context is what workflow code passes on: what cancels it, the options of what it starts, and values.
type Context interface {
	// Done is closed when the context is cancelled.
	Done() Channel[None]
	// Err is nil until the context is cancelled, and then ErrCanceled, which is a *temporal.CanceledError.
	Err() error
	// Value is the value of a key, or nil.
	Value(key any) any

	state() *contextState
}

// contextState is one context; it never changes once it is made.
type contextState struct {
	run     *run
	token   *executor.Token
	done    Channel[None]
	message *MessageInfo
	key     any
	value   any
	parent  *contextState

	activity *activityOptions
	local    *LocalActivityOptions
	child    *ChildWorkflowOptions
}

func (c *contextState) state() *contextState { return c }

// Done is closed when the context is cancelled.
func (c *contextState) Done() Channel[None] { return c.done }

// Err is nil until the context is cancelled.
func (c *contextState) Err() error {
	// A cancellation may have been requested before the main routine has begun.
	c.run.runtime.Proceed()
	if !c.token.Cancelled() {
		return nil
	}
	return canceled()
}

// ErrCanceled is the error of a context that was cancelled, and of the Await and the locks that its cancellation has ended.
var ErrCanceled = temporal.NewCanceledError()

func canceled() error { return ErrCanceled }

// Value is the value of a key.
func (c *contextState) Value(key any) any {
	for at := c; at != nil; at = at.parent {
		if at.key != nil && at.key == key {
			return at.value
		}
	}
	return nil
}

// with is the same context with something of its own.
func (c *contextState) with(change func(*contextState)) *contextState {
	context := *c
	context.parent = c
	context.key, context.value = nil, nil
	change(&context)
	return &context
}

func (c *contextState) withToken(token *executor.Token) *contextState {
	return c.with(func(c *contextState) {
		c.token = token
		c.done = doneChannel(c.run, token)
	})
}

// WithValue is the same context with a value under a key, which must be comparable.
func WithValue(ctx Context, key, value any) Context {
	return ctx.state().with(func(c *contextState) { c.key, c.value = key, value })
}

// CancelFunc cancels a context and what was started with it.
type CancelFunc func()

// WithCancel is a context that can be cancelled, and is when the given one is.
func WithCancel(ctx Context) (Context, CancelFunc) {
	inner, cancel := WithCancelReason(ctx)
	return inner, func() { cancel("") }
}

// CancelReasonFunc cancels a context and what was started with it, and says why: children are told, and CancellationReason tells.
type CancelReasonFunc func(reason string)

// WithCancelReason is a context that can be cancelled with a reason, and is cancelled when the given one is.
func WithCancelReason(ctx Context) (Context, CancelReasonFunc) {
	c := ctx.state()
	token := executor.NewToken(c.token)
	return c.withToken(token), func(reason string) { c.run.runtime.Cancel(token, reason) }
}

// NewDisconnectedContext is a context that can be cancelled, but is not when the given one is: for what has to be done after a
// cancellation.
func NewDisconnectedContext(ctx Context) (Context, CancelFunc) {
	c := ctx.state()
	token := executor.NewToken(nil)
	return c.withToken(token), func() { c.run.runtime.Cancel(token, "") }
}

// CancellationReason is why the context was cancelled: by WithCancelReason, or because the workflow's cancellation was requested.
// Empty if it was not, or without a reason.
func CancellationReason(ctx Context) string {
	c := ctx.state()
	c.run.runtime.Proceed()
	return c.token.Reason()
}

package workflow

import (
	"longhaul/converter"
	"longhaul/internal/executor"
	"longhaul/internal/wit/definition"
	"longhaul/temporal"
)

// Future is something that will be known.
type Future[T any] interface {
	Waitable
	// Get waits until it is known. It does not end when the context is cancelled: what was started with that context does.
	Get(ctx Context) (T, error)
	// IsReady tells whether Get would return at once.
	IsReady() bool
}

// Settable is the other end of a Future.
type Settable[T any] interface {
	// Set makes the future known, once.
	Set(value T, err error)
	// SetValue makes the future known by its value.
	SetValue(value T)
	// SetError makes the future known as an error.
	SetError(err error)
	// Chain makes the future known as soon as another one is.
	Chain(future Future[T])
}

// NewFuture is a future that workflow code makes known.
func NewFuture[T any](ctx Context) (Future[T], Settable[T]) {
	f := &settableFuture[T]{context: ctx.state()}
	return f, f
}

type settableFuture[T any] struct {
	context *contextState
	waiters executor.Waiters
	known   bool
	value   T
	err     error
}

func (f *settableFuture[T]) poll() bool { return f.known }

func (f *settableFuture[T]) pending() (string, uint32, source) { return "future", 0, &f.waiters }

func (f *settableFuture[T]) IsReady() bool {
	f.context.run.runtime.Proceed()
	return f.known
}

func (f *settableFuture[T]) Get(ctx Context) (T, error) {
	until(ctx.state().run.runtime, f)
	return f.value, f.err
}

func (f *settableFuture[T]) Set(value T, err error) {
	if f.known {
		panic("longhaul: the future was set before")
	}
	f.known, f.value, f.err = true, value, err
	f.waiters.Wake(f.context.run.runtime)
}

func (f *settableFuture[T]) SetValue(value T) { f.Set(value, nil) }

func (f *settableFuture[T]) SetError(err error) {
	var none T
	f.Set(none, err)
}

func (f *settableFuture[T]) Chain(future Future[T]) {
	if future.IsReady() {
		f.Set(future.Get(f.context))
		return
	}
	Go(f.context, func(ctx Context) { f.Set(future.Get(ctx)) })
}

// known is a future that needs no wait.
func known[T any](ctx *contextState, value T, err error) *settableFuture[T] {
	return &settableFuture[T]{context: ctx, known: true, value: value, err: err}
}

// operationFuture is the end of an operation.
type operationFuture[T any] struct {
	runtime   *executor.Runtime
	operation *executor.Operation
	read      func(definition.Outcome) (T, error)
	// Read once.
	taken bool
	value T
	err   error
}

func (f *operationFuture[T]) poll() bool {
	_, ended := f.operation.Ended()
	return ended
}

func (f *operationFuture[T]) pending() (string, uint32, source) {
	return f.operation.Awaits(), f.operation.Seq, f.operation.AtEnd()
}

func (f *operationFuture[T]) IsReady() bool { return f.poll() }

func (f *operationFuture[T]) Get(Context) (T, error) {
	if !f.taken {
		f.runtime.AwaitEnd(f.operation)
		outcome, _ := f.operation.Ended()
		f.value, f.err = f.read(outcome)
		f.taken = true
	}
	return f.value, f.err
}

func (f *operationFuture[T]) cancel(reason string) {
	f.runtime.WakeInOrder(f.runtime.CancelOperation(f.operation, reason))
}

// conversionError says that a value could not be written or read. It fails the workflow task, not the workflow: a mended version
// can go on.
type conversionError struct{ cause error }

func (e *conversionError) Error() string { return "Payload conversion failed: " + e.cause.Error() }

func (e *conversionError) Unwrap() error { return e.cause }

func read[T any](payloads []converter.Payload) (T, error) {
	value, err := converter.FromPayloads[T](payloads)
	if err != nil {
		return value, &conversionError{err}
	}
	return value, nil
}

// readFailure is a failed outcome as an error; nil if it is not one.
func readFailure(outcome definition.Outcome) error {
	switch outcome := outcome.(type) {
	case definition.OutcomeFailed:
		return temporal.FromFailure(outcome.Value)
	case definition.OutcomeTimedOut:
		return temporal.FromFailure(outcome.Value)
	case definition.OutcomeCancelled:
		return temporal.FirstCancelled(outcome.Value)
	}
	return nil
}

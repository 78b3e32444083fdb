package workflow

import (
	"longhaul/converter"
	"longhaul/internal/wit/types"
)

// HandlerUnfinishedPolicy is what becomes of a handler that still runs when the workflow ends.
type HandlerUnfinishedPolicy uint8

const (
	// HandlerUnfinishedPolicyWarnAndAbandon: it is abandoned, with a warning. It is the default.
	HandlerUnfinishedPolicyWarnAndAbandon HandlerUnfinishedPolicy = iota
	// HandlerUnfinishedPolicyAbandon: it is abandoned.
	HandlerUnfinishedPolicyAbandon
)

// descriptor is what tools show of a handler.
type descriptor struct {
	name        string
	description string
	abandon     bool
}

func (d descriptor) described() descriptor { return d }

type signalHandler struct {
	descriptor
	// call reads the arguments and gives what is to run.
	call func(ctx *contextState, input types.Payloads) (func() error, error)
	// It never waits.
	plain bool
}

type queryHandler struct {
	descriptor
	call func(input types.Payloads) (any, error)
}

type updateHandler struct {
	descriptor
	validate func(ctx *contextState, input types.Payloads) error
	call     func(ctx *contextState, input types.Payloads) (func() (any, error), error)
}

// register adds a handler. Late ones are for dynamic types only: of the others the host refuses names that it does not know.
func register[H interface{ described() descriptor }](c *contextState, list *[]H, handler H) {
	name := handler.described().name
	for _, other := range *list {
		if other.described().name == name {
			panic("longhaul: workflow " + c.run.definition.name + " has two handlers of one kind named " + name)
		}
	}
	if !c.run.initializing && !c.run.dynamic {
		panic("longhaul: the handler " + name + " was registered after the init function, which has to register all of them; " +
			"or call workflow.AllowDynamicHandlers there")
	}
	*list = append(*list, handler)
}

// AllowDynamicHandlers says, in an init function, that handlers may be registered while the workflow runs. The host then refuses no
// name.
func AllowDynamicHandlers(ctx Context) {
	run := ctx.state().run
	if !run.initializing {
		panic("longhaul: AllowDynamicHandlers is for init functions")
	}
	run.dynamic = true
}

// SignalHandlerOptions are the options of HandleSignalWithOptions.
type SignalHandlerOptions struct {
	// Description is what tools show.
	Description string
	// UnfinishedPolicy is what becomes of the handler if it still runs when the workflow ends.
	UnfinishedPolicy HandlerUnfinishedPolicy
}

// HandleSignal says what a signal does. It may wait. For a signal without a value A is None, for one of several Args2 and its like.
func HandleSignal[A any](ctx Context, name string, handler func(ctx Context, arg A)) {
	HandleSignalWithOptions(ctx, name, func(ctx Context, arg A) error {
		handler(ctx, arg)
		return nil
	}, SignalHandlerOptions{})
}

// HandleSignalWithOptions says what a signal does, with options. An error that the handler returns ends the workflow as if the main
// routine had returned it.
func HandleSignalWithOptions[A any](ctx Context, name string, handler func(ctx Context, arg A) error, options SignalHandlerOptions) {
	c := ctx.state()
	h := signalHandler{descriptor: descriptor{name, options.Description, options.UnfinishedPolicy == HandlerUnfinishedPolicyAbandon}}
	h.call = func(ctx *contextState, input types.Payloads) (func() error, error) {
		arg, err := converter.Arguments[A](input)
		if err != nil {
			return nil, err
		}
		return func() error { return handler(ctx, arg) }, nil
	}
	register(c, &c.run.signals, h)
	c.run.deliverKept(name)
}

// HandleDynamicSignal says what signals do that no other handler takes. The type's handlers are then open: the host refuses no name.
func HandleDynamicSignal(ctx Context, handler func(ctx Context, name string, args converter.RawValue) error) {
	run := ctx.state().run
	run.open("HandleDynamicSignal")
	if run.dynamicSignal != nil {
		panic("longhaul: workflow " + run.definition.name + " has two dynamic signal handlers")
	}
	run.dynamicSignal = handler
	run.deliverAllKept()
}

// QueryHandlerOptions are the options of HandleQueryWithOptions.
type QueryHandlerOptions struct {
	// Description is what tools show.
	Description string
}

// HandleQuery says what a query without arguments answers. It must neither wait nor change anything.
func HandleQuery[R any](ctx Context, name string, handler func() (R, error)) {
	HandleQueryWithOptions(ctx, name, func(None) (R, error) { return handler() }, QueryHandlerOptions{})
}

// HandleQueryWithOptions says what a query answers, with options. For a query of several arguments A is Args2 or its like.
func HandleQueryWithOptions[A, R any](ctx Context, name string, handler func(arg A) (R, error), options QueryHandlerOptions) {
	c := ctx.state()
	h := queryHandler{descriptor: descriptor{name: name, description: options.Description}}
	h.call = func(input types.Payloads) (any, error) {
		arg, err := converter.Arguments[A](input)
		if err != nil {
			return nil, err
		}
		return handler(arg)
	}
	register(c, &c.run.queries, h)
}

// HandleDynamicQuery says what queries answer that no other handler takes. The type's handlers are then open: the host refuses no
// name.
func HandleDynamicQuery(ctx Context, handler func(name string, args converter.RawValue) (any, error)) {
	run := ctx.state().run
	run.open("HandleDynamicQuery")
	if run.dynamicQuery != nil {
		panic("longhaul: workflow " + run.definition.name + " has two dynamic query handlers")
	}
	run.dynamicQuery = handler
}

// UpdateHandlerOptions are the options of HandleUpdateWithOptions.
type UpdateHandlerOptions[A any] struct {
	// Validator refuses an update by an error, before it is accepted: a refused one leaves nothing in history. It must neither wait nor
	// change anything.
	Validator func(ctx Context, arg A) error
	// Description is what tools show.
	Description string
	// UnfinishedPolicy is what becomes of the handler if it still runs when the workflow ends.
	UnfinishedPolicy HandlerUnfinishedPolicy
}

// HandleUpdate says what an update does and returns. It may wait. For an update without a value A is None, for one of several Args2
// and its like.
func HandleUpdate[A, R any](ctx Context, name string, handler func(ctx Context, arg A) (R, error)) {
	HandleUpdateWithOptions(ctx, name, handler, UpdateHandlerOptions[A]{})
}

// HandleUpdateWithOptions says what an update does and returns, with options. An error fails the update, not the workflow.
func HandleUpdateWithOptions[A, R any](ctx Context, name string, handler func(ctx Context, arg A) (R, error), options UpdateHandlerOptions[A]) {
	c := ctx.state()
	h := updateHandler{descriptor: descriptor{name, options.Description, options.UnfinishedPolicy == HandlerUnfinishedPolicyAbandon}}
	h.call = func(ctx *contextState, input types.Payloads) (func() (any, error), error) {
		arg, err := converter.Arguments[A](input)
		if err != nil {
			return nil, err
		}
		return func() (any, error) { return handler(ctx, arg) }, nil
	}
	if options.Validator != nil {
		h.validate = func(ctx *contextState, input types.Payloads) error {
			arg, err := converter.Arguments[A](input)
			if err != nil {
				return err
			}
			return options.Validator(ctx, arg)
		}
	}
	register(c, &c.run.updates, h)
}

// HandleDynamicUpdate says what updates do that no other handler takes. The type's handlers are then open: the host refuses no name.
func HandleDynamicUpdate(ctx Context, handler func(ctx Context, name string, args converter.RawValue) (any, error)) {
	run := ctx.state().run
	run.open("HandleDynamicUpdate")
	if run.dynamicUpdate != nil {
		panic("longhaul: workflow " + run.definition.name + " has two dynamic update handlers")
	}
	run.dynamicUpdate = handler
}

// open makes the type's handlers open.
func (run *run) open(what string) {
	if !run.initializing && !run.dynamic {
		panic("longhaul: " + what + " was called after the init function, which has to register all handlers; " +
			"or call workflow.AllowDynamicHandlers there")
	}
	run.dynamic = true
}

// DeclareSignal says, in an init function, that the workflow waits for signals of these names by WaitSignal.
func DeclareSignal(ctx Context, names ...string) {
	run := ctx.state().run
	if !run.initializing {
		panic("longhaul: DeclareSignal is for init functions")
	}
	run.declared = append(run.declared, names...)
}

// AllHandlersFinished tells whether every signal and update handler that has begun has ended, this one included. Wait for it before
// the workflow ends.
func AllHandlersFinished(ctx Context) bool {
	r := ctx.state().run.runtime
	r.Proceed()
	return r.AllHandlersFinished()
}

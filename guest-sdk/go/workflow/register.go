package workflow

import (
	"longhaul/converter"
	"longhaul/internal/wit/types"
)

// None stands for no value: an argument that there is not, or the result of a function without one.
type None = converter.None

// RawValue is payloads that nobody has read yet: several arguments, or one value.
type RawValue = converter.RawValue

// workflowDefinition is a workflow type of this component.
type workflowDefinition struct {
	name        string
	description string
	// Its handlers may come later.
	dynamic bool
	start   func(r *run, input types.Payloads) error
	// collect calls the init function for the handlers that it registers; nil if there is none.
	collect func(ctx Context)
}

var definitions []*workflowDefinition

// RegisterOptions are the options of a workflow type.
type RegisterOptions struct {
	// Name is the workflow type.
	Name string
	// Description is what tools show.
	Description string
}

// RegisterWithInit defines a workflow type with state of its own.
//
// The init function makes the state and registers the handlers, before any message comes; it must neither wait nor give commands. It
// is also called, with the zero value of its argument, when the module is described: let it register handlers before it relies on
// anything in its argument. The main routine then runs when the messages of the first workflow task have been handled.
//
// A is the workflow's argument: None if there is none, Args2 and its like for several.
//
// The main routine is Run, where it is the state's method Run, or any function. A method expression, such as (*T).Run, works too, but the
// compiler then forgets its lines, so that a panic in it has no place.
func RegisterWithInit[S, A, R any](name string, init func(ctx Context, arg A) (S, error), main func(state S, ctx Context) (R, error)) {
	RegisterWithInitOptions(RegisterOptions{Name: name}, init, main)
}

// RegisterWithInitOptions defines a workflow type with state of its own, with options.
func RegisterWithInitOptions[S, A, R any](options RegisterOptions, init func(ctx Context, arg A) (S, error), main func(state S, ctx Context) (R, error)) {
	define(&workflowDefinition{
		name:        options.Name,
		description: options.Description,
		start: func(r *run, input types.Payloads) error {
			arg, err := converter.Arguments[A](input)
			if err != nil {
				return err
			}
			var state S
			r.runtime.ReadOnly("an init function", func() { state, err = init(r.context, arg) })
			if err == nil {
				r.main = func() (any, error) { return main(state, r.context) }
			}
			return err
		},
		collect: func(ctx Context) {
			var arg A
			_, _ = init(ctx, arg)
		},
	})
}

// Run is the main routine of a workflow type whose state has it as its method Run:
//
//	workflow.RegisterWithInit("Approval", newApproval, workflow.Run)
func Run[S interface {
	Run(ctx Context) (R, error)
}, R any](state S, ctx Context) (R, error) {
	return state.Run(ctx)
}

// Register defines a workflow type by a plain function. It runs when the workflow starts up to its first call that is not the
// registration of a handler, and goes on when the messages of the first workflow task have been handled. Its handlers are open: the
// host refuses no name.
func Register[A, R any](name string, main func(ctx Context, arg A) (R, error)) {
	RegisterWithOptions(RegisterOptions{Name: name}, main)
}

// RegisterWithOptions defines a workflow type by a plain function, with options.
func RegisterWithOptions[A, R any](options RegisterOptions, main func(ctx Context, arg A) (R, error)) {
	define(&workflowDefinition{
		name:        options.Name,
		description: options.Description,
		dynamic:     true,
		start: func(r *run, input types.Payloads) error {
			arg, err := converter.Arguments[A](input)
			if err != nil {
				return err
			}
			r.runtime.Begin("run", func() { r.finish(main(r.context, arg)) })
			return nil
		},
	})
}

func define(definition *workflowDefinition) {
	for _, other := range definitions {
		if other.name == definition.name {
			panic("longhaul: the workflow type " + definition.name + " is registered twice")
		}
	}
	definitions = append(definitions, definition)
}

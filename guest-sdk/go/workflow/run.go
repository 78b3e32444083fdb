package workflow

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"longhaul/converter"
	"longhaul/internal/abi"
	"longhaul/internal/executor"
	"longhaul/internal/failure"
	"longhaul/internal/wit/definition"
	"longhaul/internal/wit/types"
	"longhaul/temporal"
)

const (
	// unknownHandlerType is the type of the failure with which an unknown update or query is refused, as by Temporal's Python SDK.
	unknownHandlerType = "RuntimeError"
	// argumentType is the type of the failure that says that an argument does not decode.
	argumentType = "InvalidArgument"
)

// builtInQueries are those that the host answers.
var builtInQueries = []string{"__stack_trace", "__temporal_workflow_metadata"}

// run is one execution: what its messages do.
type run struct {
	definition *workflowDefinition
	runtime    *executor.Runtime
	context    *contextState
	// The init function runs, or the part of a plain function that registers handlers.
	initializing bool
	// There is no execution: the module is described.
	describing bool
	// Handlers may come later, or one takes every name.
	dynamic bool

	signals       []signalHandler
	queries       []queryHandler
	updates       []updateHandler
	dynamicSignal func(ctx Context, name string, args converter.RawValue) error
	dynamicQuery  func(name string, args converter.RawValue) (any, error)
	dynamicUpdate func(ctx Context, name string, args converter.RawValue) (any, error)
	declared      []string

	box      signalBox
	channels map[string]any
	// The names of these channels, and how much is in them.
	unread   []func() (name string, held int)
	family   family
	versions map[string]Version
	// What SetCurrentDetails has set.
	details string
	// The main routine, until the first advance.
	main func() (any, error)
	// delivers is deliverOwn, made once.
	delivers func() bool
	warned   bool
}

func newRun(definition *workflowDefinition, runtime *executor.Runtime) *run {
	r := &run{definition: definition, runtime: runtime, dynamic: definition.dynamic, channels: map[string]any{}}
	r.delivers = r.deliverOwn
	r.family.toParent = true
	r.context = &contextState{run: r, token: runtime.Root}
	r.context.done = doneChannel(r, runtime.Root)
	return r
}

// start constructs the state. An error fails the workflow task.
func (r *run) start(input types.Payloads) error {
	r.initializing = true
	err := r.definition.start(r, input)
	r.initializing = false
	var argument *converter.ArgumentError
	if errors.As(err, &argument) {
		return temporal.NewApplicationError(fmt.Sprintf("Workflow '%s' cannot start: %s", r.definition.name, argument), argumentType)
	}
	return err
}

// finish gives the terminal command.
func (r *run) finish(output any, err error) {
	if err == nil {
		payload, unwritable := converter.ToPayload(output)
		if unwritable == nil {
			r.runtime.MustWrite("the end of a workflow")
			r.runtime.Host.Complete(types.Payloads{payload})
			r.runtime.Close()
			return
		}
		err = &conversionError{unwritable}
	}
	r.runtime.MustWrite("the end of a workflow")
	r.terminate(err)
}

// terminate ends the workflow without a result.
func (r *run) terminate(err error) {
	host := r.runtime.Host
	next, unwritable := undeclared(err)
	switch cancelled, own := temporal.Cancelled(err); {
	case next != nil:
		host.ContinueAsNew(next.options)
	case unwritable != nil:
		host.FailTask(types.Failure{failure.Application("PayloadConversionError", unwritable.Error())})
		return
	case cancelled != nil && (own || r.runtime.Root.Cancelled()):
		host.Cancelled(cancelled.Details().Payloads())
	default:
		host.Fail(temporal.Failure(err))
	}
	r.runtime.Close()
}

// undeclared finds what does not fail a workflow in an error: the first of the two. What a declared failure has as its cause does not
// count: the user has made a failure of it.
func undeclared(err error) (next *ContinueAsNewError, unwritable *conversionError) {
	for err != nil {
		switch err := err.(type) {
		case *ContinueAsNewError:
			return err, nil
		case *conversionError:
			return nil, err
		case *temporal.ApplicationError:
			return nil, nil
		case interface{ Unwrap() []error }:
			for _, err := range err.Unwrap() {
				if next, unwritable := undeclared(err); next != nil || unwritable != nil {
					return next, unwritable
				}
			}
			return nil, nil
		}
		err = errors.Unwrap(err)
	}
	return nil, nil
}

// signal delivers a signal, and passes it on where it is one to the family.
func (r *run) signal(meta definition.MessageMeta, name string, input types.Payloads) {
	family, again := r.passOn(meta, name, input)
	if !again {
		r.deliver(meta, family, name, input)
	}
}

// deliver begins a signal's handler, or keeps the signal where there is none.
func (r *run) deliver(meta definition.MessageMeta, family *FamilySignal, name string, input types.Payloads) {
	ctx := r.forMessage(messageInfo(meta, nil, family))
	index := slices.IndexFunc(r.signals, func(h signalHandler) bool { return h.name == name })
	if index < 0 && r.dynamicSignal == nil {
		r.box.keep(r.runtime, kept{meta: meta, family: family, input: input}, name, !r.dynamic)
		return
	}
	var body func() error
	var err error
	handler := signalHandler{}
	if index >= 0 {
		handler = r.signals[index]
		body, err = handler.call(ctx, input)
	} else {
		body = func() error { return r.dynamicSignal(ctx, name, converter.RawValue{Payloads: input}) }
	}
	if err != nil {
		r.log(types.LogLevelWarn, fmt.Sprintf("Signal '%s' of event %d was dropped: %s", name, meta.EventID, err))
		return
	}
	if handler.plain {
		_ = body()
		return
	}
	begun := r.runtime.BeginHandler(executor.SignalHandler, name, handler.abandon)
	r.runHandler("signal "+name, func() {
		err := body()
		r.runtime.EndHandler(begun)
		r.endSignal(err)
	})
}

// runHandler runs a handler up to its first wait; where a task runs already, behind it.
func (r *run) runHandler(name string, body func()) {
	if r.runtime.InTask() {
		r.runtime.Spawn(name, body)
	} else {
		r.runtime.RunHandler(name, body)
	}
}

func (r *run) endSignal(err error) {
	if err == nil {
		return
	}
	// The handler has met the workflow's cancellation: how the workflow answers it, the main routine decides.
	if r.runtime.Root.Cancelled() && temporal.IsCanceledError(err) {
		return
	}
	r.terminate(err)
}

// deliverKept begins the handlers of signals that came before there was one.
func (r *run) deliverKept(name string) {
	for _, signal := range r.box.of(name).take() {
		r.deliver(signal.meta, signal.family, name, signal.input)
	}
}

// deliverAllKept is the same for all names, in the order in which they came.
func (r *run) deliverAllKept() {
	type named struct {
		*kept
		name string
	}
	var all []named
	for _, box := range r.box.boxes {
		for _, signal := range box.take() {
			all = append(all, named{signal, box.name})
		}
	}
	slices.SortFunc(all, func(a, b named) int { return cmp.Compare(a.number, b.number) })
	for _, signal := range all {
		r.deliver(signal.meta, signal.family, signal.name, signal.input)
	}
}

func (r *run) forMessage(message *MessageInfo) *contextState {
	return r.context.with(func(c *contextState) { c.message = message })
}

func (r *run) findUpdate(name string) *updateHandler {
	for i := range r.updates {
		if r.updates[i].name == name {
			return &r.updates[i]
		}
	}
	return nil
}

func (r *run) unknownUpdate(name string) types.Failure {
	known := make([]string, 0, len(r.updates))
	for _, handler := range r.updates {
		known = append(known, handler.name)
	}
	slices.Sort(known)
	text := fmt.Sprintf("Update handler for '%s' expected but not found, and there is no dynamic handler. known updates: [%s]",
		name, strings.Join(known, " "))
	return types.Failure{failure.Application(unknownHandlerType, text)}
}

// refusal is why a validator or a query gave no answer.
func refusal(kind, name string, err error) types.Failure {
	var argument *converter.ArgumentError
	if errors.As(err, &argument) {
		return types.Failure{failure.Application(argumentType, fmt.Sprintf("%s '%s': %s", kind, name, argument))}
	}
	return temporal.Failure(err)
}

func (r *run) validateUpdate(id string, meta definition.MessageMeta, name string, input types.Payloads) types.Failure {
	handler := r.findUpdate(name)
	if handler == nil {
		if r.dynamicUpdate != nil {
			return nil
		}
		return r.unknownUpdate(name)
	}
	if handler.validate == nil {
		return nil
	}
	ctx := r.forMessage(messageInfo(meta, &UpdateInfo{ID: id, Name: name}, nil))
	if err := handler.validate(ctx, input); err != nil {
		return refusal("Update", name, err)
	}
	return nil
}

func (r *run) update(id string, meta definition.MessageMeta, name string, input types.Payloads) {
	ctx := r.forMessage(messageInfo(meta, &UpdateInfo{ID: id, Name: name}, nil))
	handler := r.findUpdate(name)
	var body func() (any, error)
	var err error
	abandon := false
	switch {
	case handler != nil:
		abandon = handler.abandon
		body, err = handler.call(ctx, input)
	case r.dynamicUpdate != nil:
		body = func() (any, error) { return r.dynamicUpdate(ctx, name, converter.RawValue{Payloads: input}) }
	default:
		r.endUpdate(id, r.unknownUpdate(name))
		return
	}
	if err != nil {
		r.endUpdate(id, refusal("Update", name, err))
		return
	}
	begun := r.runtime.BeginHandler(executor.UpdateHandler, name, abandon)
	r.runHandler("update "+name, func() {
		output, err := body()
		r.runtime.EndHandler(begun)
		var payload converter.Payload
		if err == nil {
			payload, err = converter.ToPayload(output)
		}
		if err != nil {
			r.endUpdate(id, temporal.Failure(err))
			return
		}
		r.runtime.Host.CompleteUpdate(id, abi.Result[types.Payloads, types.Failure]{Value: types.Payloads{payload}})
	})
}

func (r *run) endUpdate(id string, chain types.Failure) {
	r.runtime.Host.CompleteUpdate(id, abi.Result[types.Payloads, types.Failure]{Err: &chain})
}

func (r *run) query(name string, input types.Payloads) abi.Result[types.Payload, types.Failure] {
	fail := func(chain types.Failure) abi.Result[types.Payload, types.Failure] {
		return abi.Result[types.Payload, types.Failure]{Err: &chain}
	}
	var answer any
	var err error
	index := slices.IndexFunc(r.queries, func(h queryHandler) bool { return h.name == name })
	switch {
	case index >= 0:
		answer, err = r.queries[index].call(input)
	case r.dynamicQuery != nil:
		answer, err = r.dynamicQuery(name, converter.RawValue{Payloads: input})
	default:
		known := slices.Clone(builtInQueries)
		for _, handler := range r.queries {
			known = append(known, handler.name)
		}
		slices.Sort(known)
		text := fmt.Sprintf("Query handler for '%s' expected but not found, known queries: [%s]", name, strings.Join(known, " "))
		return fail(types.Failure{failure.Application(unknownHandlerType, text)})
	}
	if err != nil {
		return fail(refusal("Query", name, err))
	}
	payload, err := converter.ToPayload(answer)
	if err != nil {
		return fail(refusal("Query", name, err))
	}
	return abi.Result[types.Payload, types.Failure]{Value: payload}
}

func (r *run) advance() {
	if r.main != nil {
		r.spawnMain()
	}
	r.runtime.Advance(r.delivers)
	r.refuseDeadlock()
	r.warnAtClose()
}

// spawnMain is apart from what is done each time: what a closure holds is allocated when its function begins.
func (r *run) spawnMain() {
	main := r.main
	r.main = nil
	r.runtime.Spawn("run", func() { r.finish(main()) })
}

// refuseDeadlock fails the task of a run that nothing can make go on: neither an outcome, which it does not wait for, nor a message,
// which nothing would take.
func (r *run) refuseDeadlock() {
	handled := len(r.signals)+len(r.updates) > 0 || r.dynamicSignal != nil || r.dynamicUpdate != nil
	if handled || r.runtime.IsClosed() || !r.runtime.Stuck() {
		return
	}
	r.runtime.Host.FailTask(types.Failure{failure.Application("Deadlock", "all goroutines of the workflow wait for channels or locks of "+
		"Go's own, and nothing can end that: deadlock; wait through the SDK: workflow.Await, workflow.Channel, workflow.Mutex")})
}

// warnAtClose says what unfinished handlers and unhandled signals mean for the user, once, when the run closes.
func (r *run) warnAtClose() {
	if !r.runtime.IsClosed() || r.warned {
		return
	}
	r.warned = true
	const end = "Wait for workflow.AllHandlersFinished before the workflow ends, or set UnfinishedPolicy to HandlerUnfinishedPolicyAbandon."
	if names := r.runtime.UnfinishedHandlers(executor.SignalHandler); len(names) > 0 {
		r.log(types.LogLevelWarn, fmt.Sprintf("Workflow finished while signal handlers are still running: [%s]. %s", strings.Join(names, " "), end))
	}
	if names := r.runtime.UnfinishedHandlers(executor.UpdateHandler); len(names) > 0 {
		r.log(types.LogLevelWarn, fmt.Sprintf("Workflow finished while update handlers are still running: [%s]. Their callers get an error. %s",
			strings.Join(names, " "), end))
	}
	if names := r.unhandledSignals(); len(names) > 0 {
		r.log(types.LogLevelWarn, fmt.Sprintf("Workflow finished with signals that nobody took: [%s]", strings.Join(names, " ")))
	}
}

// unhandledSignals are the names of the signals that nobody has taken, in order.
func (r *run) unhandledSignals() []string {
	names := r.box.unseen()
	for _, unread := range r.unread {
		if name, held := unread(); held > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (r *run) log(level types.LogLevel, text string) { r.runtime.Host.Log(level, text, nil) }

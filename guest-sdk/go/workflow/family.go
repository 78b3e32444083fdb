package workflow

import (
	"fmt"
	"strings"

	"longhaul/converter"
	"longhaul/internal/executor"
	"longhaul/internal/failure"
	"longhaul/internal/host"
	"longhaul/internal/wit/commands"
	"longhaul/internal/wit/definition"
	"longhaul/internal/wit/types"
	"longhaul/temporal"
)

// familyHeader is the header that a signal to the family carries, and the random stream of the calls' ids.
const familyHeader = "longhaul-family"

// carried is what the header says.
type carried struct {
	// Names the call.
	ID string `json:"id"`
	// Who made the call.
	WorkflowID string `json:"workflowId"`
	RunID      string `json:"runId"`
	// Is it passed on to the receiver's parent, and to its children?
	ToParent   bool `json:"toParent"`
	ToChildren bool `json:"toChildren"`
}

func (c carried) signal() *FamilySignal {
	return &FamilySignal{ID: c.ID, Origin: Execution{c.WorkflowID, c.RunID}}
}

// FamilySignal is what a receiver knows of a signal to the family.
type FamilySignal struct {
	// ID is the same for all who get it.
	ID string
	// Origin is who called SignalFamily. The sender is whoever passed it on.
	Origin Execution
}

// FamilySignalOptions are the options of SignalFamily: whom the signal does not reach, and whether its receivers pass it on.
type FamilySignalOptions struct {
	// NotToSelf: the sender does not get it.
	NotToSelf bool
	// NotToParent: the parent does not get it.
	NotToParent bool
	// NotToChildren: the children that have started and not ended do not get it.
	NotToChildren bool
	// Propagate: the receivers pass it on, in the same directions, to their own parents and children.
	Propagate bool
}

// FamilySignalError says that a signal to the family has reached nobody.
type FamilySignalError struct {
	// Name is the signal's name.
	Name string
	// Errors are why each delivery failed; empty if there was nobody.
	Errors []error
}

// Error says why nobody was reached.
func (e *FamilySignalError) Error() string {
	reasons := "there is no parent and no running child in the directions that were asked for"
	if len(e.Errors) > 0 {
		texts := make([]string, len(e.Errors))
		for i, err := range e.Errors {
			texts[i] = err.Error()
		}
		reasons = strings.Join(texts, "; ")
	}
	return fmt.Sprintf("signal %s to the family has reached nobody: %s", e.Name, reasons)
}

// Unwrap are why each delivery failed.
func (e *FamilySignalError) Unwrap() []error { return e.Errors }

// Outgoing is the error as it goes to the host.
func (e *FamilySignalError) Outgoing() types.Failure {
	chain := types.Failure{failure.Application("FamilySignalUndelivered", e.Error())}
	if len(e.Errors) > 0 {
		chain = append(chain, temporal.Failure(e.Errors[0])...)
	}
	return chain
}

// ownSignal is a signal that the run has sent to itself.
type ownSignal struct {
	meta   definition.MessageMeta
	family *FamilySignal
	name   string
	input  types.Payloads
}

// family is what a run has to do with signals to the family.
type family struct {
	toParent bool
	// Calls that this run has made or received. Each is a signal in history, which bounds them.
	known map[string]bool
	// What was sent to oneself and not delivered yet; advance delivers all of it.
	own []ownSignal
}

func (f *family) know(id string) {
	if f.known == nil {
		f.known = map[string]bool{}
	}
	f.known[id] = true
}

// PropagateSignalsToParent says, in an init function, whether signals to the family go to this type's parent. They do unless it says
// no.
func PropagateSignalsToParent(ctx Context, propagate bool) {
	run := ctx.state().run
	if !run.initializing {
		panic("longhaul: PropagateSignalsToParent is for init functions")
	}
	run.family.toParent = propagate
}

// targets are those in a direction, but not whoever it came from.
func (r *run) targets(toParent, toChildren bool, from string) []target {
	var targets []target
	if parent := r.runtime.Info.Parent; parent != nil && toParent && r.family.toParent && parent.WorkflowID != from {
		// Whichever run is open: the parent may have continued as new.
		targets = append(targets, target{external: commands.ExternalExecution{WorkflowID: parent.WorkflowID}})
	}
	if toChildren {
		for _, child := range r.runtime.RunningChildren() {
			if child.WorkflowID != from {
				targets = append(targets, target{child: child.Seq})
			}
		}
	}
	return targets
}

// passOn passes a signal to the family on, as its header says. It was had before if again is true.
func (r *run) passOn(meta definition.MessageMeta, name string, input types.Payloads) (signal *FamilySignal, again bool) {
	var header *converter.Payload
	for i := range meta.Header {
		if meta.Header[i].First == familyHeader {
			header = &meta.Header[i].Second
		}
	}
	if header == nil {
		return nil, false
	}
	call, err := converter.FromPayload[carried](*header)
	if err != nil {
		r.log(types.LogLevelWarn, fmt.Sprintf("Signal '%s' of event %d is passed on to nobody: its header %s does not decode: %s",
			name, meta.EventID, familyHeader, err))
		return nil, false
	}
	if r.family.known[call.ID] {
		return nil, true
	}
	r.family.know(call.ID)
	from := ""
	if sender, ok := meta.Sender.(definition.SenderWorkflow); ok {
		from = sender.Value.WorkflowID
	}
	for _, to := range r.targets(call.ToParent, call.ToChildren, from) {
		// Nobody waits for the outcome. A workflow that is cancelled still passes on what it gets.
		deliver(r.runtime, executor.NewToken(nil), to, host.Signal{Name: name, Input: input, Header: types.Header{{First: familyHeader, Second: *header}}})
	}
	return call.signal(), false
}

// deliverOwn delivers the oldest signal that the run has sent to itself. True if there was one.
func (r *run) deliverOwn() bool {
	if len(r.family.own) == 0 {
		return false
	}
	own := r.family.own[0]
	r.family.own = r.family.own[1:]
	r.deliver(own.meta, own.family, own.name, own.input)
	return true
}

// SignalFamily sends a signal to the family: to oneself, to the parent and to the children that run; with Propagate also to theirs in
// turn, each of whom gets it once. The future is known when at least one has it; its error is a *FamilySignalError.
//
// What goes to others is sent by this call, an external signal each; what goes to oneself leaves no event: it is handled once no other
// task can run. A type that says so by PropagateSignalsToParent never sends one to its parent.
func SignalFamily(ctx Context, name string, options FamilySignalOptions, args ...any) Future[None] {
	c := ctx.state()
	r := c.run
	r.runtime.MustWrite("workflow.SignalFamily")
	input, err := converter.ToPayloads(args...)
	if err != nil {
		return known(c, None{}, error(&conversionError{err}))
	}
	info := &r.runtime.Info
	call := carried{
		ID:         uuid(r.runtime, familyHeader),
		WorkflowID: info.WorkflowID,
		RunID:      info.RunID,
		ToParent:   options.Propagate && !options.NotToParent,
		ToChildren: options.Propagate && !options.NotToChildren,
	}
	payload, err := converter.ToPayload(call)
	if err != nil {
		return known(c, None{}, error(&conversionError{err}))
	}
	header := types.Header{{First: familyHeader, Second: payload}}
	r.family.know(call.ID)
	var sending []*operationFuture[None]
	for _, to := range r.targets(!options.NotToParent, !options.NotToChildren, "") {
		sending = append(sending, deliver(r.runtime, c.token, to, host.Signal{Name: name, Input: input, Header: header}))
	}
	if options.NotToSelf {
		return &familyFuture{context: c, name: name, sending: sending}
	}
	r.family.own = append(r.family.own, ownSignal{
		meta: definition.MessageMeta{
			// There is no event: it is newer than what is in history, and older than what comes next.
			EventID: int64(r.runtime.Host.TaskInfo().HistoryLength),
			Time:    r.runtime.Host.Now(),
			Sender:  definition.SenderWorkflow{Value: types.Execution{WorkflowID: info.WorkflowID, RunID: info.RunID}},
			Header:  header,
		},
		family: call.signal(),
		name:   name,
		input:  input,
	})
	return known(c, None{}, nil)
}

// familyFuture is a signal to others that nobody has yet.
type familyFuture struct {
	context *contextState
	name    string
	sending []*operationFuture[None]
	errors  []error
	known   bool
	err     error
}

func (f *familyFuture) poll() bool {
	if f.known {
		return true
	}
	var left []*operationFuture[None]
	reached := false
	for _, signal := range f.sending {
		if !signal.poll() {
			left = append(left, signal)
		} else if _, err := signal.Get(f.context); err != nil {
			f.errors = append(f.errors, err)
		} else {
			reached = true
		}
	}
	f.sending = left
	if !reached && len(left) > 0 {
		return false
	}
	f.known = true
	if !reached {
		f.err = &FamilySignalError{f.name, f.errors}
	}
	return true
}

func (f *familyFuture) pending() (string, uint32, source) {
	first := f.sending[0]
	return first.operation.Awaits(), first.operation.Seq, familySource{f}
}

// familySource is the end of any of the deliveries.
type familySource struct{ future *familyFuture }

func (s familySource) Add(wait *executor.Wait) {
	for _, signal := range s.future.sending {
		signal.operation.AtEnd().Add(wait)
	}
}

func (s familySource) Remove(wait *executor.Wait) {
	for _, signal := range s.future.sending {
		signal.operation.AtEnd().Remove(wait)
	}
}

func (f *familyFuture) IsReady() bool { return f.poll() }

func (f *familyFuture) Get(Context) (None, error) {
	until(f.context.run.runtime, f)
	return None{}, f.err
}

package executor

import (
	"slices"
	"time"

	"longhaul/internal/failure"
	"longhaul/internal/wit/commands"
	"longhaul/internal/wit/definition"
	"longhaul/internal/wit/types"
)

// Kind is what an operation is, as far as its cancellation goes.
type Kind uint8

// The kinds.
const (
	Timer Kind = iota
	Activity
	LocalActivity
	Child
	Signal
	CancelExternal
)

// what is how the user starts one.
func (k Kind) what() string {
	switch k {
	case Timer:
		return "workflow.NewTimer or workflow.Sleep"
	case Activity:
		return "workflow.ExecuteActivity"
	case LocalActivity:
		return "workflow.ExecuteLocalActivity"
	case Child:
		return "workflow.ExecuteChildWorkflow"
	case CancelExternal:
		return "workflow.RequestCancelExternalWorkflow"
	default:
		return "a signal to another workflow"
	}
}

// stage is one of the two things that a child awaits; other operations have an end only.
type stage struct {
	Waiters
	over    bool
	outcome definition.Outcome
}

// resolve takes an outcome, and adds the waits that it ends to those that have.
func (s *stage) resolve(outcome definition.Outcome, ended []*Wait) []*Wait {
	if s.over {
		return ended
	}
	s.over = true
	s.outcome = outcome
	return append(ended, s.waits.waits...)
}

// Operation is something that this run has started.
type Operation struct {
	Seq  uint32
	kind Kind
	// Whoever cancels it need not wait for the host.
	endsAtOnce bool
	token      *Token
	// Then is what follows when the host has ended it, if no task that waits for it has done that yet: it may be called when there is
	// nothing to do any more.
	Then func()
	// The workflow task in which it was started: until that task ends, nothing has been sent.
	workflowTask uint64
	cancelled    bool
	// It is among the token's operations.
	listed  bool
	started stage
	ended   stage
	// Of a child.
	WorkflowID   string
	WorkflowType string
	// What it is to who asks where the run waits: its name, or how long it takes.
	Name string
	Span time.Duration
	// wait is the one of who waits first, which most are alone.
	wait Wait
}

// Awaits is what waits for the operation wait for, in words.
func (o *Operation) Awaits() string {
	switch o.kind {
	case Timer:
		return "timer " + human(o.Span)
	case Activity:
		return "activity " + o.Name
	default:
		return o.Name
	}
}

// AwaitEnd waits until an operation has ended.
func (r *Runtime) AwaitEnd(o *Operation) {
	r.Proceed()
	if o.ended.outcome != nil {
		return
	}
	r.MustWrite("something that waits")
	wait := &o.wait
	if wait.number != 0 {
		// It waits, or has waited, for another task.
		wait = &Wait{}
	}
	*wait = Wait{seq: o.Seq, operation: o}
	r.park(wait)
	o.ended.Add(wait)
	for o.ended.outcome == nil {
		r.Block()
	}
	o.ended.Remove(wait)
	r.Leave(wait)
}

// Start starts an operation: send gives it to the host. It is cancelled at once if its token is.
func (r *Runtime) Start(kind Kind, endsAtOnce bool, token *Token, send func(operation *Operation)) *Operation {
	operation := r.Prepare(kind, endsAtOnce, token)
	send(operation)
	r.Sent(operation)
	return operation
}

// Prepare is Start as far as the host, which the caller then gives the operation; Sent follows.
func (r *Runtime) Prepare(kind Kind, endsAtOnce bool, token *Token) *Operation {
	r.MustWrite(kind.what())
	operation := new(Operation)
	operation.Seq = r.NextSeq()
	operation.kind = kind
	operation.endsAtOnce = endsAtOnce
	operation.token = token
	operation.workflowTask = r.currentWorkflowTask()
	r.operations.add(uint64(operation.Seq), operation)
	return operation
}

// Sent says that the host has the operation.
func (r *Runtime) Sent(operation *Operation) {
	if operation.kind == Child {
		r.children.add(uint64(operation.Seq), operation)
	}
	if token := operation.token; token != nil {
		if token.Cancelled() {
			r.CancelOperation(operation, token.Reason())
		} else {
			operation.listed = true
			token.operations = append(token.operations, operation)
			token.attach()
		}
	}
}

// ActivityEndsAtOnce tells whether a workflow that cancels such an activity goes on at once.
func ActivityEndsAtOnce(cancellation commands.ActivityCancellationType) bool {
	return cancellation != commands.ActivityCancellationTypeWaitCancellationCompleted
}

// ChildEndsAtOnce tells whether a workflow that cancels such a child goes on at once.
func ChildEndsAtOnce(cancellation commands.ChildCancellationType) bool {
	return cancellation == commands.ChildCancellationTypeAbandon || cancellation == commands.ChildCancellationTypeTryCancel
}

// resolve takes an outcome, and adds the waits that it ends to those that have.
func (o *Operation) resolve(outcome definition.Outcome, ended []*Wait) []*Wait {
	switch outcome.(type) {
	case definition.OutcomeChildStarted:
		return o.started.resolve(outcome, ended)
	case definition.OutcomeChildStartFailed:
		o.ended.over = true
		return o.started.resolve(outcome, ended)
	case definition.OutcomeCancelled, definition.OutcomeFailed:
		if o.kind == Child && !o.started.over {
			o.ended.over = true
			return o.started.resolve(outcome, ended)
		}
	}
	return o.ended.resolve(outcome, ended)
}

// CancelOperation cancels an operation, once, unless it has ended. It gives the waits that end.
func (r *Runtime) CancelOperation(o *Operation, reason string) []*Wait {
	if o.ended.over || o.cancelled || o.kind == CancelExternal {
		return nil
	}
	r.MustWrite("the cancellation of an operation")
	sent := o.workflowTask != r.currentWorkflowTask()
	switch o.kind {
	case Timer:
		r.Host.CancelTimer(o.Seq)
	case Activity:
		r.Host.CancelActivity(o.Seq)
	case LocalActivity:
		r.Host.CancelLocalActivity(o.Seq)
	case Child:
		r.Host.CancelChild(o.Seq, reason)
	case Signal:
		r.Host.CancelSignalExternal(o.Seq)
	}
	o.cancelled = true
	if sent && !o.endsAtOnce {
		return nil
	}
	waits := o.resolve(definition.OutcomeCancelled{Value: r.cancelledFailure(o)}, nil)
	r.forget(o)
	return waits
}

// forget drops an operation that has ended: nothing reaches it any more.
func (r *Runtime) forget(o *Operation) {
	r.operations.remove(uint64(o.Seq))
	if o.kind == Child {
		r.children.remove(uint64(o.Seq))
	}
	if o.listed {
		o.listed = false
		o.token.drop()
	}
}

func (r *Runtime) cancelledFailure(o *Operation) types.Failure {
	switch o.kind {
	case Timer:
		return types.Failure{failure.Cancelled("Timer cancelled")}
	case Activity, LocalActivity:
		return types.Failure{failure.Cancelled("Activity cancelled")}
	case Child:
		text := "Child Workflow execution cancelled"
		info := types.ChildWorkflowFailure{
			Namespace:    r.Info.Namespace,
			WorkflowID:   o.WorkflowID,
			WorkflowType: o.WorkflowType,
			RetryState:   types.RetryStateNonRetryableFailure,
		}
		return types.Failure{failure.Link(text, types.FailureInfoChildWorkflow{Value: info}), failure.Cancelled(text)}
	default:
		return types.Failure{failure.Cancelled("Signal was cancelled before being sent")}
	}
}

// RunningChildren are the children that have started and not ended, in the order in which they were started.
func (r *Runtime) RunningChildren() []*Operation {
	var running []*Operation
	for child := range r.children.all {
		if child.started.over && !child.ended.over {
			running = append(running, child)
		}
	}
	return running
}

func sortBySeq(operations []*Operation) {
	slices.SortFunc(operations, func(a, b *Operation) int { return int(a.Seq) - int(b.Seq) })
}

// Ended is an operation's outcome, if it has ended.
func (o *Operation) Ended() (definition.Outcome, bool) {
	return o.ended.outcome, o.ended.outcome != nil
}

// Started is what became of the start of a child, if that is known.
func (o *Operation) Started() (definition.Outcome, bool) {
	return o.started.outcome, o.started.outcome != nil
}

// AtEnd is who waits for the operation's end.
func (o *Operation) AtEnd() *Waiters { return &o.ended.Waiters }

// AtStart is who waits for the start of a child.
func (o *Operation) AtStart() *Waiters { return &o.started.Waiters }

package workflow

import (
	"longhaul/converter"
	"longhaul/internal/executor"
	"longhaul/internal/host"
	"longhaul/internal/wit/commands"
	"longhaul/internal/wit/definition"
	"longhaul/temporal"
)

// Execution names an execution.
type Execution struct {
	// ID is the workflow id.
	ID string
	// RunID is the run id; empty for whichever run is open.
	RunID string
}

// target is whom a signal is for: a child by the operation that started it, or any execution.
type target struct {
	child    uint32
	external commands.ExternalExecution
}

func externalTarget(workflowID, runID string) target {
	return target{external: commands.ExternalExecution{WorkflowID: workflowID, RunID: text(runID)}}
}

// SignalExternalWorkflow signals another execution in the namespace; without a run id, whichever run is open. The future is known
// when the signal was delivered, or could not be.
func SignalExternalWorkflow(ctx Context, workflowID, runID, signalName string, args ...any) Future[None] {
	return sendSignal(ctx.state(), externalTarget(workflowID, runID), signalName, args)
}

func sendSignal(c *contextState, to target, name string, args []any) Future[None] {
	c.run.runtime.MustWrite("a signal to another workflow")
	input, err := converter.ToPayloads(args...)
	if err != nil {
		return known(c, None{}, error(&conversionError{err}))
	}
	return deliver(c.run.runtime, c.token, to, host.Signal{Name: name, Input: input, Header: c.outgoingHeader()})
}

func deliver(r *executor.Runtime, token *executor.Token, to target, signal host.Signal) *operationFuture[None] {
	operation := r.Start(executor.Signal, false, token, func(o *executor.Operation) {
		if to.child != 0 {
			r.Host.SignalChild(o.Seq, to.child, signal)
		} else {
			r.Host.SignalExternal(o.Seq, to.external, signal)
		}
	})
	operation.Name = "delivery of signal " + signal.Name
	return &operationFuture[None]{runtime: r, operation: operation, read: delivered}
}

func delivered(outcome definition.Outcome) (None, error) {
	switch outcome := outcome.(type) {
	case definition.OutcomeFailed:
		return None{}, temporal.FromFailure(outcome.Value)
	case definition.OutcomeTimedOut:
		return None{}, temporal.FromFailure(outcome.Value)
	case definition.OutcomeCancelled:
		return None{}, temporal.FromFailure(outcome.Value)
	}
	return None{}, nil
}

// RequestCancelExternalWorkflow requests the cancellation of another execution in the namespace. The future is known when the request
// was delivered, or could not be.
func RequestCancelExternalWorkflow(ctx Context, workflowID, runID string) Future[None] {
	return RequestCancelExternalWorkflowWithReason(ctx, workflowID, runID, "")
}

// RequestCancelExternalWorkflowWithReason requests the cancellation of another execution, and says why.
func RequestCancelExternalWorkflowWithReason(ctx Context, workflowID, runID, reason string) Future[None] {
	r := ctx.state().run.runtime
	operation := r.Start(executor.CancelExternal, false, nil, func(o *executor.Operation) {
		r.Host.CancelExternal(o.Seq, externalTarget(workflowID, runID).external, reason)
	})
	operation.Name = "cancel request to " + workflowID
	return &operationFuture[None]{runtime: r, operation: operation, read: delivered}
}

//go:build wasip2

package host

import (
	"longhaul/internal/abi"
	"longhaul/internal/wit/commands"
	"longhaul/internal/wit/context"
	"longhaul/internal/wit/types"
)

// Imports is the host of a component.
type Imports struct{}

func (Imports) ScheduleActivity(seq uint32, options commands.ActivityOptions) {
	commands.ScheduleActivity(seq, options)
}

func (Imports) CancelActivity(seq uint32) { commands.CancelActivity(seq) }

func (Imports) ScheduleLocalActivity(seq uint32, options commands.LocalActivityOptions) {
	commands.ScheduleLocalActivity(seq, options)
}

func (Imports) CancelLocalActivity(seq uint32) { commands.CancelLocalActivity(seq) }

func (Imports) StartTimer(seq uint32, duration types.Duration, summary *string) {
	commands.StartTimer(seq, duration, summary)
}

func (Imports) CancelTimer(seq uint32) { commands.CancelTimer(seq) }

func (Imports) StartChild(seq uint32, options commands.ChildOptions) {
	commands.StartChild(seq, options)
}

func (Imports) CancelChild(seq uint32, reason string) { commands.CancelChild(seq, reason) }

func (Imports) SignalChild(seq, child uint32, signal Signal) {
	commands.SignalChild(seq, child, signal.Name, signal.Input, signal.Header)
}

func (Imports) SignalExternal(seq uint32, target commands.ExternalExecution, signal Signal) {
	commands.SignalExternal(seq, target, signal.Name, signal.Input, signal.Header)
}

func (Imports) CancelSignalExternal(seq uint32) { commands.CancelSignalExternal(seq) }

func (Imports) CancelExternal(seq uint32, target commands.ExternalExecution, reason string) {
	commands.CancelExternal(seq, target, reason)
}

func (Imports) Patched(id string, deprecated bool) bool { return commands.Patched(id, deprecated) }

func (Imports) SideEffect(seq uint32) *types.Payload { return commands.SideEffect(seq) }

func (Imports) RecordSideEffect(seq uint32, value types.Payload, summary *string) {
	commands.RecordSideEffect(seq, value, summary)
}

func (Imports) UpsertMemo(fields []Field) { commands.UpsertMemo(fields) }

func (Imports) UpsertSearchAttributes(attributes []Field) {
	commands.UpsertSearchAttributes(attributes)
}

func (Imports) SetCurrentDetails(details string) { commands.SetCurrentDetails(details) }

func (Imports) CompleteUpdate(id string, outcome abi.Result[types.Payloads, types.Failure]) {
	commands.CompleteUpdate(id, outcome)
}

func (Imports) Complete(output types.Payloads) { commands.Complete(output) }

func (Imports) Fail(failure types.Failure) { commands.Fail(failure) }

func (Imports) ContinueAsNew(options commands.ContinueAsNewOptions) { commands.ContinueAsNew(options) }

func (Imports) Cancelled(details types.Payloads) { commands.Cancelled(details) }

func (Imports) FailTask(failure types.Failure) { commands.FailTask(failure) }

func (Imports) Now() types.Timestamp { return context.Now() }

func (Imports) TaskInfo() context.WorkflowTask { return context.TaskInfo() }

func (Imports) Memo() []Named { return context.Memo() }

func (Imports) SearchAttributes() []Named { return context.SearchAttributes() }

func (Imports) Random(stream string, length uint32) []byte { return context.Random(stream, length) }

func (Imports) IsReplaying() bool { return context.IsReplaying() }

func (Imports) Log(level types.LogLevel, message string, fields []Label) {
	context.Log(level, message, fields)
}

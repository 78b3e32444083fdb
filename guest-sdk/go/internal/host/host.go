// Package host is what the SDK asks of the host: in a component the imports of the contract, in tests a fake.
package host

import (
	"longhaul/internal/abi"
	"longhaul/internal/wit/commands"
	"longhaul/internal/wit/context"
	"longhaul/internal/wit/types"
)

// Field is a named payload; without one it is removed.
type Field = abi.Pair[string, *types.Payload]

// Named is a named payload.
type Named = abi.Pair[string, types.Payload]

// Label is a named text.
type Label = abi.Pair[string, string]

// Signal is a signal to another execution.
type Signal struct {
	Name   string
	Input  types.Payloads
	Header types.Header
}

// Host is the interfaces `commands` and `context` of the contract.
type Host interface {
	ScheduleActivity(seq uint32, options commands.ActivityOptions)
	CancelActivity(seq uint32)
	ScheduleLocalActivity(seq uint32, options commands.LocalActivityOptions)
	CancelLocalActivity(seq uint32)
	StartTimer(seq uint32, duration types.Duration, summary *string)
	CancelTimer(seq uint32)
	StartChild(seq uint32, options commands.ChildOptions)
	CancelChild(seq uint32, reason string)
	SignalChild(seq, child uint32, signal Signal)
	SignalExternal(seq uint32, target commands.ExternalExecution, signal Signal)
	CancelSignalExternal(seq uint32)
	CancelExternal(seq uint32, target commands.ExternalExecution, reason string)
	Patched(id string, deprecated bool) bool
	SideEffect(seq uint32) *types.Payload
	RecordSideEffect(seq uint32, value types.Payload, summary *string)
	UpsertMemo(fields []Field)
	UpsertSearchAttributes(attributes []Field)
	SetCurrentDetails(details string)
	CompleteUpdate(id string, outcome abi.Result[types.Payloads, types.Failure])
	Complete(output types.Payloads)
	Fail(failure types.Failure)
	ContinueAsNew(options commands.ContinueAsNewOptions)
	Cancelled(details types.Payloads)
	FailTask(failure types.Failure)

	Now() types.Timestamp
	TaskInfo() context.WorkflowTask
	Memo() []Named
	SearchAttributes() []Named
	Random(stream string, length uint32) []byte
	IsReplaying() bool
	Log(level types.LogLevel, message string, fields []Label)
}

package workflow

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"longhaul/converter"
	"longhaul/internal/abi"
	"longhaul/internal/failure"
	"longhaul/internal/host"
	"longhaul/internal/wit/commands"
	"longhaul/internal/wit/context"
	"longhaul/internal/wit/definition"
	"longhaul/internal/wit/types"
	"longhaul/temporal"
)

// fakeHost records commands as text.
type fakeHost struct {
	commands      []string
	logs          []string
	historyLength uint64
	random        byte
	patches       map[string]bool
	sideEffects   map[uint32]types.Payload
	replaying     bool
	// What the host knows of the run and of its task, beside the length of history.
	task       context.WorkflowTask
	memo       []host.Named
	attributes []host.Named
	// The options of the last of their kind.
	activity commands.ActivityOptions
	local    commands.LocalActivityOptions
	child    commands.ChildOptions
	next     commands.ContinueAsNewOptions
}

func (h *fakeHost) add(format string, args ...any) {
	h.commands = append(h.commands, fmt.Sprintf(format, args...))
}

// values is payloads as text.
func values(payloads types.Payloads) string {
	texts := make([]string, len(payloads))
	for i, payload := range payloads {
		texts[i] = string(payload.Data)
		if converter.Encoding(payload) == "binary/null" {
			texts[i] = "-"
		}
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

func sent(signal host.Signal) string {
	text := signal.Name + " " + values(signal.Input)
	for _, entry := range signal.Header {
		text += " " + entry.First + "=" + string(entry.Second.Data)
	}
	return text
}

func chain(f types.Failure) string { return temporal.FromFailure(f).Error() }

func (h *fakeHost) ScheduleActivity(seq uint32, o commands.ActivityOptions) {
	h.activity = o
	h.add("activity %d %s %s", seq, o.ActivityType, values(o.Input))
}
func (h *fakeHost) CancelActivity(seq uint32) { h.add("cancel-activity %d", seq) }
func (h *fakeHost) ScheduleLocalActivity(seq uint32, o commands.LocalActivityOptions) {
	h.local = o
	h.add("local-activity %d %s attempt %d", seq, o.ActivityType, o.Attempt)
}
func (h *fakeHost) CancelLocalActivity(seq uint32) { h.add("cancel-local-activity %d", seq) }
func (h *fakeHost) StartTimer(seq uint32, d types.Duration, summary *string) {
	text := ""
	if summary != nil {
		text = " " + *summary
	}
	h.add("timer %d %ds%s", seq, d/1_000_000_000, text)
}
func (h *fakeHost) CancelTimer(seq uint32) { h.add("cancel-timer %d", seq) }
func (h *fakeHost) StartChild(seq uint32, o commands.ChildOptions) {
	h.child = o
	h.add("child %d %s %s %s", seq, o.WorkflowType, o.WorkflowID, values(o.Input))
}
func (h *fakeHost) CancelChild(seq uint32, reason string) { h.add("cancel-child %d %s", seq, reason) }
func (h *fakeHost) SignalChild(seq, child uint32, s host.Signal) {
	h.add("signal-child %d %d %s", seq, child, sent(s))
}
func (h *fakeHost) SignalExternal(seq uint32, target commands.ExternalExecution, s host.Signal) {
	h.add("signal-external %d %s %s", seq, target.WorkflowID, sent(s))
}
func (h *fakeHost) CancelSignalExternal(seq uint32) { h.add("cancel-signal-external %d", seq) }
func (h *fakeHost) CancelExternal(seq uint32, target commands.ExternalExecution, reason string) {
	h.add("cancel-external %d %s %s", seq, target.WorkflowID, reason)
}
func (h *fakeHost) Patched(id string, deprecated bool) bool {
	h.add("patched %s %t", id, deprecated)
	return !h.replaying || h.patches[id]
}
func (h *fakeHost) SideEffect(seq uint32) *types.Payload {
	value, known := h.sideEffects[seq]
	if !known {
		h.add("side-effect %d", seq)
		return nil
	}
	h.add("side-effect %d %s", seq, values(types.Payloads{value}))
	return &value
}
func (h *fakeHost) RecordSideEffect(seq uint32, value types.Payload, summary *string) {
	h.add("record %d %s %s", seq, values(types.Payloads{value}), or(summary))
}
func (h *fakeHost) UpsertMemo(fields []host.Field) {
	h.add("memo%s", upsert(&h.memo, fields))
}
func (h *fakeHost) UpsertSearchAttributes(fields []host.Field) {
	h.add("search-attributes%s", upsert(&h.attributes, fields))
}

// upsert changes fields, and gives what it changes as text.
func upsert(of *[]host.Named, fields []host.Field) string {
	text := ""
	for _, field := range fields {
		*of = slices.DeleteFunc(*of, func(old host.Named) bool { return old.First == field.First })
		value := "-"
		if field.Second != nil {
			*of = append(*of, host.Named{First: field.First, Second: *field.Second})
			value = string(field.Second.Data)
		}
		text += " " + field.First + "=" + value
	}
	return text
}

func (h *fakeHost) SetCurrentDetails(details string) { h.add("details %s", details) }
func (h *fakeHost) CompleteUpdate(id string, outcome abi.Result[types.Payloads, types.Failure]) {
	if outcome.Err != nil {
		h.add("update %s failed: %s", id, chain(*outcome.Err))
		return
	}
	h.add("update %s %s", id, values(outcome.Value))
}
func (h *fakeHost) Complete(output types.Payloads) { h.add("complete %s", values(output)) }
func (h *fakeHost) Fail(f types.Failure)           { h.add("fail %s", chain(f)) }
func (h *fakeHost) ContinueAsNew(o commands.ContinueAsNewOptions) {
	h.next = o
	h.add("continue-as-new %s", values(o.Input))
}
func (h *fakeHost) Cancelled(details types.Payloads) { h.add("cancelled %s", values(details)) }
func (h *fakeHost) FailTask(f types.Failure)         { h.add("fail-task %s", chain(f)) }
func (h *fakeHost) Now() types.Timestamp             { return 0 }
func (h *fakeHost) TaskInfo() context.WorkflowTask {
	task := h.task
	task.HistoryLength = h.historyLength
	return task
}
func (h *fakeHost) Memo() []host.Named             { return h.memo }
func (h *fakeHost) SearchAttributes() []host.Named { return h.attributes }
func (h *fakeHost) Random(_ string, length uint32) []byte {
	h.random++
	return slices.Repeat([]byte{h.random}, int(length))
}
func (h *fakeHost) IsReplaying() bool { return h.replaying }
func (h *fakeHost) Log(_ types.LogLevel, message string, _ []host.Label) {
	h.logs = append(h.logs, message)
}

// driver makes the host's calls by hand.
type driver struct {
	t     *testing.T
	host  *fakeHost
	guest *guest
	info  types.ExecutionInfo
	event int64
}

// begin defines one workflow type, and starts it.
func begin(t *testing.T, register func(), args ...any) *driver {
	t.Helper()
	d := prepare(t, register)
	d.start(args...)
	return d
}

func prepare(t *testing.T, register func()) *driver {
	t.Helper()
	definitions = nil
	register()
	h := &fakeHost{historyLength: 3}
	info := types.ExecutionInfo{Namespace: "default", WorkflowID: "w", RunID: "r", WorkflowType: definitions[0].name}
	return &driver{t: t, host: h, guest: &guest{host: h}, info: info}
}

func (d *driver) start(args ...any) {
	d.t.Helper()
	if result := d.guest.Start(d.info, d.payloads(args)); result.Err != nil {
		d.t.Fatal(chain(*result.Err))
	}
}

func (d *driver) payloads(args []any) types.Payloads {
	payloads, err := converter.ToPayloads(args...)
	if err != nil {
		d.t.Fatal(err)
	}
	return payloads
}

func (d *driver) meta() definition.MessageMeta {
	d.event++
	return definition.MessageMeta{EventID: d.event, Sender: definition.SenderClient{Value: "me"}}
}

func (d *driver) signal(name string, args ...any) { d.guest.Signal(d.meta(), name, d.payloads(args)) }

func (d *driver) update(id, name string, args ...any) {
	d.guest.Update(id, d.meta(), name, d.payloads(args))
}

func (d *driver) query(name string, args ...any) string {
	result := d.guest.Query(name, d.payloads(args), nil)
	if result.Err != nil {
		return "failed: " + chain(*result.Err)
	}
	return string(result.Value.Data)
}

func (d *driver) done(seq uint32, output ...any) {
	d.guest.Resolve(seq, definition.OutcomeCompleted{Value: d.payloads(output)})
}

func (d *driver) failed(seq uint32, links ...types.FailureCause) {
	d.guest.Resolve(seq, definition.OutcomeFailed{Value: links})
}

// advance ends a workflow task: what it has commanded since the last one.
func (d *driver) advance() string {
	d.guest.Advance()
	commands := strings.Join(d.host.commands, "\n")
	d.host.commands = nil
	d.host.historyLength += 3
	return commands
}

func (d *driver) expect(have string, want ...string) {
	d.t.Helper()
	if have != strings.Join(want, "\n") {
		d.t.Errorf("have\n%s\nwant\n%s", have, strings.Join(want, "\n"))
	}
}

func activityFailed(cause types.FailureCause) []types.FailureCause {
	info := types.ActivityFailure{ActivityType: "charge", ActivityID: "1"}
	return []types.FailureCause{failure.Link("activity failed", types.FailureInfoActivity{Value: info}), cause}
}

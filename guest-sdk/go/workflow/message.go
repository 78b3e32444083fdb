package workflow

import (
	"time"

	"longhaul/converter"
	"longhaul/internal/host"
	"longhaul/internal/wit/definition"
	"longhaul/internal/wit/types"
)

// Sender is who sent a message: a client, or another workflow.
type Sender struct {
	// Identity is the client's; empty for a workflow.
	Identity string
	// Execution is the workflow; empty for a client.
	Execution Execution
}

// UpdateInfo is the update that a handler is working on.
type UpdateInfo struct {
	// ID is what the client gave it.
	ID string
	// Name is the update's name.
	Name string
}

// MessageInfo is the signal or update that a handler is working on.
type MessageInfo struct {
	// EventID is the event that holds it; 0 while it is validated. A signal to oneself has none: it is the newest event there was.
	EventID int64
	// Time is when the server took it.
	Time time.Time
	// Sender is who sent it.
	Sender Sender
	// Update is the update, if it is one.
	Update *UpdateInfo
	// Family is the signal to the family that it belongs to, if it belongs to one.
	Family *FamilySignal
	// Header is what came with it beside its arguments.
	Header Header
}

// Header is named values that travel beside arguments.
type Header []host.Named

func messageInfo(meta definition.MessageMeta, update *UpdateInfo, family *FamilySignal) *MessageInfo {
	return &MessageInfo{
		EventID: meta.EventID,
		Time:    moment(meta.Time),
		Sender:  senderOf(meta.Sender),
		Update:  update,
		Family:  family,
		Header:  Header(meta.Header),
	}
}

func senderOf(sender definition.Sender) Sender {
	switch sender := sender.(type) {
	case definition.SenderClient:
		return Sender{Identity: sender.Value}
	case definition.SenderWorkflow:
		return Sender{Execution: Execution{sender.Value.WorkflowID, sender.Value.RunID}}
	}
	return Sender{}
}

// GetMessageInfo is the signal or update that this handler is working on; nil in the main routine.
func GetMessageInfo(ctx Context) *MessageInfo { return ctx.state().message }

// GetCurrentUpdateInfo is the update that this handler is working on; nil elsewhere.
func GetCurrentUpdateInfo(ctx Context) *UpdateInfo {
	if message := ctx.state().message; message != nil {
		return message.Update
	}
	return nil
}

// GetHeader reads a value that came with the signal or update beside its arguments; in the main routine, with the start. False if
// there is none of that name.
func GetHeader[T any](ctx Context, name string) (value T, ok bool, err error) {
	header := ctx.state().run.runtime.Info.Header
	if message := ctx.state().message; message != nil {
		header = types.Header(message.Header)
	}
	for _, entry := range header {
		if entry.First == name {
			value, err = converter.FromPayload[T](entry.Second)
			return value, true, err
		}
	}
	return value, false, nil
}

// headerKey is the key under which a context keeps what goes with signals.
type headerKey struct{}

// WithHeader is the same context with a value that goes with the signals that are sent with it; receivers read it with GetHeader.
func WithHeader(ctx Context, name string, value any) (Context, error) {
	payload, err := converter.ToPayload(value)
	if err != nil {
		return ctx, err
	}
	header := append(types.Header{}, ctx.state().outgoingHeader()...)
	return WithValue(ctx, headerKey{}, append(header, host.Named{First: name, Second: payload})), nil
}

func (c *contextState) outgoingHeader() types.Header {
	header, _ := c.Value(headerKey{}).(types.Header)
	return header
}

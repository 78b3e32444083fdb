package workflow

import (
	"fmt"
	"time"

	"longhaul/converter"
	"longhaul/internal/executor"
	"longhaul/internal/wit/definition"
	"longhaul/internal/wit/types"
)

// SignalDelivery is a signal that was delivered.
type SignalDelivery[T any] struct {
	// Value is the signal's value.
	Value T
	// EventID is the event that holds it; larger for newer signals. A signal to oneself has none: it is the newest event there was.
	EventID int64
	// Time is when the server took it.
	Time time.Time
	// Sender is who sent it.
	Sender Sender
	// Family is the signal to the family that it belongs to, if it belongs to one.
	Family *FamilySignal
	// number tells several signals of one event id apart.
	number uint64
}

// kept is a signal that no handler has taken.
type kept struct {
	meta   definition.MessageMeta
	family *FamilySignal
	input  types.Payloads
	number uint64
	seen   bool
}

// mailbox is the signals of one name that no handler has taken, oldest first.
type mailbox struct {
	name    string
	signals []*kept
	waiters executor.Waiters
}

// signalBox is the signals that no handler has taken.
type signalBox struct {
	boxes  []*mailbox
	number uint64
}

func (b *signalBox) of(name string) *mailbox {
	for _, box := range b.boxes {
		if box.name == name {
			return box
		}
	}
	box := &mailbox{name: name}
	b.boxes = append(b.boxes, box)
	return box
}

// keep keeps a signal. Where no handler can come any more, only the newest of its name is of use; what was seen is of no use any more
// when a newer one is there.
func (b *signalBox) keep(r *executor.Runtime, signal kept, name string, newestOnly bool) {
	b.number++
	signal.number = b.number
	box := b.of(name)
	if newestOnly || box.seen() {
		box.signals = nil
	}
	box.signals = append(box.signals, &signal)
	box.waiters.Wake(r)
}

// seen tells whether somebody has had the newest signal, which is all that is left then.
func (b *mailbox) seen() bool { return len(b.signals) > 0 && b.signals[len(b.signals)-1].seen }

// see gives the newest signal to somebody who waits for the newest value: nobody gets it once more, nor those before it.
func (b *mailbox) see() *kept {
	signal := b.signals[len(b.signals)-1]
	if !signal.seen {
		signal.seen = true
		b.signals = []*kept{signal}
	}
	return signal
}

// take gives all signals away that nobody has had.
func (b *mailbox) take() []*kept {
	signals := b.signals
	if b.seen() {
		signals = nil
	}
	b.signals = nil
	return signals
}

// unseen are the names of signals that nobody has looked at.
func (b *signalBox) unseen() []string {
	var names []string
	for _, box := range b.boxes {
		if len(box.signals) > 0 && !box.seen() {
			names = append(names, box.name)
		}
	}
	return names
}

// SignalWait waits for a signal that has no handler: for the newest one of its name. It is a Future.
type SignalWait[T any] struct {
	context *contextState
	name    string
	box     *mailbox
	admits  func(*kept) bool
	known   bool
	value   SignalDelivery[T]
	err     error
}

// WaitSignal waits for the newest value of a signal that has no handler; Get returns at once if there is one. The name has to be
// declared in the init function, by DeclareSignal, or the type has to be dynamic.
func WaitSignal[T any](ctx Context, name string) *SignalWait[T] {
	c := ctx.state()
	return &SignalWait[T]{context: c, name: name, box: c.run.box.of(name), admits: func(*kept) bool { return true }}
}

// NewerThan waits for one that is newer than an event.
func (w *SignalWait[T]) NewerThan(eventID int64) *SignalWait[T] {
	w.admits = func(k *kept) bool { return k.meta.EventID > eventID }
	return w
}

// After waits for one that came after another. It also tells two signals apart that the workflow has sent to itself in one workflow
// task, and that therefore have the same event id.
func (w *SignalWait[T]) After(delivery SignalDelivery[T]) *SignalWait[T] {
	w.admits = func(k *kept) bool { return k.number > delivery.number }
	return w
}

// Peek is the newest value, without waiting; false if there is none.
func (w *SignalWait[T]) Peek() (SignalDelivery[T], bool, error) {
	w.context.run.runtime.Proceed()
	return w.newest()
}

func (w *SignalWait[T]) newest() (SignalDelivery[T], bool, error) {
	n := len(w.box.signals)
	if n == 0 || !w.admits(w.box.signals[n-1]) {
		return SignalDelivery[T]{}, false, nil
	}
	signal := w.box.see()
	value, err := converter.FromPayloads[T](signal.input)
	if err != nil {
		return SignalDelivery[T]{}, true, &conversionError{fmt.Errorf("signal %s does not decode: %w", w.name, err)}
	}
	return SignalDelivery[T]{
		Value:   value,
		EventID: signal.meta.EventID,
		Time:    moment(signal.meta.Time),
		Sender:  senderOf(signal.meta.Sender),
		Family:  signal.family,
		number:  signal.number,
	}, true, nil
}

func (w *SignalWait[T]) poll() bool {
	if !w.known {
		w.value, w.known, w.err = w.newest()
		if !w.known && w.context.token.Cancelled() {
			w.known, w.err = true, canceled()
		}
	}
	return w.known
}

func (w *SignalWait[T]) pending() (string, uint32, source) {
	return "signal " + w.name, 0, signalSource{w.box, w.context.token}
}

// signalSource is a signal or a cancellation.
type signalSource struct {
	box   *mailbox
	token *executor.Token
}

func (s signalSource) Add(wait *executor.Wait) {
	s.box.waiters.Add(wait)
	s.token.Add(wait)
}

func (s signalSource) Remove(wait *executor.Wait) {
	s.box.waiters.Remove(wait)
	s.token.Remove(wait)
}

// IsReady tells whether Get would return at once.
func (w *SignalWait[T]) IsReady() bool {
	w.context.run.runtime.Proceed()
	return w.poll()
}

// Get waits for the signal. The error is a *temporal.CanceledError if the context that the wait was made with is cancelled first.
func (w *SignalWait[T]) Get(Context) (SignalDelivery[T], error) {
	until(w.context.run.runtime, w)
	return w.value, w.err
}

// GetUnhandledSignalNames are the names of the signals that nobody has taken: neither a handler, nor who waits for one, nor who
// receives from a channel.
func GetUnhandledSignalNames(ctx Context) []string {
	run := ctx.state().run
	run.runtime.Proceed()
	return run.unhandledSignals()
}

// SignalChannelOptions are the options of GetSignalChannelWithOptions.
type SignalChannelOptions struct {
	// Description is what tools show.
	Description string
}

// GetSignalChannel is a channel of the values of a signal that has no handler, in the order in which they came. What does not decode
// is dropped with a warning. In an init function it declares the name. What is left in it when the workflow ends, or goes on as new, is
// warned about and lost: take it all by ReceiveAsync before that.
func GetSignalChannel[T any](ctx Context, name string) ReceiveChannel[T] {
	return GetSignalChannelWithOptions[T](ctx, name, SignalChannelOptions{})
}

// GetSignalChannelWithOptions is GetSignalChannel, with options. Those of the first call for a name count.
func GetSignalChannelWithOptions[T any](ctx Context, name string, options SignalChannelOptions) ReceiveChannel[T] {
	c := ctx.state()
	run := c.run
	if known, ok := run.channels[name]; ok {
		typed, ok := known.(*channel[T])
		if !ok {
			panic("longhaul: the channel of signal " + name + " was asked for with two types")
		}
		return typed
	}
	values := &channel[T]{run: run, name: name, unbounded: true}
	run.channels[name] = values
	run.unread = append(run.unread, func() (string, int) { return name, values.held() })
	register(c, &run.signals, signalHandler{
		descriptor: descriptor{name: name, description: options.Description},
		call: func(ctx *contextState, input types.Payloads) (func() error, error) {
			value, err := converter.Arguments[T](input)
			if err != nil {
				return nil, err
			}
			return func() error { values.SendAsync(value); return nil }, nil
		},
		plain: true,
	})
	run.deliverKept(name)
	return values
}

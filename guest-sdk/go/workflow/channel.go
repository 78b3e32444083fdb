package workflow

import (
	"time"

	"longhaul/internal/executor"
)

// Channel carries values between the tasks of one workflow, in the order in which they were sent. Unlike Go's own channels it lets
// tasks of handlers go on in their turn, and Selectors wait for it.
type Channel[T any] interface {
	SendChannel[T]
	ReceiveChannel[T]
}

// SendChannel is the end of a channel at which values go in.
type SendChannel[T any] interface {
	// Name is the channel's name.
	Name() string
	// Len is how many values wait to be taken.
	Len() int
	// Send waits until there is room for a value, or without a buffer until it was taken. If the channel is closed meanwhile, it panics.
	Send(ctx Context, value T)
	// SendAsync adds a value if there is room, or if somebody waits for one: true if so.
	SendAsync(value T) (ok bool)
	// Close says that nothing more comes. What is in the channel can still be taken; whoever waits to send panics, as in Go.
	Close()
}

// ReceiveChannel is the end of a channel at which values come out.
type ReceiveChannel[T any] interface {
	Waitable
	// Name is the channel's name.
	Name() string
	// Len is how many values wait to be taken.
	Len() int
	// Receive waits for a value. There is no more if the channel is closed and empty.
	Receive(ctx Context) (value T, more bool)
	// ReceiveWithTimeout waits for a value, but not longer than that, and not longer than until the context is cancelled: ok tells
	// whether there is one. Where nothing is there at once, this is a timer.
	ReceiveWithTimeout(ctx Context, timeout time.Duration) (value T, ok, more bool)
	// ReceiveAsync takes a value if there is one: ok tells.
	ReceiveAsync() (value T, ok bool)
	// ReceiveAsyncWithMoreFlag takes a value if there is one, and tells whether more can come.
	ReceiveAsyncWithMoreFlag() (value T, ok, more bool)
}

type channel[T any] struct {
	run      *run
	name     string
	capacity int
	// Signals are never kept waiting.
	unbounded bool
	values    []T
	closed    bool
	// The channel of a context: closed when its token is cancelled.
	token     *executor.Token
	receivers executor.Waiters
	senders   []*sending[T]
}

// sending is a value that waits for room.
type sending[T any] struct {
	value T
	wait  *executor.Wait
	sent  bool
}

// NewChannel is a channel without a buffer: Send waits until the value was taken.
func NewChannel[T any](ctx Context) Channel[T] { return NewNamedBufferedChannel[T](ctx, "", 0) }

// NewNamedChannel is a channel without a buffer that stack traces name.
func NewNamedChannel[T any](ctx Context, name string) Channel[T] {
	return NewNamedBufferedChannel[T](ctx, name, 0)
}

// NewBufferedChannel is a channel with room for that many values.
func NewBufferedChannel[T any](ctx Context, size int) Channel[T] {
	return NewNamedBufferedChannel[T](ctx, "", size)
}

// NewNamedBufferedChannel is a channel with room for that many values that stack traces name.
func NewNamedBufferedChannel[T any](ctx Context, name string, size int) Channel[T] {
	return &channel[T]{run: ctx.state().run, name: name, capacity: size}
}

// doneChannel is closed when a token is cancelled.
func doneChannel(run *run, token *executor.Token) Channel[None] {
	return &channel[None]{run: run, name: "cancellation", token: token}
}

func (c *channel[T]) Name() string { return c.name }

func (c *channel[T]) Len() int {
	c.run.runtime.Proceed()
	return c.held()
}

func (c *channel[T]) held() int { return len(c.values) + len(c.senders) }

func (c *channel[T]) Receive(Context) (value T, more bool) {
	until(c.run.runtime, c)
	value, _, more = c.take()
	return value, more
}

func (c *channel[T]) ReceiveWithTimeout(ctx Context, timeout time.Duration) (value T, ok, more bool) {
	c.run.runtime.MustWrite("Channel.ReceiveWithTimeout")
	if !c.poll() && timeout > 0 && ctx.Err() == nil {
		inner, cancel := WithCancel(ctx)
		NewSelector(ctx).AddReceive(c, func() {}).AddFuture(NewTimer(inner, timeout), func() {}).Select(ctx)
		cancel()
	}
	return c.take()
}

func (c *channel[T]) ReceiveAsync() (value T, ok bool) {
	value, ok, _ = c.ReceiveAsyncWithMoreFlag()
	return value, ok
}

func (c *channel[T]) ReceiveAsyncWithMoreFlag() (value T, ok, more bool) {
	c.run.runtime.Proceed()
	return c.take()
}

func (c *channel[T]) take() (value T, ok, more bool) {
	var none T
	switch {
	case len(c.values) > 0:
		value = c.values[0]
		c.values[0] = none
		c.values = c.values[1:]
		if len(c.senders) > 0 && len(c.values) < c.capacity {
			c.values = append(c.values, c.senders[0].value)
			c.admit()
		}
		return value, true, true
	case len(c.senders) > 0:
		value = c.senders[0].value
		c.admit()
		return value, true, true
	}
	return none, false, !c.isClosed()
}

// admit lets the first that waits to send go on.
func (c *channel[T]) admit() {
	first := c.senders[0]
	c.senders = c.senders[1:]
	if len(c.senders) == 0 {
		c.senders = nil
	}
	first.sent = true
	c.run.runtime.Wake(first.wait)
}

func (c *channel[T]) Send(_ Context, value T) {
	r := c.run.runtime
	r.Proceed()
	if c.add(value, c.capacity) {
		return
	}
	s := &sending[T]{value: value, wait: r.Park("room in the channel "+c.name, 0)}
	c.senders = append(c.senders, s)
	c.receivers.Wake(r)
	for !s.sent {
		if c.isClosed() {
			c.refuseSend()
		}
		r.Block()
	}
	r.Leave(s.wait)
}

func (c *channel[T]) SendAsync(value T) bool {
	c.run.runtime.Proceed()
	return c.add(value, c.capacity+c.receivers.Len())
}

// add adds a value if there are fewer than so many.
func (c *channel[T]) add(value T, room int) bool {
	if c.isClosed() {
		c.refuseSend()
	}
	if !c.unbounded && (len(c.senders) > 0 || len(c.values) >= room) {
		return false
	}
	c.values = append(c.values, value)
	c.receivers.Wake(c.run.runtime)
	return true
}

func (c *channel[T]) refuseSend() {
	panic("longhaul: a value was sent on the closed channel " + c.name)
}

func (c *channel[T]) Close() {
	switch {
	case c.token != nil:
		panic("longhaul: the channel of a context is closed by cancelling it")
	case c.closed:
		panic("longhaul: the channel " + c.name + " was closed before")
	}
	c.closed = true
	c.receivers.Wake(c.run.runtime)
	senders := c.senders
	c.senders = nil
	for _, s := range senders {
		c.run.runtime.Wake(s.wait)
	}
}

func (c *channel[T]) isClosed() bool {
	return c.closed || c.token != nil && c.token.Cancelled()
}

func (c *channel[T]) poll() bool { return c.held() > 0 || c.isClosed() }

// over: it is closed, and what was in it was taken.
func (c *channel[T]) over() bool { return c.held() == 0 && c.isClosed() }

func (c *channel[T]) pending() (string, uint32, source) {
	if c.token != nil {
		return c.name, 0, c.token
	}
	awaits := "channel"
	if c.name != "" {
		awaits += " " + c.name
	}
	return awaits, 0, &c.receivers
}

package workflow

import (
	"longhaul/internal/executor"
)

// Channel carries values between the tasks of one workflow, in the order in which they were sent. Unlike Go's own channels it lets
// tasks of handlers go on in their turn, and Selectors wait for it.
type Channel[T any] struct {
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
func NewChannel[T any](ctx Context) *Channel[T] {
	return &Channel[T]{run: ctx.state().run}
}

// NewNamedChannel is a channel without a buffer that stack traces name.
func NewNamedChannel[T any](ctx Context, name string) *Channel[T] {
	return &Channel[T]{run: ctx.state().run, name: name}
}

// NewBufferedChannel is a channel with room for that many values.
func NewBufferedChannel[T any](ctx Context, size int) *Channel[T] {
	return &Channel[T]{run: ctx.state().run, capacity: size}
}

// doneChannel is closed when a token is cancelled.
func doneChannel(run *run, token *executor.Token) *Channel[None] {
	return &Channel[None]{run: run, name: "cancellation", token: token}
}

// Name is the channel's name.
func (c *Channel[T]) Name() string { return c.name }

// Len is how many values wait to be taken.
func (c *Channel[T]) Len() int {
	c.run.runtime.Proceed()
	return c.held()
}

func (c *Channel[T]) held() int { return len(c.values) + len(c.senders) }

// Receive waits for a value. The second result is false if the channel is closed and empty.
func (c *Channel[T]) Receive(Context) (value T, more bool) {
	until(c.run.runtime, c)
	value, _, more = c.take()
	return value, more
}

// ReceiveAsync takes a value if there is one.
func (c *Channel[T]) ReceiveAsync() (value T, ok bool) {
	c.run.runtime.Proceed()
	value, ok, _ = c.take()
	return value, ok
}

func (c *Channel[T]) take() (value T, ok, more bool) {
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
func (c *Channel[T]) admit() {
	first := c.senders[0]
	c.senders = c.senders[1:]
	if len(c.senders) == 0 {
		c.senders = nil
	}
	first.sent = true
	c.run.runtime.Wake(first.wait)
}

// Send waits until there is room for a value, or without a buffer until it was taken. If the channel is closed meanwhile, it panics.
func (c *Channel[T]) Send(_ Context, value T) {
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

// SendAsync adds a value if there is room, or if somebody waits for one: true if so.
func (c *Channel[T]) SendAsync(value T) bool {
	c.run.runtime.Proceed()
	return c.add(value, c.capacity+c.receivers.Len())
}

// add adds a value if there are fewer than so many.
func (c *Channel[T]) add(value T, room int) bool {
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

func (c *Channel[T]) refuseSend() {
	panic("longhaul: a value was sent on the closed channel " + c.name)
}

// Close says that nothing more comes. What is in the channel can still be taken; whoever waits to send panics, as in Go.
func (c *Channel[T]) Close() {
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

func (c *Channel[T]) isClosed() bool {
	return c.closed || c.token != nil && c.token.Cancelled()
}

func (c *Channel[T]) poll() bool { return c.held() > 0 || c.isClosed() }

// over: it is closed, and what was in it was taken.
func (c *Channel[T]) over() bool { return c.held() == 0 && c.isClosed() }

func (c *Channel[T]) pending() (string, uint32, source) {
	if c.token != nil {
		return c.name, 0, c.token
	}
	awaits := "channel"
	if c.name != "" {
		awaits += " " + c.name
	}
	return awaits, 0, &c.receivers
}

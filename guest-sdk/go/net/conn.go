package net

import (
	"context"
	"io"
	"net/netip"
	"sync"
	"time"
)

// Conn is a connection. Several goroutines may use it at once.
type Conn interface {
	// Read reads what has come, and waits where there is nothing. The end of what the other side sends is io.EOF.
	Read(p []byte) (n int, err error)
	// Write sends all of it, and waits where the other side does not take it.
	Write(p []byte) (n int, err error)
	// Close closes it; what reads or writes ends with ErrClosed.
	Close() error
	// LocalAddr is this side's address.
	LocalAddr() Addr
	// RemoteAddr is the other side's.
	RemoteAddr() Addr
	// SetDeadline says until when reads and writes may wait, also those that do now; the zero time is without end. What is late fails
	// with os.ErrDeadlineExceeded.
	SetDeadline(t time.Time) error
	// SetReadDeadline is SetDeadline for reads.
	SetReadDeadline(t time.Time) error
	// SetWriteDeadline is SetDeadline for writes.
	SetWriteDeadline(t time.Time) error
}

// PacketConn sends and receives datagrams. Several goroutines may use it at once.
type PacketConn interface {
	// ReadFrom receives a datagram, of which what p has no room for is lost, and says where it is from.
	ReadFrom(p []byte) (n int, addr Addr, err error)
	// WriteTo sends a datagram to an address, a *UDPAddr.
	WriteTo(p []byte, addr Addr) (n int, err error)
	// Close closes it; what reads or writes ends with ErrClosed.
	Close() error
	// LocalAddr is this side's address.
	LocalAddr() Addr
	// SetDeadline is as that of a Conn.
	SetDeadline(t time.Time) error
	// SetReadDeadline is SetDeadline for reads.
	SetReadDeadline(t time.Time) error
	// SetWriteDeadline is SetDeadline for writes.
	SetWriteDeadline(t time.Time) error
}

// TCPConn is a TCP connection.
type TCPConn struct {
	ends
	stream stream
	// Held by who reads and who writes.
	reading, writing sync.Mutex
}

// stream is a TCP connection of the host's. One goroutine reads and one writes at a time, and none when it is closed.
type stream interface {
	read(ctx context.Context, p []byte) (int, error)
	write(ctx context.Context, p []byte) (int, error)
	shutdown(reads bool) error
	close() error
}

func newTCPConn(network string, s stream, local, remote netip.AddrPort) *TCPConn {
	c := &TCPConn{ends: newEnds(network), stream: s}
	c.local, c.remote = tcpAddr(local), tcpAddr(remote)
	return c
}

// Read reads what has come, and waits where there is nothing.
func (c *TCPConn) Read(p []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	ctx := c.reads.context()
	if ctx.Err() != nil {
		return 0, c.failed("read", context.Cause(ctx))
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := c.stream.read(ctx, p)
	if err != nil && err != io.EOF {
		err = c.failed("read", err)
	}
	return n, err
}

// Write sends all of it, and waits where the other side does not take it.
func (c *TCPConn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	ctx := c.writes.context()
	if ctx.Err() != nil {
		return 0, c.failed("write", context.Cause(ctx))
	}
	n, err := c.stream.write(ctx, p)
	if err != nil {
		err = c.failed("write", err)
	}
	return n, err
}

// CloseRead ends reading: what comes from now on is lost.
func (c *TCPConn) CloseRead() error { return c.shutdown(true) }

// CloseWrite tells the other side that this was all.
func (c *TCPConn) CloseWrite() error { return c.shutdown(false) }

func (c *TCPConn) shutdown(reads bool) error {
	if c.reads.isClosed() {
		return c.failed("close", ErrClosed)
	}
	if err := c.stream.shutdown(reads); err != nil {
		return c.failed("close", err)
	}
	return nil
}

// Close closes it. What was written is still sent.
func (c *TCPConn) Close() error { return c.close(&c.reading, &c.writing, c.stream.close) }

// ends is what all connections have.
type ends struct {
	network       string
	local, remote Addr
	reads, writes *limit
}

func newEnds(network string) ends {
	return ends{network: network, reads: newLimit(), writes: newLimit()}
}

// LocalAddr is this side's address.
func (e *ends) LocalAddr() Addr { return e.local }

// RemoteAddr is the other side's; nil where there is not one only.
func (e *ends) RemoteAddr() Addr { return e.remote }

// SetDeadline says until when reads and writes may wait, also those that do now; the zero time is without end.
func (e *ends) SetDeadline(t time.Time) error {
	if err := e.SetReadDeadline(t); err != nil {
		return err
	}
	return e.SetWriteDeadline(t)
}

// SetReadDeadline says until when reads may wait.
func (e *ends) SetReadDeadline(t time.Time) error { return e.set(e.reads, t) }

// SetWriteDeadline says until when writes may wait.
func (e *ends) SetWriteDeadline(t time.Time) error { return e.set(e.writes, t) }

func (e *ends) set(l *limit, t time.Time) error {
	if !l.set(t) {
		return e.failed("set", ErrClosed)
	}
	return nil
}

func (e *ends) failed(op string, err error) error {
	return &OpError{op, e.network, e.local, e.remote, err}
}

// close ends whatever waits, and gives the host's part back when nobody uses it any more.
func (e *ends) close(reading, writing *sync.Mutex, close func() error) error {
	if !e.reads.close() {
		return e.failed("close", ErrClosed)
	}
	e.writes.close()
	reading.Lock()
	defer reading.Unlock()
	writing.Lock()
	defer writing.Unlock()
	if err := close(); err != nil {
		return e.failed("close", err)
	}
	return nil
}

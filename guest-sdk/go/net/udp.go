package net

import (
	"context"
	"errors"
	"net/netip"
	"sync"
)

// UDPConn sends and receives datagrams: to and from one peer where Dial has made it, of all that are granted where ListenPacket has.
type UDPConn struct {
	ends
	socket datagrams
	// Held by who reads and who writes.
	reading, writing sync.Mutex
	// peer is the only one, if there is one.
	peer netip.AddrPort
}

// datagrams is a UDP socket of the host's. One goroutine receives and one sends at a time, and none when it is closed.
type datagrams interface {
	receive(ctx context.Context, p []byte) (int, netip.AddrPort, error)
	// send sends to the only peer where to is the zero value.
	send(ctx context.Context, p []byte, to netip.AddrPort) error
	close() error
}

func newUDPConn(network string, socket datagrams, local, peer netip.AddrPort) *UDPConn {
	c := &UDPConn{ends: newEnds(network), socket: socket, peer: peer}
	c.local = udpAddr(local)
	if peer.IsValid() {
		c.remote = udpAddr(peer)
	}
	return c
}

// Read receives a datagram, of which what p has no room for is lost.
func (c *UDPConn) Read(p []byte) (int, error) {
	n, _, err := c.receive(p)
	return n, err
}

// ReadFrom receives a datagram, of which what p has no room for is lost, and says where it is from.
func (c *UDPConn) ReadFrom(p []byte) (int, Addr, error) {
	n, from, err := c.receive(p)
	if err != nil {
		return n, nil, err
	}
	return n, udpAddr(from), nil
}

func (c *UDPConn) receive(p []byte) (int, netip.AddrPort, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	ctx := c.reads.context()
	if ctx.Err() != nil {
		return 0, netip.AddrPort{}, c.failed("read", context.Cause(ctx))
	}
	n, from, err := c.socket.receive(ctx, p)
	if err != nil {
		err = c.failed("read", err)
	}
	return n, from, err
}

// Write sends a datagram to the peer.
func (c *UDPConn) Write(p []byte) (int, error) {
	if !c.peer.IsValid() {
		return 0, c.failed("write", errors.New("there is no peer: use WriteTo"))
	}
	return c.send(p, c.peer)
}

// WriteTo sends a datagram to an address, a *UDPAddr.
func (c *UDPConn) WriteTo(p []byte, to Addr) (int, error) {
	at, ok := to.(*UDPAddr)
	switch {
	case c.peer.IsValid():
		return 0, c.failed("write", ErrWriteToConnected)
	case !ok || at == nil || !at.IP.IsValid():
		return 0, c.failed("write", &AddrError{"it is no *UDPAddr with an address", addressText(to)})
	}
	return c.send(p, at.AddrPort())
}

func addressText(a Addr) string {
	if at, ok := a.(*UDPAddr); a == nil || ok && at == nil {
		return "<nil>"
	}
	return a.String()
}

func (c *UDPConn) send(p []byte, to netip.AddrPort) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	ctx := c.writes.context()
	if ctx.Err() != nil {
		return 0, c.failed("write", context.Cause(ctx))
	}
	one := to
	if c.peer.IsValid() {
		one = netip.AddrPort{}
	}
	if err := c.socket.send(ctx, p, one); err != nil {
		err = place{to.Addr().String(), to.Port()}.told(err, to)
		return 0, &OpError{"write", c.network, c.local, udpAddr(to), err}
	}
	return len(p), nil
}

// Close closes it.
func (c *UDPConn) Close() error { return c.close(&c.reading, &c.writing, c.socket.close) }

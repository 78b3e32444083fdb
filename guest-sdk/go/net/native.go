//go:build !wasip2

package net

import (
	"context"
	"io"
	native "net"
	"net/netip"
	"time"
)

// past is a deadline that ends whatever waits.
var past = time.Unix(1, 0)

func lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	found, err := native.DefaultResolver.LookupNetIP(ctx, "ip", name)
	for i := range found {
		found[i] = found[i].Unmap()
	}
	if dns, ok := err.(*native.DNSError); ok {
		err = &DNSError{Name: name, Err: dns.Err, IsTimeout: dns.IsTimeout, IsTemporary: dns.IsTemporary, IsNotFound: dns.IsNotFound}
	}
	return found, cause(ctx, err)
}

func connectTCP(ctx context.Context, to netip.AddrPort) (stream, netip.AddrPort, error) {
	var dialer native.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, netip.AddrPort{}, cause(ctx, err)
	}
	tcp := conn.(*native.TCPConn)
	return &nativeStream{tcp}, tcp.LocalAddr().(*native.TCPAddr).AddrPort(), nil
}

// cause is why something was given up, as a component tells it, and else what Go's net has wrapped.
func cause(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if op, ok := err.(*native.OpError); ok {
		return op.Err
	}
	return err
}

// until calls something that waits, until a context ends.
func until(ctx context.Context, deadline func(time.Time) error, call func() (int, error)) (int, error) {
	late := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = deadline(past)
		close(late)
	})
	n, err := call()
	if !stop() {
		// It has ended. A later call has a context of its own.
		<-late
		_ = deadline(time.Time{})
	}
	if err != io.EOF {
		err = cause(ctx, err)
	}
	return n, err
}

type nativeStream struct{ conn *native.TCPConn }

func (s *nativeStream) read(ctx context.Context, p []byte) (int, error) {
	return until(ctx, s.conn.SetReadDeadline, func() (int, error) { return s.conn.Read(p) })
}

func (s *nativeStream) write(ctx context.Context, p []byte) (int, error) {
	return until(ctx, s.conn.SetWriteDeadline, func() (int, error) { return s.conn.Write(p) })
}

func (s *nativeStream) shutdown(reads bool) error {
	if reads {
		return s.conn.CloseRead()
	}
	return s.conn.CloseWrite()
}

func (s *nativeStream) close() error { return s.conn.Close() }

func openUDP(of family, at, peer netip.AddrPort) (datagrams, netip.AddrPort, error) {
	network := "udp4"
	if of == ipv6 {
		network = "udp6"
	}
	var conn *native.UDPConn
	var err error
	if peer.IsValid() {
		conn, err = native.DialUDP(network, nil, native.UDPAddrFromAddrPort(peer))
	} else {
		conn, err = native.ListenUDP(network, native.UDPAddrFromAddrPort(at))
	}
	if err != nil {
		return nil, netip.AddrPort{}, cause(context.Background(), err)
	}
	return &nativeSocket{conn}, conn.LocalAddr().(*native.UDPAddr).AddrPort(), nil
}

type nativeSocket struct{ conn *native.UDPConn }

func (s *nativeSocket) receive(ctx context.Context, p []byte) (n int, from netip.AddrPort, err error) {
	n, err = until(ctx, s.conn.SetReadDeadline, func() (int, error) {
		var err error
		n, from, err = s.conn.ReadFromUDPAddrPort(p)
		return n, err
	})
	return n, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), err
}

func (s *nativeSocket) send(ctx context.Context, p []byte, to netip.AddrPort) error {
	_, err := until(ctx, s.conn.SetWriteDeadline, func() (int, error) {
		if to.IsValid() {
			return s.conn.WriteToUDPAddrPort(p, to)
		}
		return s.conn.Write(p)
	})
	return err
}

func (s *nativeSocket) close() error { return s.conn.Close() }

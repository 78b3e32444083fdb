//go:build wasip2

package net

import (
	"context"
	"net/netip"
	"runtime"

	"longhaul/internal/poll"
	"longhaul/internal/wit/socketsnetwork"
	"longhaul/internal/wit/socketsudp"
	"longhaul/internal/wit/socketsudpcreatesocket"
)

// socket is a UDP socket of the host's.
type socket struct {
	handle socketsudp.UdpSocket
	input  socketsudp.IncomingDatagramStream
	output socketsudp.OutgoingDatagramStream
}

// openUDP opens a socket at an address, or where that is the zero value at a port of the system's choice, and connects it to the peer if
// there is one.
func openUDP(of family, at, peer netip.AddrPort) (datagrams, netip.AddrPort, error) {
	if !at.IsValid() {
		any := netip.IPv4Unspecified()
		if of == ipv6 {
			any = netip.IPv6Unspecified()
		}
		at = netip.AddrPortFrom(any, 0)
	}
	made := socketsudpcreatesocket.CreateUdpSocket(familyOf(of))
	if made.Err != nil {
		return nil, netip.AddrPort{}, failure(*made.Err)
	}
	handle := made.Value
	failed := func(code socketsnetwork.ErrorCode) (datagrams, netip.AddrPort, error) {
		handle.Drop()
		return nil, netip.AddrPort{}, failure(code)
	}
	if bound := handle.StartBind(ownNetwork(), socketAddress(at)); bound.Err != nil {
		return failed(*bound.Err)
	}
	if bound := handle.FinishBind(); bound.Err != nil {
		return failed(*bound.Err)
	}
	var remote *socketsnetwork.IpSocketAddress
	if peer.IsValid() {
		address := socketAddress(peer)
		remote = &address
	}
	ends := handle.Stream(remote)
	if ends.Err != nil {
		return failed(*ends.Err)
	}
	local := at
	if own := handle.LocalAddress(); own.Err == nil {
		local = addrPortOf(own.Value)
	}
	return &socket{handle, ends.Value.First, ends.Value.Second}, local, nil
}

func (s *socket) receive(ctx context.Context, p []byte) (int, netip.AddrPort, error) {
	for {
		received := s.input.Receive(1)
		if received.Err != nil {
			return 0, netip.AddrPort{}, failure(*received.Err)
		}
		if len(received.Value) > 0 {
			runtime.Gosched()
			datagram := received.Value[0]
			return copy(p, datagram.Data), addrPortOf(datagram.RemoteAddress), nil
		}
		if err := poll.Wait(ctx, s.input.Subscribe()); err != nil {
			return 0, netip.AddrPort{}, err
		}
	}
}

func (s *socket) send(ctx context.Context, p []byte, to netip.AddrPort) error {
	datagram := socketsudp.OutgoingDatagram{Data: p}
	if to.IsValid() {
		address := socketAddress(to)
		datagram.RemoteAddress = &address
	}
	for {
		room := s.output.CheckSend()
		if room.Err != nil {
			return failure(*room.Err)
		}
		if room.Value > 0 {
			sent := s.output.Send([]socketsudp.OutgoingDatagram{datagram})
			if sent.Err != nil {
				return failure(*sent.Err)
			}
			if sent.Value > 0 {
				runtime.Gosched()
				return nil
			}
		}
		if err := poll.Wait(ctx, s.output.Subscribe()); err != nil {
			return err
		}
	}
}

// close gives everything back to the host; what was made of another goes first.
func (s *socket) close() error {
	s.input.Drop()
	s.output.Drop()
	s.handle.Drop()
	return nil
}

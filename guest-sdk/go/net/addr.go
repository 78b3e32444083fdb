package net

import (
	"net/netip"
	"strconv"
	"strings"
)

// Addr is one end of a connection.
type Addr interface {
	// Network is "tcp" or "udp".
	Network() string
	// String is the address and the port.
	String() string
}

// TCPAddr is one end of a TCP connection.
type TCPAddr struct {
	// IP is the address.
	IP netip.Addr
	// Port is the port.
	Port int
}

// Network is "tcp".
func (*TCPAddr) Network() string { return "tcp" }

// String is the address and the port.
func (a *TCPAddr) String() string { return a.AddrPort().String() }

// AddrPort is both in one.
func (a *TCPAddr) AddrPort() netip.AddrPort { return netip.AddrPortFrom(a.IP, uint16(a.Port)) }

// UDPAddr is where datagrams come from or go to.
type UDPAddr struct {
	// IP is the address.
	IP netip.Addr
	// Port is the port.
	Port int
}

// Network is "udp".
func (*UDPAddr) Network() string { return "udp" }

// String is the address and the port.
func (a *UDPAddr) String() string { return a.AddrPort().String() }

// AddrPort is both in one.
func (a *UDPAddr) AddrPort() netip.AddrPort { return netip.AddrPortFrom(a.IP, uint16(a.Port)) }

// addr is an address in the terms of a protocol.
func addr(protocol string, at netip.AddrPort) Addr {
	if protocol == "udp" {
		return udpAddr(at)
	}
	return tcpAddr(at)
}

func tcpAddr(at netip.AddrPort) *TCPAddr { return &TCPAddr{at.Addr(), int(at.Port())} }

func udpAddr(at netip.AddrPort) *UDPAddr { return &UDPAddr{at.Addr(), int(at.Port())} }

// family is which addresses may be used.
type family uint8

const (
	anyFamily family = iota
	ipv4
	ipv6
)

// has tells whether an address is one of the family.
func (f family) has(ip netip.Addr) bool {
	return f == anyFamily || (f == ipv4) == ip.Is4()
}

// protocolOf takes the name of a network apart.
func protocolOf(network string) (protocol string, of family, err error) {
	protocol = network
	switch {
	case strings.HasSuffix(network, "4"):
		protocol, of = network[:len(network)-1], ipv4
	case strings.HasSuffix(network, "6"):
		protocol, of = network[:len(network)-1], ipv6
	}
	if protocol != "tcp" && protocol != "udp" {
		return "", 0, UnknownNetworkError(network)
	}
	return protocol, of, nil
}

// place is an address as the user has written it.
type place struct {
	host string
	port uint16
}

func (p place) String() string { return JoinHostPort(p.host, strconv.Itoa(int(p.port))) }

// placeOf reads `HOST:PORT`.
func placeOf(address string) (place, error) {
	host, port, err := SplitHostPort(address)
	if err != nil {
		return place{}, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return place{}, &AddrError{"the port is not a number up to 65535", address}
	}
	return place{host, uint16(number)}, nil
}

// SplitHostPort takes `HOST:PORT` or `[HOST]:PORT` apart.
func SplitHostPort(hostport string) (host, port string, err error) {
	wrong := func(why string) (string, string, error) { return "", "", &AddrError{why, hostport} }
	if inside, bracketed := strings.CutPrefix(hostport, "["); bracketed {
		var rest string
		var closed, colon bool
		if host, rest, closed = strings.Cut(inside, "]"); !closed {
			return wrong("missing ']' in address")
		}
		if port, colon = strings.CutPrefix(rest, ":"); !colon {
			return wrong("missing port in address")
		}
		if strings.Contains(port, ":") {
			return wrong("too many colons in address")
		}
	} else {
		at := strings.LastIndexByte(hostport, ':')
		if at < 0 {
			return wrong("missing port in address")
		}
		if host, port = hostport[:at], hostport[at+1:]; strings.Contains(host, ":") {
			return wrong("too many colons in address")
		}
	}
	if strings.ContainsAny(host, "[]") || strings.ContainsAny(port, "[]") {
		return wrong("unexpected bracket in address")
	}
	return host, port, nil
}

// JoinHostPort puts them together, with brackets around an address that has colons.
func JoinHostPort(host, port string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]:" + port
	}
	return host + ":" + port
}

package net

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"time"
)

// Dialer makes connections. The zero value is one.
type Dialer struct {
	// Timeout is for looking the name up and for the connection to any of its addresses; none if it is zero.
	Timeout time.Duration
	// Deadline is until when all of that may take; none if it is zero.
	Deadline time.Time
}

// Dial connects to an address: `HOST:PORT`, the host a name or an address, one of IPv6 in brackets. The network is tcp, tcp4, tcp6, udp,
// udp4 or udp6. The context of the activity does not end it: see Dialer.DialContext.
func Dial(network, address string) (Conn, error) {
	return new(Dialer).DialContext(context.Background(), network, address)
}

// DialTimeout is Dial with a limit.
func DialTimeout(network, address string, timeout time.Duration) (Conn, error) {
	return (&Dialer{Timeout: timeout}).DialContext(context.Background(), network, address)
}

// Dial is as the function.
func (d *Dialer) Dial(network, address string) (Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// shareMin is the least that one of several addresses gets, as in Go: a name with many of them needs more than the limit otherwise.
const shareMin = 2 * time.Second

// DialContext is Dial until a context ends. A connection that is made does not end with it. The addresses of a name are tried one after
// the other, each for its share of the time that is left; where none works, the first one's error is told.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (Conn, error) {
	failed := func(at Addr, err error) (Conn, error) { return nil, &OpError{"dial", network, nil, at, err} }
	protocol, of, err := protocolOf(network)
	if err != nil {
		return failed(nil, err)
	}
	to, err := placeOf(address)
	if err == nil && to.host == "" {
		err = &AddrError{"missing host in address", address}
	}
	if err != nil {
		return failed(nil, err)
	}
	ctx, done := d.limited(ctx)
	defer done()
	addresses, err := to.addresses(ctx, of)
	if err != nil {
		return failed(nil, err)
	}
	var first error
	for i, ip := range addresses {
		at := netip.AddrPortFrom(ip, to.port)
		conn, err := connect(ctx, len(addresses)-i, network, protocol, at)
		if err == nil {
			return conn, nil
		}
		if first == nil {
			_, first = failed(addr(protocol, at), to.told(err, at))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

// connect tries one address, with so many left to try.
func connect(ctx context.Context, left int, network, protocol string, to netip.AddrPort) (Conn, error) {
	if protocol == "udp" {
		socket, local, err := openUDP(family(0).of(to.Addr()), netip.AddrPort{}, to)
		if err != nil {
			return nil, err
		}
		return newUDPConn(network, socket, local, to), nil
	}
	if deadline, ok := ctx.Deadline(); ok && left > 1 {
		share := max(time.Until(deadline)/time.Duration(left), shareMin)
		limited, done := context.WithTimeoutCause(ctx, share, os.ErrDeadlineExceeded)
		defer done()
		ctx = limited
	}
	stream, local, err := connectTCP(ctx, to)
	if err != nil {
		return nil, err
	}
	return newTCPConn(network, stream, local, to), nil
}

// limited is a context with the limits of the dialer.
func (d *Dialer) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline := d.Deadline
	if d.Timeout > 0 {
		if own := time.Now().Add(d.Timeout); deadline.IsZero() || own.Before(deadline) {
			deadline = own
		}
	}
	if deadline.IsZero() {
		return ctx, func() {}
	}
	return context.WithDeadlineCause(ctx, deadline, os.ErrDeadlineExceeded)
}

// of is the family of an address.
func (family) of(ip netip.Addr) family {
	if ip.Is4() {
		return ipv4
	}
	return ipv6
}

// addresses are those that a host stands for, in the order of the host's resolver: at least one.
func (p place) addresses(ctx context.Context, of family) ([]netip.Addr, error) {
	found := []netip.Addr{}
	if ip, err := netip.ParseAddr(p.host); err == nil {
		found = append(found, ip.Unmap())
	} else if found, err = lookup(ctx, p.host); err != nil {
		return nil, p.lookupError(err)
	}
	fit := found[:0]
	for _, ip := range found {
		if of.has(ip) {
			fit = append(fit, ip)
		}
	}
	if len(fit) == 0 {
		return nil, &DNSError{Name: p.host, Err: "no suitable address", IsNotFound: true}
	}
	return fit, nil
}

func (p place) lookupError(err error) error {
	if dns, ok := err.(*DNSError); ok {
		return dns
	}
	err = p.told(err, netip.AddrPort{})
	return &DNSError{Name: p.host, Err: err.Error(), IsTimeout: isTimeout(err), why: err}
}

// Resolver looks names up, by the host's resolver. The zero value is one.
type Resolver struct{}

// DefaultResolver is what the functions use.
var DefaultResolver = &Resolver{}

// LookupHost gives the addresses of a name. Only names that are granted with a port can be looked up; an address is its own.
func LookupHost(host string) ([]string, error) {
	return DefaultResolver.LookupHost(context.Background(), host)
}

// LookupHost gives the addresses of a name.
func (r *Resolver) LookupHost(ctx context.Context, host string) ([]string, error) {
	found, err := r.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(found))
	for i, ip := range found {
		texts[i] = ip.String()
	}
	return texts, nil
}

// LookupNetIP gives the addresses of a name; the network is ip, ip4 or ip6.
func (r *Resolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	of := anyFamily
	switch network {
	case "ip":
	case "ip4":
		of = ipv4
	case "ip6":
		of = ipv6
	default:
		return nil, UnknownNetworkError(network)
	}
	found, err := place{host: host}.addresses(ctx, of)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// ResolveUDPAddr is where datagrams to `HOST:PORT` go: the first address of a name.
func ResolveUDPAddr(network, address string) (*UDPAddr, error) {
	protocol, of, err := protocolOf(network)
	if err == nil && protocol != "udp" {
		err = UnknownNetworkError(network)
	}
	if err != nil {
		return nil, err
	}
	to, err := placeOf(address)
	if err != nil {
		return nil, err
	}
	found, err := to.addresses(context.Background(), of)
	if err != nil {
		return nil, err
	}
	return udpAddr(netip.AddrPortFrom(found[0], to.port)), nil
}

// ListenPacket opens a socket for datagrams to and from all addresses that are granted, at a port of the system's choice: the address is
// ":0". The network is udp or udp4 for IPv4, and udp6 for IPv6.
func ListenPacket(network, address string) (PacketConn, error) {
	failed := func(at Addr, err error) (PacketConn, error) { return nil, &OpError{"listen", network, nil, at, err} }
	protocol, of, err := protocolOf(network)
	if err == nil && protocol != "udp" {
		err = UnknownNetworkError(network)
	}
	if err != nil {
		return failed(nil, err)
	}
	from, err := placeOf(address)
	if err != nil {
		return failed(nil, err)
	}
	ip := netip.IPv4Unspecified()
	if of == ipv6 {
		ip = netip.IPv6Unspecified()
	}
	if from.host != "" {
		if ip, err = netip.ParseAddr(from.host); err != nil || !of.has(ip) {
			return failed(nil, &AddrError{"it is no address of this machine", address})
		}
	}
	at := netip.AddrPortFrom(ip, from.port)
	socket, local, err := openUDP(of.of(ip), at, netip.AddrPort{})
	if err == errNotGranted {
		err = &DeniedError{fmt.Sprintf("an activity may not listen, on %s or elsewhere; no line grants it. Port 0, of the system's choice, "+
			"is there where `[grants.sockets]` in the module's settings has a line", at)}
	}
	if err != nil {
		return failed(udpAddr(at), err)
	}
	return newUDPConn(network, socket, local, netip.AddrPort{}), nil
}

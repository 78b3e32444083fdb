//go:build wasip2

package net

import (
	"context"
	"io"
	"net/netip"
	"runtime"
	"syscall"

	"longhaul/internal/poll"
	"longhaul/internal/wit/iostreams"
	"longhaul/internal/wit/socketsinstancenetwork"
	"longhaul/internal/wit/socketsipnamelookup"
	"longhaul/internal/wit/socketsnetwork"
	"longhaul/internal/wit/socketstcp"
	"longhaul/internal/wit/socketstcpcreatesocket"
)

// chunkBytes is how much is passed from the host at once.
const chunkBytes = 64 << 10

// network is the attempt's: a handle that is asked for once.
var network = struct {
	handle socketsnetwork.Network
	asked  bool
}{}

func ownNetwork() socketsnetwork.Network {
	if !network.asked {
		network.handle, network.asked = socketsinstancenetwork.InstanceNetwork(), true
	}
	return network.handle
}

// lookup asks for the addresses of a name.
func lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	asked := socketsipnamelookup.ResolveAddresses(ownNetwork(), name)
	if asked.Err != nil {
		return nil, nameFailure(name, *asked.Err)
	}
	answer := asked.Value
	defer answer.Drop()
	var found []netip.Addr
	for {
		next := answer.ResolveNextAddress()
		switch {
		case next.Err == nil && next.Value == nil:
			return found, nil
		case next.Err == nil:
			found = append(found, addrOf(*next.Value).Unmap())
		case *next.Err == socketsnetwork.ErrorCodeWouldBlock:
			if err := poll.Wait(ctx, answer.Subscribe()); err != nil {
				return nil, err
			}
		case *next.Err == socketsnetwork.ErrorCodeAccessDenied:
			// To ask for it was granted.
			return nil, errNotPublic
		default:
			return nil, nameFailure(name, *next.Err)
		}
	}
}

func nameFailure(name string, code socketsnetwork.ErrorCode) error {
	switch code {
	case socketsnetwork.ErrorCodeNameUnresolvable, socketsnetwork.ErrorCodePermanentResolverFailure, socketsnetwork.ErrorCodeInvalidArgument:
		return &DNSError{Name: name, Err: "no such host", IsNotFound: true}
	case socketsnetwork.ErrorCodeTemporaryResolverFailure:
		return &DNSError{Name: name, Err: "the resolver does not answer", IsTemporary: true}
	}
	return failure(code)
}

// connection is a connection of the host's.
type connection struct {
	socket socketstcp.TcpSocket
	input  iostreams.InputStream
	output iostreams.OutputStream
	// unsent: the host has something that the other side has not taken yet.
	unsent bool
}

func connectTCP(ctx context.Context, to netip.AddrPort) (stream, netip.AddrPort, error) {
	none := netip.AddrPort{}
	made := socketstcpcreatesocket.CreateTcpSocket(familyOf(anyFamily.of(to.Addr())))
	if made.Err != nil {
		return nil, none, failure(*made.Err)
	}
	socket := made.Value
	if begun := socket.StartConnect(ownNetwork(), socketAddress(to)); begun.Err != nil {
		socket.Drop()
		return nil, none, failure(*begun.Err)
	}
	for {
		if err := poll.Wait(ctx, socket.Subscribe()); err != nil {
			socket.Drop()
			return nil, none, err
		}
		ends := socket.FinishConnect()
		switch {
		case ends.Err == nil:
			local := none
			if own := socket.LocalAddress(); own.Err == nil {
				local = addrPortOf(own.Value)
			}
			return &connection{socket: socket, input: ends.Value.First, output: ends.Value.Second}, local, nil
		case *ends.Err != socketsnetwork.ErrorCodeWouldBlock:
			socket.Drop()
			return nil, none, failure(*ends.Err)
		}
	}
}

func (c *connection) read(ctx context.Context, p []byte) (int, error) {
	for {
		read := c.input.Read(uint64(min(len(p), chunkBytes)))
		if read.Err != nil {
			return 0, ended(*read.Err)
		}
		if len(read.Value) > 0 {
			// A connection that always has something would leave no time for anything else.
			runtime.Gosched()
			return copy(p, read.Value), nil
		}
		if err := poll.Wait(ctx, c.input.Subscribe()); err != nil {
			return 0, err
		}
	}
}

func (c *connection) write(ctx context.Context, p []byte) (int, error) {
	sent := 0
	for {
		room := c.output.CheckWrite()
		if room.Err != nil {
			c.unsent = false
			return sent, unwritable(*room.Err)
		}
		c.unsent = room.Value == 0
		switch {
		case c.unsent:
			if err := poll.Wait(ctx, c.output.Subscribe()); err != nil {
				return sent, err
			}
		case sent == len(p):
			// The system has all of it.
			runtime.Gosched()
			return sent, nil
		default:
			now := p[sent : sent+int(min(uint64(len(p)-sent), room.Value))]
			if written := c.output.Write(now); written.Err != nil {
				return sent, unwritable(*written.Err)
			}
			sent += len(now)
		}
	}
}

// unwritable is why a stream takes no more.
func unwritable(err iostreams.StreamError) error {
	why := ended(err)
	if why == io.EOF {
		return &systemError{syscall.EPIPE, "broken pipe"}
	}
	return why
}

func (c *connection) shutdown(reads bool) error {
	how := socketstcp.ShutdownTypeSend
	if reads {
		how = socketstcp.ShutdownTypeReceive
	}
	if done := c.socket.Shutdown(how); done.Err != nil {
		return failure(*done.Err)
	}
	return nil
}

func (c *connection) close() error {
	if !c.unsent {
		c.drop()
		return nil
	}
	// To give back a stream with something unsent would wait, and all other goroutines with it.
	go func() {
		_ = poll.Wait(context.Background(), c.output.Subscribe())
		c.drop()
	}()
	return nil
}

// drop gives everything back to the host; what was made of another goes first.
func (c *connection) drop() {
	c.input.Drop()
	c.output.Drop()
	c.socket.Drop()
}

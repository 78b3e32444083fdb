package net

import (
	"errors"
	"fmt"
	"net/netip"
)

// Error is what errors of this package are.
type Error interface {
	error
	// Timeout tells whether something took too long.
	Timeout() bool
}

// ErrClosed is what a connection gives that was closed here.
var ErrClosed = errors.New("use of closed network connection")

// ErrWriteToConnected is what WriteTo gives for a connection: it has one peer only.
var ErrWriteToConnected = errors.New("use of WriteTo with pre-connected connection")

// OpError is what went wrong, and with which connection.
type OpError struct {
	// Op is what was done: "dial", "read", "write", "close", "set", "listen".
	Op string
	// Net is the network as it was given: "tcp", "udp4" and so on.
	Net string
	// Source is this side's address, if there is one.
	Source Addr
	// Addr is the other side's, if it is known.
	Addr Addr
	// Err is what happened.
	Err error
}

// Error says all of it.
func (e *OpError) Error() string {
	text := e.Op
	if e.Net != "" {
		text += " " + e.Net
	}
	if e.Source != nil {
		text += " " + e.Source.String()
	}
	if e.Addr != nil {
		if e.Source != nil {
			text += "->"
		} else {
			text += " "
		}
		text += e.Addr.String()
	}
	return text + ": " + e.Err.Error()
}

// Unwrap is what happened.
func (e *OpError) Unwrap() error { return e.Err }

// Timeout tells whether something took too long.
func (e *OpError) Timeout() bool { return isTimeout(e.Err) }

func isTimeout(err error) bool {
	var limit interface{ Timeout() bool }
	return errors.As(err, &limit) && limit.Timeout()
}

// DeniedError is an address or a name that the module's settings do not grant.
type DeniedError struct {
	// Reason says why, and which line would grant it.
	Reason string
}

// Error says why, and what would grant it.
func (e *DeniedError) Error() string { return "denied: " + e.Reason }

// DNSError is a name that leads nowhere.
type DNSError struct {
	// Name is what was looked up.
	Name string
	// Err says why it leads nowhere.
	Err string
	// IsTimeout tells whether it took too long.
	IsTimeout bool
	// IsTemporary tells whether it may be known later.
	IsTemporary bool
	// IsNotFound tells whether there is no such name, or no address of the family that was asked for.
	IsNotFound bool
	// why is another error that Err is the text of.
	why error
}

// Error names what was looked up, and says why it leads nowhere.
func (e *DNSError) Error() string { return "lookup " + e.Name + ": " + e.Err }

// Unwrap is the error that Err is the text of, such as a *DeniedError; nil if there is none.
func (e *DNSError) Unwrap() error { return e.why }

// Timeout tells whether it took too long.
func (e *DNSError) Timeout() bool { return e.IsTimeout }

// AddrError is an address that cannot be read.
type AddrError struct {
	// Err says what is wrong.
	Err string
	// Addr is the address.
	Addr string
}

// Error says what is wrong with which address.
func (e *AddrError) Error() string { return "address " + e.Addr + ": " + e.Err }

// UnknownNetworkError is a network that is not tcp, tcp4, tcp6, udp, udp4 or udp6.
type UnknownNetworkError string

// Error names it.
func (e UnknownNetworkError) Error() string { return "unknown network " + string(e) }

// What the host says in one word; the line that would grant it is known here.
var (
	// errNotGranted: the name or the address is none of the module's settings.
	errNotGranted = errors.New("access denied")
	// errNotPublic: the name is, and what it stands for is not.
	errNotPublic = errors.New("access denied to what the name stands for")
)

// told is an error as the user sees it: what was denied names the line. at is the address, if it is known.
func (p place) told(err error, at netip.AddrPort) error {
	switch err {
	case errNotGranted:
		if p.port == 0 {
			return &DeniedError{fmt.Sprintf("the module may not look up %q; a line such as `connect = [%q]` under `[grants.sockets]` in its "+
				"settings grants it", p.host, JoinHostPort(p.host, "443"))}
		}
		line := p.String()
		denied := fmt.Sprintf("the module may not connect to %s; the line `connect = [%q]` under `[grants.sockets]` in its settings grants it", line, line)
		if at.IsValid() && at.Addr().String() != p.host {
			// What the host has refused is the address, which may have grounds of its own.
			denied += fmt.Sprintf(", unless the log of the attempt says otherwise of %s", at)
		}
		return &DeniedError{denied}
	case errNotPublic:
		return &DeniedError{fmt.Sprintf("%q stands for an address that is not public; the log of the attempt has the line under "+
			"`[grants.sockets]` in the module's settings that grants it", p.host)}
	}
	return err
}

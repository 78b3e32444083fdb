package net

import (
	"context"
	"errors"
	"io"
	native "net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

// serving is a server that does so with each connection, and its address.
func serving(t *testing.T, serve func(native.Conn)) string {
	t.Helper()
	listener, err := native.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			peer, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(peer)
		}
	}()
	return listener.Addr().String()
}

func dialed(t *testing.T, network, address string) Conn {
	t.Helper()
	conn, err := Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestWhatIsSentComesBackWhenAllOfItIsSent(t *testing.T) {
	address := serving(t, func(peer native.Conn) {
		text, _ := io.ReadAll(peer)
		_, _ = peer.Write(text)
		_ = peer.Close()
	})
	conn := dialed(t, "tcp", address)
	if _, err := io.WriteString(conn, "there and back"); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(conn)
	if err != nil || string(text) != "there and back" {
		t.Errorf("%q %v", text, err)
	}
	if conn.RemoteAddr().String() != address || conn.RemoteAddr().Network() != "tcp" || conn.LocalAddr().(*TCPAddr).Port == 0 {
		t.Errorf("%s %s", conn.RemoteAddr(), conn.LocalAddr())
	}
}

func TestADeadlineHoldsForWhatWaitsAlready(t *testing.T) {
	answer := make(chan struct{})
	address := serving(t, func(peer native.Conn) {
		<-answer
		_, _ = peer.Write([]byte("x"))
	})
	conn := dialed(t, "tcp4", address)
	late := make(chan error)
	read := func() {
		_, err := conn.Read(make([]byte, 1))
		late <- err
	}
	go read()
	if err := conn.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	err := <-late
	var op *OpError
	if !errors.As(err, &op) || op.Op != "read" || !op.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
	// What comes after it fails too, until it is moved.
	go read()
	if err := <-late; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	go read()
	close(answer)
	if err := <-late; err != nil {
		t.Errorf("%v", err)
	}
}

func TestCloseEndsWhatWaitsAndAllThatFollows(t *testing.T) {
	address := serving(t, func(native.Conn) {})
	conn := dialed(t, "tcp", address)
	ended := make(chan error)
	go func() {
		_, err := conn.Read(make([]byte, 1))
		ended <- err
	}()
	// Also where a deadline has passed before.
	if err := conn.SetWriteDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	_, written := conn.Write([]byte("x"))
	for _, err := range []error{<-ended, written, conn.Close(), conn.SetDeadline(time.Now()), conn.(*TCPConn).CloseWrite()} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%v", err)
		}
	}
}

func TestAContextEndsWhatMakesAConnectionAndNoMore(t *testing.T) {
	address := serving(t, func(peer native.Conn) { _, _ = peer.Write([]byte("x")) })
	ctx, cancel := context.WithCancelCause(context.Background())
	conn, err := new(Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	why := errors.New("enough")
	cancel(why)
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
	if _, err := new(Dialer).DialContext(ctx, "tcp", address); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
	late := Dialer{Timeout: time.Hour, Deadline: time.Now()}
	if _, err := late.Dial("tcp", address); !errors.Is(err, os.ErrDeadlineExceeded) || !err.(Error).Timeout() {
		t.Errorf("%v", err)
	}
}

func TestDatagramsHaveOnePeerOrMany(t *testing.T) {
	first, err := ListenPacket("udp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	port := first.LocalAddr().(*UDPAddr).Port
	to := udpAddr(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port)))
	peer := dialed(t, "udp", to.String())
	if _, err := peer.Write([]byte("question")); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 5)
	n, from, err := first.ReadFrom(text)
	if err != nil || string(text[:n]) != "quest" || from.String() != peer.LocalAddr().String() {
		t.Fatalf("%q %v %v", text, from, err)
	}
	if _, err := first.WriteTo([]byte("answer"), from); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 16)
	if n, err := peer.Read(answer); err != nil || string(answer[:n]) != "answer" {
		t.Errorf("%q %v", answer[:n], err)
	}
	_, connected := peer.(*UDPConn).WriteTo(nil, from)
	_, unconnected := first.(*UDPConn).Write(nil)
	_, nowhere := first.WriteTo(nil, nil)
	_, nobody := first.WriteTo(nil, (*UDPAddr)(nil))
	_, other := first.WriteTo(nil, &TCPAddr{})
	if !errors.Is(connected, ErrWriteToConnected) || unconnected == nil || nowhere == nil || nobody == nil || other == nil {
		t.Errorf("%v, %v, %v, %v, %v", connected, unconnected, nowhere, nobody, other)
	}
	if err := first.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := first.ReadFrom(text); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestWhatIsNoAddressIsRefused(t *testing.T) {
	for _, c := range [][3]string{
		{"tcp", "host", "missing port"},
		{"tcp", "host:", "not a number"},
		{"tcp", "host:http", "not a number"},
		{"tcp", "host:65536", "not a number"},
		{"tcp", "1:2:3", "too many colons"},
		{"tcp", "[1:2:3", "missing ']'"},
		{"tcp", "[::1]", "missing port"},
		{"tcp", "[::1]:2:3", "too many colons"},
		{"tcp", "ho[st:1", "bracket"},
		{"tcp", ":1", "missing host"},
		{"tcp4", "[::1]:1", "no suitable address"},
		{"tcp6", "127.0.0.1:1", "no suitable address"},
		{"unix", "/tmp", "unknown network unix"},
		{"", "a:1", "unknown network"},
	} {
		_, err := Dial(c[0], c[1])
		var op *OpError
		if !errors.As(err, &op) || !strings.Contains(err.Error(), c[2]) || op.Timeout() {
			t.Errorf("%v: %v", c, err)
		}
	}
	for _, address := range []string{"here:0", "[::1]:0", "", ":x"} {
		if conn, err := ListenPacket("udp4", address); err == nil {
			t.Errorf("%s: %s", address, conn.LocalAddr())
		}
	}
	if _, err := ListenPacket("tcp", ":0"); err == nil {
		t.Error("tcp has no datagrams")
	}
}

func TestAddressesAreTakenApartAndPutTogether(t *testing.T) {
	for _, c := range [][3]string{{"a:1", "a", "1"}, {"[::1]:2", "::1", "2"}, {":3", "", "3"}, {"a:", "a", ""}} {
		host, port, err := SplitHostPort(c[0])
		if err != nil || host != c[1] || port != c[2] || JoinHostPort(host, port) != c[0] {
			t.Errorf("%v: %q %q %v", c, host, port, err)
		}
	}
}

func TestADenialNamesTheLine(t *testing.T) {
	at := netip.MustParseAddrPort("192.0.2.1:7")
	for _, c := range []struct {
		place place
		err   error
		at    netip.AddrPort
		parts []string
	}{
		{place{"192.0.2.1", 7}, errNotGranted, at, []string{"to 192.0.2.1:7; the line `connect = [\"192.0.2.1:7\"]`", "[grants.sockets]"}},
		{place{"::1", 7}, errNotGranted, netip.AddrPort{}, []string{"`connect = [\"[::1]:7\"]`"}},
		{place{"a.example", 7}, errNotGranted, at, []string{"`connect = [\"a.example:7\"]`", "the log of the attempt", "192.0.2.1:7"}},
		{place{"a.example", 0}, errNotGranted, at, []string{"look up \"a.example\"", "`connect = [\"a.example:443\"]`"}},
		{place{"a.example", 7}, errNotPublic, at, []string{"\"a.example\" stands for an address that is not public"}},
	} {
		err := c.place.told(c.err, c.at)
		var denied *DeniedError
		if !errors.As(err, &denied) || !strings.HasPrefix(err.Error(), "denied: ") {
			t.Errorf("%v: %v", c.place, err)
		}
		for _, part := range c.parts {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%v: %q is missing: %v", c.place, part, err)
			}
		}
	}
	err := place{"a.example", 7}.lookupError(errNotGranted)
	if denied := (*DeniedError)(nil); !errors.As(err, &denied) || !strings.HasPrefix(err.Error(), "lookup a.example: denied: ") {
		t.Errorf("%v", err)
	}
	if other := errors.New("other"); (place{}).told(other, at) != other {
		t.Error("what was not denied is what it was")
	}
}

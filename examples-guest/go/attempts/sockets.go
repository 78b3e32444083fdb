package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"longhaul/activity"
	"longhaul/net"
	"longhaul/temporal"
)

// sockets does what a text says of connections; false if it says nothing of them.
func sockets(ctx context.Context, verb string, w *words) (told string, known bool, err error) {
	known = true
	switch verb {
	case "connect":
		told, err = connect(ctx, "tcp", w.next())
	case "lookup":
		var found []string
		found, err = net.DefaultResolver.LookupHost(ctx, w.next())
		told = strings.Join(found, " ")
	case "listen":
		told = "listening"
		_, err = net.ListenPacket("udp", w.next())
	case "send":
		told, err = sendTo(w.next())
	// As many bytes there and back, both at once.
	case "echo":
		told, err = echo(ctx, w.next(), w.number())
	// Wait for a line for so many milliseconds, ask for one, and wait for it without end.
	case "hear":
		told, err = hear(ctx, w.next(), time.Duration(w.number())*time.Millisecond)
	// Write a letter, and tell what reading ends with.
	case "end":
		told, err = end(ctx, w.next())
	// Closed by another goroutine while it is read.
	case "hangup":
		told, err = hangUp(ctx, w.next())
	// A peer that takes nothing: write so many bytes until a deadline, close it, and see that others still run.
	case "flood":
		told, err = flood(ctx, w.next(), w.number())
	// To have so many milliseconds for the connection.
	case "dial":
		var conn net.Conn
		limit := time.Duration(w.number()) * time.Millisecond
		deadline := time.Now().Add(limit)
		dialer := net.Dialer{Deadline: deadline}
		if conn, err = dialer.DialContext(ctx, "tcp", w.next()); err == nil {
			told, err = "connected", conn.Close()
		} else if wrong := (*net.OpError)(nil); !errors.As(err, &wrong) || !wrong.Timeout() {
			err = fmt.Errorf("it ended otherwise: %w", err)
		}
	// A datagram there and back, with one peer.
	case "ask":
		told, err = connect(ctx, "udp", w.next())
	// A datagram to one, and what comes first.
	case "first":
		told, err = first(w.next())
	default:
		known = false
	}
	return told, known, err
}

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	var dialer net.Dialer
	return dialer.DialContext(ctx, network, address)
}

// connect says a line; a datagram is answered.
func connect(ctx context.Context, network, address string) (string, error) {
	conn, err := dial(ctx, network, address)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "refused", nil
	}
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "reached\n"); err != nil || network == "tcp" {
		return "connected", err
	}
	answer := make([]byte, 64)
	n, err := conn.Read(answer)
	return string(answer[:n]), err
}

func sendTo(address string) (string, error) {
	to, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return "", err
	}
	conn, err := net.ListenPacket("udp", ":0")
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_, err = conn.WriteTo([]byte("reached"), to)
	return "sent", err
}

func first(address string) (string, error) {
	to, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return "", err
	}
	conn, err := net.ListenPacket("udp4", ":0")
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := conn.WriteTo([]byte("reached"), to); err != nil {
		return "", err
	}
	// Of what is longer than this the rest is lost.
	answer := make([]byte, 4)
	n, from, err := conn.ReadFrom(answer)
	if err != nil {
		return "", err
	}
	if from.String() != address {
		return "", fmt.Errorf("it is from %s", from)
	}
	if err := conn.SetReadDeadline(time.Now()); err != nil {
		return "", err
	}
	if _, _, err := conn.ReadFrom(answer); err == nil || !err.(net.Error).Timeout() {
		return "", fmt.Errorf("there was more: %v", err)
	}
	return string(answer[:n]), nil
}

func echo(ctx context.Context, address string, count int) (string, error) {
	conn, err := dial(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	written := make(chan error)
	go func() {
		_, err := conn.Write(letters(count))
		written <- errors.Join(err, conn.(*net.TCPConn).CloseWrite())
	}()
	back, err := io.ReadAll(conn)
	if err := errors.Join(<-written, err); err != nil {
		return "", err
	}
	if string(back) != string(letters(count)) {
		return "", fmt.Errorf("%d bytes came back, and not the same", len(back))
	}
	if conn.RemoteAddr().String() != address {
		return "", fmt.Errorf("it is %s", conn.RemoteAddr())
	}
	return conn.LocalAddr().String(), nil
}

// letters are that many, of which no part is like another near it.
func letters(count int) []byte {
	text := make([]byte, count)
	for i := range text {
		text[i] = byte(i % 251)
	}
	return text
}

func hear(ctx context.Context, address string, limit time.Duration) (string, error) {
	conn, err := dial(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	lines := bufio.NewReader(conn)
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return "", err
	}
	_, late := lines.ReadString('\n')
	var wrong net.Error
	if !errors.As(late, &wrong) || !wrong.Timeout() {
		return "", fmt.Errorf("it ended otherwise: %w", late)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, "now\n"); err != nil {
		return "", err
	}
	line, err := lines.ReadString('\n')
	// Both sides of it are known in tests only.
	_, why, _ := strings.Cut(late.Error(), ": ")
	return why + ", " + strings.TrimSpace(line), err
}

func end(ctx context.Context, address string) (string, error) {
	conn, err := dial(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("x")); err != nil {
		return "", err
	}
	n, err := conn.Read(make([]byte, 8))
	switch {
	case n > 0 || err == nil:
		return "", fmt.Errorf("%d bytes came", n)
	case err == io.EOF:
		return "ended", nil
	case errors.Is(err, syscall.ECONNRESET):
		return "reset", nil
	}
	return "", err
}

func hangUp(ctx context.Context, address string) (string, error) {
	conn, err := dial(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	ended := make(chan error)
	go func() {
		_, err := conn.Read(make([]byte, 8))
		ended <- err
	}()
	time.Sleep(time.Millisecond)
	if err := conn.Close(); err != nil {
		return "", err
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		return "", fmt.Errorf("it ended otherwise: %w", err)
	}
	_, err = conn.Write([]byte("x"))
	for _, err := range []error{err, conn.Close(), conn.SetDeadline(time.Now())} {
		if !errors.Is(err, net.ErrClosed) {
			return "", fmt.Errorf("it was not closed: %w", err)
		}
	}
	return "closed", nil
}

func flood(ctx context.Context, address string, count int) (string, error) {
	conn, err := dial(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	if err := conn.SetWriteDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		return "", err
	}
	n, err := conn.Write(make([]byte, count))
	var wrong net.Error
	if !errors.As(err, &wrong) || !wrong.Timeout() || n >= count {
		return "", fmt.Errorf("%d bytes: %w", n, err)
	}
	// What is not taken yet is sent if it is; nobody waits for that.
	if err := conn.Close(); err != nil {
		return "", err
	}
	other, err := dial(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	return "late", other.Close()
}

// hold connects, says so, and reads until it should stop.
func hold(ctx context.Context, address string) (string, error) {
	conn, err := dial(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })()
	if _, err := fmt.Fprintf(conn, "attempt %d\n", activity.GetInfo(ctx).Attempt); err != nil {
		return "", err
	}
	_, err = conn.Read(make([]byte, 8))
	if ctx.Err() != nil {
		return "", temporal.NewCanceledError(context.Cause(ctx).Error())
	}
	return "", err
}

// exhaustSockets opens connections without end.
func exhaustSockets(ctx context.Context, address string) (string, error) {
	var open []net.Conn
	for {
		conn, err := dial(ctx, "tcp", address)
		if err != nil {
			return "", fmt.Errorf("after %d: %w", len(open), err)
		}
		open = append(open, conn)
	}
}

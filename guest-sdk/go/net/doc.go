// Package net gives activities TCP and UDP, with the names of Go's net, which TinyGo has no driver for on WASI.
//
//	func ask(ctx context.Context, question string) (string, error) {
//		var dialer net.Dialer
//		conn, err := dialer.DialContext(ctx, "tcp", "db.example.com:5432")
//		if err != nil {
//			return "", err
//		}
//		defer conn.Close()
//		// What waits for the peer ends when the attempt should stop.
//		defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Now()) })()
//		if _, err := io.WriteString(conn, question+"\n"); err != nil {
//			return "", err
//		}
//		return bufio.NewReader(conn).ReadString('\n')
//	}
//
// The module's settings say which addresses may be reached:
//
//	[grants.sockets]
//	connect = ["db.example.com:5432"]
//
// Another address is a *DeniedError, which says which line would grant it. Whatever goes wrong is told by an *OpError, as in Go. While
// a goroutine waits for a connection, others of the attempt run.
//
// As in Go, the context of DialContext is for making the connection only; deadlines and Close end what reads and writes. Ports are
// numbers. What listens is not here, because no line grants it; ListenPacket opens a socket for datagrams at a port of the system's
// choice. What is sent over a connection is sent as it is: there is no TLS here. HTTP, with TLS, is longhaul/http's.
//
// Elsewhere than in a component, in tests of activities with ordinary Go, connections are Go's own.
package net

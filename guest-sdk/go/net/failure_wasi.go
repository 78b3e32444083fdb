//go:build wasip2

package net

import (
	"errors"
	"io"
	"strings"
	"syscall"

	"longhaul/internal/wit/iostreams"
	"longhaul/internal/wit/socketsnetwork"
)

// systemError is an error of the system's in words.
type systemError struct {
	number syscall.Errno
	text   string
}

func (e *systemError) Error() string { return e.text }

// Unwrap is the system's number: errors.Is(err, syscall.ECONNREFUSED).
func (e *systemError) Unwrap() error { return e.number }

// Timeout tells whether it took too long for the system.
func (e *systemError) Timeout() bool { return e.number == syscall.ETIMEDOUT }

// failure is what the host says in a word.
func failure(code socketsnetwork.ErrorCode) error {
	switch code {
	case socketsnetwork.ErrorCodeAccessDenied:
		return errNotGranted
	case socketsnetwork.ErrorCodeNewSocketLimit:
		return &systemError{syscall.EMFILE, "the attempts of this server hold as many open files and connections as they may; close what is " +
			"not needed any more"}
	case socketsnetwork.ErrorCodeTimeout:
		return &systemError{syscall.ETIMEDOUT, "connection timed out"}
	case socketsnetwork.ErrorCodeRemoteUnreachable:
		return &systemError{syscall.EHOSTUNREACH, "no route to host"}
	case socketsnetwork.ErrorCodeConnectionRefused:
		return &systemError{syscall.ECONNREFUSED, "connection refused"}
	case socketsnetwork.ErrorCodeConnectionReset:
		return &systemError{syscall.ECONNRESET, "connection reset by peer"}
	case socketsnetwork.ErrorCodeConnectionAborted:
		return &systemError{syscall.ECONNABORTED, "software caused connection abort"}
	case socketsnetwork.ErrorCodeDatagramTooLarge:
		return &systemError{syscall.EMSGSIZE, "message too long"}
	case socketsnetwork.ErrorCodeAddressInUse:
		return &systemError{syscall.EADDRINUSE, "address already in use"}
	case socketsnetwork.ErrorCodeAddressNotBindable:
		return &systemError{syscall.EADDRNOTAVAIL, "cannot assign requested address"}
	case socketsnetwork.ErrorCodeInvalidArgument:
		return &systemError{syscall.EINVAL, "invalid argument"}
	case socketsnetwork.ErrorCodeInvalidState:
		return &systemError{syscall.ENOTCONN, "not connected"}
	case socketsnetwork.ErrorCodeNotSupported:
		return &systemError{syscall.ENOTSUP, "operation not supported"}
	case socketsnetwork.ErrorCodeOutOfMemory:
		return &systemError{syscall.ENOMEM, "cannot allocate memory"}
	}
	return &systemError{syscall.EIO, "input/output error"}
}

// streamFailures are the words in which a stream tells the host's own.
var streamFailures = map[string]socketsnetwork.ErrorCode{
	"timeout":           socketsnetwork.ErrorCodeTimeout,
	"remoteunreachable": socketsnetwork.ErrorCodeRemoteUnreachable,
	"connectionreset":   socketsnetwork.ErrorCodeConnectionReset,
	"connectionaborted": socketsnetwork.ErrorCodeConnectionAborted,
	"connectionbroken":  socketsnetwork.ErrorCodeConnectionReset,
}

// ended is why a stream has no more, or takes none: io.EOF where it has just come to its end.
func ended(err iostreams.StreamError) error {
	failed, ok := err.(iostreams.StreamErrorLastOperationFailed)
	if !ok {
		return io.EOF
	}
	defer failed.Value.Drop()
	// What follows is for the host's own developers.
	text, _, _ := strings.Cut(failed.Value.ToDebugString(), "\n")
	word, _, _ := strings.Cut(text, " ")
	// Reads say ConnectionReset, and writes connection-reset.
	if code, known := streamFailures[strings.ToLower(strings.ReplaceAll(word, "-", ""))]; known {
		return failure(code)
	}
	return errors.New(text)
}

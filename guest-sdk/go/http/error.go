package http

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// Error is why there is no response, or not all of it. A Client's errors are of this type.
type Error struct {
	// Method is the request's method.
	Method string
	// URL is the request's address.
	URL string
	// Err is what happened.
	Err error
}

// Error names the request and says what happened.
func (e *Error) Error() string { return e.Method + " " + e.URL + ": " + e.Err.Error() }

// Unwrap is what happened.
func (e *Error) Unwrap() error { return e.Err }

// Timeout tells whether something took too long.
func (e *Error) Timeout() bool {
	var limit interface{ Timeout() bool }
	return errors.As(e.Err, &limit) && limit.Timeout()
}

// DeniedError is a request that the module's settings do not grant.
type DeniedError struct {
	// Reason says why, and which line would grant it.
	Reason string
}

// Error says why, and what would grant it.
func (e *DeniedError) Error() string { return "denied: " + e.Reason }

// StatusError is a response that says that the request has failed: Response.ErrorForStatus.
type StatusError struct {
	// StatusCode is from 400.
	StatusCode int
}

// Error names the status.
func (e *StatusError) Error() string { return "the server answered " + strconv.Itoa(e.StatusCode) }

// TooLongError is a response whose body is longer than the caller takes: Response.ReadAll.
type TooLongError struct {
	// Limit is the caller's, in bytes.
	Limit int64
}

// Error names the limit.
func (e *TooLongError) Error() string {
	return "the response is longer than " + strconv.FormatInt(e.Limit, 10) + " bytes"
}

// ErrBodyReadAfterClose is what a body gives that was closed.
var ErrBodyReadAfterClose = errors.New("the response's body is closed")

// silence is a limit of the host's, or of a Transport's, that has passed.
type silence struct{ text string }

func (e *silence) Error() string { return e.text }

func (e *silence) Timeout() bool { return true }

// late is the limit of a Client that has passed.
type late struct{ limit time.Duration }

func (e *late) Error() string { return "it took longer than " + e.limit.String() }

func (e *late) Timeout() bool { return true }

func (e *late) Is(target error) bool { return target == context.DeadlineExceeded }

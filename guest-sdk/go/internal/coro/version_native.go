//go:build !wasip2

package coro

// MustFit does nothing: elsewhere goroutines are Go's own.
func MustFit() {}

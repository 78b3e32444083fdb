//go:build !wasip2

package start

// MakeRoom does nothing: elsewhere the heap grows as it needs.
func MakeRoom() {}

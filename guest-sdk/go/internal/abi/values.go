// Package abi carries values across the boundary to the host, in the layout of WebAssembly's component model. The generated
// packages below longhaul/internal/wit are written in its terms.
package abi

import "unsafe"

// Pair is a tuple of two.
type Pair[A, B any] struct {
	First  A
	Second B
}

// Triple is a tuple of three.
type Triple[A, B, C any] struct {
	First  A
	Second B
	Third  C
}

// Result is a value, or where Err is not nil an error.
type Result[T, E any] struct {
	Value T
	Err   *E
}

// View is bytes as a text, without a copy: as long as nobody changes them.
func View(v []byte) string { return unsafe.String(unsafe.SliceData(v), len(v)) }

// Some is the address of a value: an option that has one.
func Some[T any](value T) *T { return &value }

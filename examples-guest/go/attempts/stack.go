package main

import "unsafe"

// overrun needs more of its goroutine's stack than there is, which nobody notices, and then does what ends in a crash. It does not wait.
func overrun() (string, error) {
	depth := wider(130)
	// No memory is that long.
	return "", *(*error)(unsafe.Add(unsafe.Pointer(&kept), 1<<30+depth))
}

// wider takes more of the stack with each call.
//
//go:noinline
func wider(n int) int {
	var room [256]byte
	fill(&room, byte(n))
	if n == 0 {
		return 0
	}
	return wider(n-1) + int(room[n%len(room)])
}

//go:noinline
func fill(room *[256]byte, with byte) {
	for i := range room {
		room[i] = with
	}
}

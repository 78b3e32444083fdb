//go:build wasip2

package start

import _ "unsafe" // for go:linkname

// heapBytes is what the heap has before the first call of a run. TinyGo leaves it what remains of a page, 64 KiB at most, most of
// which the runtime's own start takes: the first goroutine's stack would already make the collector run, which looks at all global
// variables, and then double the memory. Starting a run took 460 us so, and takes 90 us with the room made before (measured).
//
// A run that lives on fills the room once, and then collects each time it is full. The collector reads every goroutine's stack for what
// may be a pointer, whatever is alive: with 192 KiB it ran every 130 activations of one activity each, with 512 KiB every thousand, and
// then a third of the fuel of each is the collector's (measured).
const heapBytes = 512 << 10

// MakeRoom lets the heap grow to what a run needs at least. Only the addresses: a page takes memory when it is first written to.
func MakeRoom() {
	for heapEnd-heapStart < heapBytes && growHeap() {
	}
}

//go:linkname growHeap runtime.growHeap
func growHeap() bool

//go:extern runtime.heapStart
var heapStart uintptr

//go:extern runtime.heapEnd
var heapEnd uintptr

//go:build wasip2

package abi

import "unsafe"

// chunkBytes is how much memory values are given at once. Most calls need less than one of these.
const chunkBytes = 1024

// chunk is memory for values on their way to the host. It has the type of pointers so that the collector finds what it points to:
// the text of a string is not copied.
type chunk []unsafe.Pointer

// Two chunks are kept from call to call: what a usual call needs takes no new memory.
var (
	chunks []chunk
	// used bytes of the last chunk.
	used uintptr
	// held is what the host has allocated and nobody has taken over yet: nothing else points to it.
	held []unsafe.Pointer
	// calling: an import of the contract's is being called, or its result read. What the host allocates meanwhile is held until then.
	calling bool
	// inner is how many further blocks may belong to the last result of an import of TinyGo's runtime.
	inner uintptr
)

// Place is a state of the memory to go back to.
type Place struct {
	chunks int
	used   uintptr
	held   int
}

// Enter begins a call of the host: what the last one has returned has been read.
func Enter() {
	reset(Place{held: len(held)})
}

// Taken says that Go values now point to whatever the host has passed.
func Taken() { drop(0) }

// Mark is the present state; a call of an import follows, and then Release.
func Mark() Place {
	calling = true
	return Place{chunks: len(chunks), used: used, held: len(held)}
}

// Release gives memory back that was allocated since the mark.
func Release(place Place) {
	calling = false
	reset(place)
}

func reset(place Place) {
	if len(chunks) == 1 && place.chunks <= 1 && len(chunks[0]) == chunkWords(chunkBytes) {
		// The usual case: a call that needed little.
		used = place.used
		drop(place.held)
		return
	}
	if place.chunks == 0 && len(chunks) > 0 && len(chunks[0]) == chunkWords(chunkBytes) {
		// The first chunk stays.
		place.chunks = 1
		place.used = 0
	}
	for i := place.chunks; i < len(chunks); i++ {
		chunks[i] = nil
	}
	chunks = chunks[:place.chunks]
	used = place.used
	drop(place.held)
}

// drop lets go of all that is held but the first.
func drop(first int) {
	if len(held) > first {
		clear(held[first:])
		held = held[:first]
	}
}

func chunkWords(bytes uintptr) int {
	return int((bytes + unsafe.Sizeof(uintptr(0)) - 1) / unsafe.Sizeof(uintptr(0)))
}

// Allocate gives memory for a value, at an address that suits every type, until it is released.
func Allocate(bytes uintptr) unsafe.Pointer {
	bytes = (bytes + 7) &^ 7
	if len(chunks) == 0 || used+bytes > uintptr(len(chunks[len(chunks)-1]))*unsafe.Sizeof(uintptr(0)) {
		chunks = append(chunks, make(chunk, chunkWords(max(bytes, chunkBytes))))
		used = 0
	}
	last := chunks[len(chunks)-1]
	p := unsafe.Add(unsafe.Pointer(unsafe.SliceData(last)), used)
	used += bytes
	return p
}

const (
	// smallBytes is up to what length texts of the host have their place beside others: a payload comes with three of them, most of
	// them a few bytes long.
	smallBytes  = 64
	sharedBytes = 256
)

var (
	// shared is memory that small texts are cut from. It is kept as long as one of them is, and has no pointers: else what keeps one
	// text would keep all that its neighbours point to.
	shared []byte
	// cutBytes are how much of it is given away.
	cutBytes uintptr
)

func cut(bytes uintptr) unsafe.Pointer {
	bytes = (bytes + 7) &^ 7
	if shared == nil || cutBytes+bytes > sharedBytes {
		shared, cutBytes = make([]byte, sharedBytes), 0
	}
	p := unsafe.Add(unsafe.Pointer(unsafe.SliceData(shared)), cutBytes)
	cutBytes += bytes
	return p
}

// reallocate is how the host gets memory in this component for what it passes: parameters of exports and results of imports.
func reallocate(old unsafe.Pointer, oldBytes, align, bytes uintptr) unsafe.Pointer {
	// Blocks of the collector are aligned for every type.
	var block unsafe.Pointer
	if align > 1 {
		// Elements of a list, which may point to other blocks.
		block = unsafe.Pointer(unsafe.SliceData(make(chunk, chunkWords(bytes))))
	} else if bytes <= smallBytes {
		block = cut(bytes)
	} else {
		block = unsafe.Pointer(unsafe.SliceData(make([]byte, bytes)))
	}
	if old != nil && oldBytes > 0 {
		copy(unsafe.Slice((*byte)(block), bytes), unsafe.Slice((*byte)(old), min(oldBytes, bytes)))
	}
	held = append(held, block)
	return block
}

// forget lets go of the last result of an import of TinyGo's runtime (files, environment, clocks) when the block that is asked for
// belongs to the next one. Nobody says when such a result has been read, but it was before the next call: without this, all that an
// activity reads from files would stay in memory until it ends.
//
// Each of these results is a text or some bytes, or one list, whose block comes first; of the texts in it, each takes eight bytes there.
func forget(align, bytes uintptr) {
	switch {
	case align > 1:
		inner = bytes / 8
	case inner > 0:
		inner--
		return
	}
	drop(0)
}

// TinyGo's runtime has a `cabi_realloc` of its own, whose blocks nothing holds: a collection in the middle of a call would free
// them. These two are preferred to it.
//
//export cabi_export_realloc
func exportRealloc(old unsafe.Pointer, oldBytes, align, bytes uintptr) unsafe.Pointer {
	if bytes == 0 {
		return unsafe.Pointer(align)
	}
	return reallocate(old, oldBytes, align, bytes)
}

//export cabi_import_realloc
func importRealloc(old unsafe.Pointer, oldBytes, align, bytes uintptr) unsafe.Pointer {
	if bytes == 0 {
		return unsafe.Pointer(align)
	}
	if !calling && old == nil {
		forget(align, bytes)
	}
	return reallocate(old, oldBytes, align, bytes)
}

// Address is a pointer as a number.
func Address(p unsafe.Pointer) uint32 { return uint32(uintptr(p)) }

// Pointer is a number as a pointer.
func Pointer(address uint32) unsafe.Pointer { return unsafe.Pointer(uintptr(address)) }

//go:build wasip2

package abi

import "unsafe"

// StoreNothing stores no value.
func StoreNothing(unsafe.Pointer, struct{}) {}

// LoadNothing loads no value.
func LoadNothing(unsafe.Pointer) struct{} { return struct{}{} }

// StoreBool stores a truth value.
func StoreBool(p unsafe.Pointer, v bool) { *(*uint8)(p) = uint8(FlatBool(v)) }

// LoadBool loads a truth value.
func LoadBool(p unsafe.Pointer) bool { return *(*uint8)(p) != 0 }

// FlatBool is a truth value as a number.
func FlatBool(v bool) uint32 {
	if v {
		return 1
	}
	return 0
}

// StoreU8 stores a number.
func StoreU8(p unsafe.Pointer, v uint8) { *(*uint8)(p) = v }

// LoadU8 loads a number.
func LoadU8(p unsafe.Pointer) uint8 { return *(*uint8)(p) }

// StoreU16 stores a number.
func StoreU16(p unsafe.Pointer, v uint16) { *(*uint16)(p) = v }

// LoadU16 loads a number.
func LoadU16(p unsafe.Pointer) uint16 { return *(*uint16)(p) }

// StoreU32 stores a number.
func StoreU32(p unsafe.Pointer, v uint32) { *(*uint32)(p) = v }

// LoadU32 loads a number.
func LoadU32(p unsafe.Pointer) uint32 { return *(*uint32)(p) }

// StoreU64 stores a number.
func StoreU64(p unsafe.Pointer, v uint64) { *(*uint64)(p) = v }

// LoadU64 loads a number.
func LoadU64(p unsafe.Pointer) uint64 { return *(*uint64)(p) }

// StoreS64 stores a number.
func StoreS64(p unsafe.Pointer, v int64) { *(*int64)(p) = v }

// LoadS64 loads a number.
func LoadS64(p unsafe.Pointer) int64 { return *(*int64)(p) }

// StoreF64 stores a number.
func StoreF64(p unsafe.Pointer, v float64) { *(*float64)(p) = v }

// LoadF64 loads a number.
func LoadF64(p unsafe.Pointer) float64 { return *(*float64)(p) }

// list is how strings and lists lie in memory.
type list struct {
	address unsafe.Pointer
	length  uint32
}

// StoreString stores a text; the text itself is not copied.
func StoreString(p unsafe.Pointer, v string) {
	*(*list)(p) = list{unsafe.Pointer(unsafe.StringData(v)), uint32(len(v))}
}

// LoadString loads a text; the text itself is not copied.
func LoadString(p unsafe.Pointer) string {
	l := *(*list)(p)
	return text(l.address, l.length)
}

// LiftString is a text out of two parameters.
func LiftString(address, length uint32) string { return text(Pointer(address), length) }

// StringAddress is where a text lies.
func StringAddress(v string) uint32 { return Address(unsafe.Pointer(unsafe.StringData(v))) }

func text(address unsafe.Pointer, length uint32) string {
	if length == 0 {
		return ""
	}
	return unsafe.String((*byte)(address), int(length))
}

// StoreBytes stores bytes, which are not copied.
func StoreBytes(p unsafe.Pointer, v []byte) {
	*(*list)(p) = list{unsafe.Pointer(unsafe.SliceData(v)), uint32(len(v))}
}

// LoadBytes loads bytes, which are not copied.
func LoadBytes(p unsafe.Pointer) []byte {
	l := *(*list)(p)
	return bytes(l.address, l.length)
}

// LiftBytes is bytes out of two parameters.
func LiftBytes(address, length uint32) []byte { return bytes(Pointer(address), length) }

// BytesAddress is where bytes lie.
func BytesAddress(v []byte) uint32 { return Address(unsafe.Pointer(unsafe.SliceData(v))) }

func bytes(address unsafe.Pointer, length uint32) []byte {
	if length == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(address), int(length))
}

// StoreList stores a list whose elements take so many bytes each.
func StoreList[T any](p unsafe.Pointer, v []T, size uintptr, store func(unsafe.Pointer, T)) {
	*(*list)(p) = list{elements(v, size, store), uint32(len(v))}
}

// LowerList writes the elements of a list and says where.
func LowerList[T any](v []T, size uintptr, store func(unsafe.Pointer, T)) uint32 {
	return Address(elements(v, size, store))
}

func elements[T any](v []T, size uintptr, store func(unsafe.Pointer, T)) unsafe.Pointer {
	if len(v) == 0 {
		return nil
	}
	p := Allocate(uintptr(len(v)) * size)
	for i := range v {
		store(unsafe.Add(p, uintptr(i)*size), v[i])
	}
	return p
}

// LoadList loads a list whose elements take so many bytes each.
func LoadList[T any](p unsafe.Pointer, size uintptr, load func(unsafe.Pointer) T) []T {
	l := *(*list)(p)
	return values(l.address, l.length, size, load)
}

// LiftList is a list out of two parameters.
func LiftList[T any](address, length uint32, size uintptr, load func(unsafe.Pointer) T) []T {
	return values(Pointer(address), length, size, load)
}

func values[T any](p unsafe.Pointer, length uint32, size uintptr, load func(unsafe.Pointer) T) []T {
	if length == 0 {
		return nil
	}
	v := make([]T, length)
	for i := range v {
		v[i] = load(unsafe.Add(p, uintptr(i)*size))
	}
	return v
}

// StoreOption stores a value that may be missing; its own place is so many bytes behind the tag.
func StoreOption[T any](p unsafe.Pointer, v *T, offset uintptr, store func(unsafe.Pointer, T)) {
	if v == nil {
		StoreU8(p, 0)
		return
	}
	StoreU8(p, 1)
	store(unsafe.Add(p, offset), *v)
}

// LoadOption loads a value that may be missing.
func LoadOption[T any](p unsafe.Pointer, offset uintptr, load func(unsafe.Pointer) T) *T {
	if LoadU8(p) == 0 {
		return nil
	}
	return Some(load(unsafe.Add(p, offset)))
}

// StoreResult stores a value or an error.
func StoreResult[T, E any](p unsafe.Pointer, v Result[T, E], offset uintptr, value func(unsafe.Pointer, T), err func(unsafe.Pointer, E)) {
	if v.Err == nil {
		StoreU8(p, 0)
		value(unsafe.Add(p, offset), v.Value)
		return
	}
	StoreU8(p, 1)
	err(unsafe.Add(p, offset), *v.Err)
}

// LoadResult loads a value or an error.
func LoadResult[T, E any](p unsafe.Pointer, offset uintptr, value func(unsafe.Pointer) T, err func(unsafe.Pointer) E) Result[T, E] {
	if LoadU8(p) == 0 {
		return Result[T, E]{Value: value(unsafe.Add(p, offset))}
	}
	return Result[T, E]{Err: Some(err(unsafe.Add(p, offset)))}
}

// StorePair stores two values, the second so many bytes behind the first.
func StorePair[A, B any](p unsafe.Pointer, v Pair[A, B], offset uintptr, first func(unsafe.Pointer, A), second func(unsafe.Pointer, B)) {
	first(p, v.First)
	second(unsafe.Add(p, offset), v.Second)
}

// LoadPair loads two values.
func LoadPair[A, B any](p unsafe.Pointer, offset uintptr, first func(unsafe.Pointer) A, second func(unsafe.Pointer) B) Pair[A, B] {
	return Pair[A, B]{first(p), second(unsafe.Add(p, offset))}
}

// StoreTriple stores three values, the second and the third so many bytes behind the first.
func StoreTriple[A, B, C any](p unsafe.Pointer, v Triple[A, B, C], two, three uintptr, first func(unsafe.Pointer, A), second func(unsafe.Pointer, B), third func(unsafe.Pointer, C)) {
	first(p, v.First)
	second(unsafe.Add(p, two), v.Second)
	third(unsafe.Add(p, three), v.Third)
}

// LoadTriple loads three values.
func LoadTriple[A, B, C any](p unsafe.Pointer, two, three uintptr, first func(unsafe.Pointer) A, second func(unsafe.Pointer) B, third func(unsafe.Pointer) C) Triple[A, B, C] {
	return Triple[A, B, C]{first(p), second(unsafe.Add(p, two)), third(unsafe.Add(p, three))}
}

// StoreArray stores values that take so many bytes each, one behind the other.
func StoreArray[T any](p unsafe.Pointer, v []T, size uintptr, store func(unsafe.Pointer, T)) {
	for i := range v {
		store(unsafe.Add(p, uintptr(i)*size), v[i])
	}
}

// LoadArray loads as many values as there is room for.
func LoadArray[T any](p unsafe.Pointer, v []T, size uintptr, load func(unsafe.Pointer) T) {
	for i := range v {
		v[i] = load(unsafe.Add(p, uintptr(i)*size))
	}
}

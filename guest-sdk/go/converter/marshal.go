package converter

import (
	"encoding"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"longhaul/internal/coro"
)

const (
	// depthMax is how deep lists and objects may be nested: as deep as the Rust SDK reads them. A deeper text is refused before
	// it is read; a deeper value points to itself.
	depthMax = 127
	// What is nested up to shallow deep fits on the stack of a goroutine. The rest gets stacks of its own, for that many levels each.
	shallow   = 6
	levels    = 32
	levelSize = 4 << 10
	// spare is what any value takes.
	spare = 16 << 10
)

// nesting is how deep the lists and objects of a JSON text are nested.
func nesting(data []byte) int {
	depth, deepest, quoted := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			// What it escapes may be a quote.
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			depth++
			deepest = max(deepest, depth)
		case c == ']' || c == '}':
			depth--
		}
	}
	return deepest
}

// Marshal writes a value as JSON as encoding/json does, but for nil slices and nil maps, which are `[]` and `{}`, and without its
// escapes for HTML.
func Marshal(value any) ([]byte, error) {
	e := encoder{}
	if err := e.value(reflect.ValueOf(value), false, 0); err != nil {
		return nil, err
	}
	return e.out, nil
}

type encoder struct{ out []byte }

func (e *encoder) text(s string) { e.out = append(e.out, s...) }

// value writes a value; quoted is encoding/json's `string` option, and depth what the value is in.
func (e *encoder) value(v reflect.Value, quoted bool, depth int) error {
	if !v.IsValid() {
		e.text("null")
		return nil
	}
	if done, err := e.own(v); done || err != nil {
		return err
	}
	// What calls itself is apart from what does not: a frame is as large as all that it ever needs, and stacks are small.
	switch v.Kind() {
	case reflect.Interface:
		// A nil one gives a value that is none.
		return e.value(v.Elem(), quoted, depth)
	case reflect.Pointer:
		to := v.Elem()
		if to.Kind() == reflect.Pointer {
			// Nothing else would end one that points to itself.
			if depth == depthMax {
				return errDepth
			}
			depth++
		}
		return e.value(to, quoted, depth)
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Array:
		if depth == depthMax {
			return errDepth
		}
		if depth%levels == shallow {
			return e.apart(v, quoted, depth)
		}
	default:
		return e.scalar(v, quoted)
	}
	return e.compound(v, quoted, depth)
}

// apart writes what holds other values on a stack of its own.
//
//go:noinline
func (e *encoder) apart(v reflect.Value, quoted bool, depth int) (err error) {
	coro.WithStack(levels*levelSize+spare, func() { err = e.compound(v, quoted, depth) })
	return err
}

// compound writes what holds other values.
//
//go:noinline
func (e *encoder) compound(v reflect.Value, quoted bool, depth int) error {
	switch v.Kind() {
	case reflect.Struct:
		return e.structure(v, depth)
	case reflect.Map:
		return e.dictionary(v, depth)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			e.bytes(v)
			return nil
		}
	}
	return e.list(v, depth)
}

var errDepth = fmt.Errorf("it is nested deeper than %d, or points to itself", depthMax)

//go:noinline
func (e *encoder) bytes(v reflect.Value) {
	e.string(base64.StdEncoding.EncodeToString(v.Bytes()))
}

// scalar writes what holds nothing else.
//
//go:noinline
func (e *encoder) scalar(v reflect.Value, quoted bool) error {
	switch v.Kind() {
	case reflect.Bool:
		e.quote(quoted, strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		e.quote(quoted, strconv.FormatInt(v.Int(), 10))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		e.quote(quoted, strconv.FormatUint(v.Uint(), 10))
	case reflect.Float32:
		return e.float(v.Float(), 32, quoted)
	case reflect.Float64:
		return e.float(v.Float(), 64, quoted)
	case reflect.String:
		if number, ok := v.Interface().(json.Number); ok && number != "" {
			e.quote(quoted, string(number))
			return nil
		}
		if quoted {
			inner := encoder{}
			inner.string(v.String())
			e.string(string(inner.out))
			return nil
		}
		e.string(v.String())
	default:
		return errors.New("a " + v.Kind().String() + " has no JSON")
	}
	return nil
}

// own writes a value that has a way of its own to be written.
//
//go:noinline
func (e *encoder) own(v reflect.Value) (bool, error) {
	// What is in an interface has its turn when that is unwrapped: it may be a nil pointer, whose methods must not be called.
	if v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer && v.IsNil() || !v.CanInterface() {
		return false, nil
	}
	// Where the value has an address a method may have a pointer as its receiver; one of the value itself is one of its pointer's too.
	// JSON goes before text.
	value, of := v.Interface(), any(nil)
	if v.Kind() != reflect.Pointer && v.CanAddr() {
		of = v.Addr().Interface()
	}
	for _, have := range [...]any{of, value} {
		if m, ok := have.(json.Marshaler); ok {
			return e.marshaler(m)
		}
	}
	for _, have := range [...]any{of, value} {
		if m, ok := have.(encoding.TextMarshaler); ok {
			text, err := m.MarshalText()
			if err == nil {
				e.string(string(text))
			}
			return true, err
		}
	}
	return false, nil
}

func (e *encoder) marshaler(m json.Marshaler) (bool, error) {
	data, err := m.MarshalJSON()
	if err == nil && !json.Valid(data) {
		err = errors.New("its MarshalJSON returns what is not JSON")
	}
	e.out = append(e.out, data...)
	return true, err
}

func (e *encoder) quote(quoted bool, number string) {
	if quoted {
		number = `"` + number + `"`
	}
	e.text(number)
}

func (e *encoder) float(f float64, bits int, quoted bool) error {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return errors.New("a number that is not finite has no JSON")
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (bits == 64 && (abs < 1e-6 || abs >= 1e21) || bits == 32 && (float32(abs) < 1e-6 || float32(abs) >= 1e21)) {
		format = 'e'
	}
	e.quote(quoted, strconv.FormatFloat(f, format, -1, bits))
	return nil
}

//go:noinline
func (e *encoder) string(s string) {
	const hex = "0123456789abcdef"
	e.out = append(e.out, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			e.out = append(e.out, '\\', byte(r))
		case r == '\n':
			e.text(`\n`)
		case r == '\r':
			e.text(`\r`)
		case r == '\t':
			e.text(`\t`)
		case r < 0x20:
			e.out = append(e.out, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			// Bytes that are no text come out of the loop as U+FFFD, as encoding/json writes them.
			e.out = utf8.AppendRune(e.out, r)
		}
	}
	e.out = append(e.out, '"')
}

//go:noinline
func (e *encoder) list(v reflect.Value, depth int) error {
	e.text("[")
	for i := range v.Len() {
		if i > 0 {
			e.text(",")
		}
		if err := e.value(v.Index(i), false, depth+1); err != nil {
			return err
		}
	}
	e.text("]")
	return nil
}

// entry is one of a map's entries.
type entry struct {
	key   string
	value reflect.Value
}

// sorted are the entries of a map by their keys.
//
//go:noinline
func sorted(v reflect.Value) ([]entry, error) {
	entries := make([]entry, 0, v.Len())
	for iterator := v.MapRange(); iterator.Next(); {
		key, err := keyText(iterator.Key())
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{key, iterator.Value()})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	return entries, nil
}

//go:noinline
func (e *encoder) dictionary(v reflect.Value, depth int) error {
	entries, err := sorted(v)
	if err != nil {
		return err
	}
	e.text("{")
	for i, entry := range entries {
		if i > 0 {
			e.text(",")
		}
		e.string(entry.key)
		e.text(":")
		if err := e.value(entry.value, false, depth+1); err != nil {
			return err
		}
	}
	e.text("}")
	return nil
}

func keyText(key reflect.Value) (string, error) {
	if key.Kind() == reflect.String {
		return key.String(), nil
	}
	if m, ok := key.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		return string(text), err
	}
	switch key.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(key.Int(), 10), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return strconv.FormatUint(key.Uint(), 10), nil
	}
	return "", errors.New("a " + key.Kind().String() + " cannot be a key of JSON")
}

package converter

import (
	"encoding"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// depthMax is how deep values may be nested; a deeper one points to itself.
const depthMax = 1000

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

// value writes a value; quoted is encoding/json's `string` option.
func (e *encoder) value(v reflect.Value, quoted bool, depth int) error {
	if depth > depthMax {
		return errors.New("it is nested too deeply, or points to itself")
	}
	if !v.IsValid() {
		e.text("null")
		return nil
	}
	if done, err := e.own(v); done || err != nil {
		return err
	}
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
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			e.text("null")
			return nil
		}
		return e.value(v.Elem(), quoted, depth+1)
	case reflect.Struct:
		return e.structure(v, depth)
	case reflect.Map:
		return e.dictionary(v, depth)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			e.string(base64.StdEncoding.EncodeToString(v.Bytes()))
			return nil
		}
		return e.list(v, depth)
	case reflect.Array:
		return e.list(v, depth)
	default:
		return errors.New("a " + v.Kind().String() + " has no JSON")
	}
	return nil
}

// own writes a value that has a way of its own to be written.
func (e *encoder) own(v reflect.Value) (bool, error) {
	if v.Kind() == reflect.Pointer && v.IsNil() || !v.CanInterface() {
		return false, nil
	}
	value := v.Interface()
	if v.Kind() != reflect.Pointer && v.CanAddr() {
		// A method may have a pointer as its receiver.
		if m, ok := v.Addr().Interface().(json.Marshaler); ok {
			return e.marshaler(m)
		}
	}
	if m, ok := value.(json.Marshaler); ok {
		return e.marshaler(m)
	}
	if m, ok := value.(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		if err == nil {
			e.string(string(text))
		}
		return true, err
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

func (e *encoder) dictionary(v reflect.Value, depth int) error {
	type entry struct {
		key   string
		value reflect.Value
	}
	entries := make([]entry, 0, v.Len())
	for iterator := v.MapRange(); iterator.Next(); {
		key, err := keyText(iterator.Key())
		if err != nil {
			return err
		}
		entries = append(entries, entry{key, iterator.Value()})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.key, b.key) })
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

// Package converter turns Go values into payloads and payloads into Go values.
//
// Values are written as JSON (`json/plain`), as encoding/json writes them but for nil slices and nil maps, which are written as `[]`
// and `{}`: the other languages of a team have no nil for these. A []byte is written as it is (`binary/plain`), and None as no
// value at all (`binary/null`).
package converter

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"longhaul/internal/abi"
	"longhaul/internal/coro"
	"longhaul/internal/wit/types"
)

// Payload is a value as it travels and is kept in history: what its bytes are, and the bytes.
type Payload = types.Payload

// None stands for no value: an argument that there is not, or the result of a function without one.
type None struct{}

// RawValue is payloads that nobody has read yet: several arguments, or one value.
type RawValue struct {
	// Payloads are what nobody has read.
	Payloads []Payload
}

// Encodings.
const (
	encodingKey  = "encoding"
	jsonPlain    = "json/plain"
	jsonProtobuf = "json/protobuf"
	binaryNull   = "binary/null"
	binaryPlain  = "binary/plain"
)

// ErrEncoding says that a payload's encoding is not one that the wanted type is read from.
var ErrEncoding = errors.New("its encoding is not one that this type is read from")

// New is a payload of an encoding.
func New(encoding string, data []byte) Payload { return new(header).payload(encoding, data) }

// header is what every payload has, in one piece of memory.
type header struct {
	entry [1]abi.Pair[string, []byte]
	// name is room for the names of usual encodings.
	name [16]byte
}

func (h *header) payload(encoding string, data []byte) Payload {
	name := append(h.name[:0:len(h.name)], encoding...)
	h.entry[0] = abi.Pair[string, []byte]{First: encodingKey, Second: name[:len(name):len(name)]}
	return Payload{Metadata: h.entry[:], Data: data}
}

// small is a payload with a value that takes little, and a list of it alone, in one piece of memory.
type small struct {
	header
	// data is room for every whole number, of up to 64 bits.
	data [20]byte
	list [1]Payload
}

// write writes a value as JSON, which is in this memory if it takes little.
func (s *small) write(value any) (Payload, error) {
	data, ok := appendBasic(s.data[:0], value)
	if !ok {
		var err error
		if data, err = Marshal(value); err != nil {
			return Payload{}, fmt.Errorf("cannot write a %T: %w", value, err)
		}
	}
	return s.payload(jsonPlain, data[:len(data):len(data)]), nil
}

// Null is the payload of None.
func Null() Payload { return New(binaryNull, nil) }

// Encoding says what the bytes of a payload are.
func Encoding(p Payload) string { return strings.Clone(encodingOf(p)) }

// encodingOf is the same without a copy: as long as the payload is not changed.
func encodingOf(p Payload) string {
	for i := range p.Metadata {
		if p.Metadata[i].First == encodingKey {
			return abi.View(p.Metadata[i].Second)
		}
	}
	return ""
}

// ToPayload writes a value as one payload.
func ToPayload(value any) (Payload, error) {
	switch value := value.(type) {
	case None:
		return Null(), nil
	case []byte:
		return New(binaryPlain, value), nil
	case Payload:
		return value, nil
	case RawValue:
		if len(value.Payloads) == 0 {
			return Null(), nil
		}
		return value.Payloads[0], nil
	}
	return new(small).write(value)
}

// ToPayloads writes arguments, each as a payload of its own.
func ToPayloads(values ...any) ([]Payload, error) {
	if len(values) == 1 && isBasic(values[0]) {
		s := new(small)
		payload, err := s.write(values[0])
		s.list[0] = payload
		return s.list[:], err
	}
	payloads := make([]Payload, 0, len(values))
	for _, value := range values {
		switch value := value.(type) {
		case None:
		case RawValue:
			payloads = append(payloads, value.Payloads...)
		default:
			payload, err := ToPayload(value)
			if err != nil {
				return nil, err
			}
			payloads = append(payloads, payload)
		}
	}
	return payloads, nil
}

// FromPayload reads a value.
func FromPayload[T any](p Payload) (T, error) {
	var value T
	err := read(p, &value)
	return value, err
}

// FromPayloads reads the only value of a list: a RawValue takes all, any other type the first. What is not there is read from null.
func FromPayloads[T any](payloads []Payload) (T, error) {
	var value T
	if raw, ok := any(&value).(*RawValue); ok {
		raw.Payloads = payloads
		return value, nil
	}
	first := at(payloads, 0)
	if encodingOf(first) == jsonPlain && readBasic(first.Data, &value) {
		return value, nil
	}
	return FromPayload[T](first)
}

// at is one of several payloads. What is not there is null.
func at(payloads []Payload, index int) Payload {
	if index < len(payloads) {
		return payloads[index]
	}
	return Null()
}

// Argument reads one of several values, counted from 0. What is not there is read from null.
func Argument[T any](payloads []Payload, index int) (T, error) {
	return FromPayload[T](at(payloads, index))
}

func read(p Payload, value any) error {
	encoding := encodingOf(p)
	if encoding == jsonPlain && readBasic(p.Data, value) {
		return nil
	}
	switch value := value.(type) {
	case *None:
		return nil
	case *Payload:
		*value = p
		return nil
	case *RawValue:
		value.Payloads = []Payload{p}
		return nil
	case *[]byte:
		if encoding == binaryPlain {
			*value = p.Data
			return nil
		}
	}
	data := p.Data
	switch encoding {
	case jsonPlain, jsonProtobuf:
	case binaryNull:
		data = []byte("null")
	default:
		return ErrEncoding
	}
	if string(data) == "null" && !nullable(reflect.TypeOf(value).Elem()) {
		// encoding/json would leave the zero value, which nobody has sent.
		return errors.New("it is null")
	}
	deep := nesting(data)
	if deep > depthMax {
		return fmt.Errorf("its lists and objects are nested %d deep, and %d is the limit", deep, depthMax)
	}
	if deep <= shallow {
		return json.Unmarshal(data, value)
	}
	var err error
	coro.WithStack(deep*levelSize+spare, func() { err = json.Unmarshal(data, value) })
	return err
}

func nullable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
		return true
	}
	_, own := reflect.New(t).Interface().(json.Unmarshaler)
	return own
}

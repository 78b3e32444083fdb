package converter

import "fmt"

// ArgumentError says which of several arguments does not decode.
type ArgumentError struct {
	// Index of the argument, from 1.
	Index int
	// Missing: there was none.
	Missing bool
	// Cause is why it does not decode.
	Cause error
}

// Error says which argument, and why.
func (e *ArgumentError) Error() string {
	if e.Missing {
		return fmt.Sprintf("argument %d is missing", e.Index)
	}
	return fmt.Sprintf("argument %d does not decode: %s", e.Index, e.Cause)
}

// Unwrap is why it does not decode.
func (e *ArgumentError) Unwrap() error { return e.Cause }

// list is a type that stands for several arguments.
type list interface {
	decode(payloads []Payload) error
}

// Args2 are two arguments of a handler, an update or a workflow.
type Args2[A, B any] struct {
	// First is the first argument.
	First A
	// Second is the second argument.
	Second B
}

func (a *Args2[A, B]) decode(payloads []Payload) error {
	return join(argument(payloads, 0, &a.First), argument(payloads, 1, &a.Second))
}

// Args3 are three arguments of a handler, an update or a workflow.
type Args3[A, B, C any] struct {
	// First is the first argument.
	First A
	// Second is the second argument.
	Second B
	// Third is the third argument.
	Third C
}

func (a *Args3[A, B, C]) decode(payloads []Payload) error {
	return join(argument(payloads, 0, &a.First), argument(payloads, 1, &a.Second), argument(payloads, 2, &a.Third))
}

// Args4 are four arguments of a handler, an update or a workflow.
type Args4[A, B, C, D any] struct {
	// First is the first argument.
	First A
	// Second is the second argument.
	Second B
	// Third is the third argument.
	Third C
	// Fourth is the fourth argument.
	Fourth D
}

func (a *Args4[A, B, C, D]) decode(payloads []Payload) error {
	return join(argument(payloads, 0, &a.First), argument(payloads, 1, &a.Second), argument(payloads, 2, &a.Third), argument(payloads, 3, &a.Fourth))
}

func argument[T any](payloads []Payload, index int, into *T) error {
	value, err := Argument[T](payloads, index)
	if err != nil {
		return &ArgumentError{Index: index + 1, Missing: index >= len(payloads), Cause: err}
	}
	*into = value
	return nil
}

// join is the first error.
func join(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Arguments reads what a handler takes: a RawValue takes all payloads, Args2 and its like several, any other type the first. The error
// is an *ArgumentError. What nobody asks for is ignored.
func Arguments[T any](payloads []Payload) (T, error) {
	var value T
	switch into := any(&value).(type) {
	case *RawValue:
		into.Payloads = payloads
		return value, nil
	case list:
		err := into.decode(payloads)
		return value, err
	}
	// Not in one statement: in which order it evaluates its operands, Go does not say.
	err := argument(payloads, 0, &value)
	return value, err
}

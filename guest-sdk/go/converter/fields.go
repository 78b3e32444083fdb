package converter

import (
	"reflect"
	"strings"
)

// structure writes the exported fields of a struct under the names of their `json` tags; those of embedded structs stand beside
// its own.
func (e *encoder) structure(v reflect.Value, depth int) error {
	e.text("{")
	first := true
	err := e.fields(v, depth, &first, ownNames(v.Type()), true)
	e.text("}")
	return err
}

//go:noinline
func (e *encoder) fields(v reflect.Value, depth int, first *bool, own map[string]bool, outer bool) error {
	var p part
	for i := range v.NumField() {
		if !p.take(v, i, own, outer) {
			continue
		}
		var err error
		if p.embedded {
			err = e.fields(p.value, depth, first, own, false)
		} else {
			if !*first {
				e.text(",")
			}
			*first = false
			e.string(p.name)
			e.text(":")
			err = e.value(p.value, p.quoted, depth+1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// part is a field that is written: under its name, or, embedded, by its own fields in its place.
type part struct {
	name     string
	value    reflect.Value
	quoted   bool
	embedded bool
}

// take looks at a field; false: nothing is written.
//
//go:noinline
func (p *part) take(v reflect.Value, i int, own map[string]bool, outer bool) bool {
	field := v.Type().Field(i)
	name, options, skip := fieldName(field)
	if skip {
		return false
	}
	value := v.Field(i)
	if embedded(field) {
		if value.Kind() == reflect.Pointer {
			if value.IsNil() {
				return false
			}
			value = value.Elem()
		}
		*p = part{value: value, embedded: true}
		return true
	}
	// A field of the outer struct hides one of an embedded struct.
	if !outer && own[name] {
		return false
	}
	if has(options, "omitempty") && empty(value) || has(options, "omitzero") && zero(value) {
		return false
	}
	*p = part{name: name, value: value, quoted: has(options, "string")}
	return true
}

// fieldName is a field's name in JSON and the options of its tag; skip says that it is not written.
func fieldName(field reflect.StructField) (name, options string, skip bool) {
	tag := field.Tag.Get("json")
	if tag == "-" {
		return "", "", true
	}
	name, options, _ = strings.Cut(tag, ",")
	if name == "" {
		name = field.Name
	}
	return name, options, !field.IsExported() && !embedded(field)
}

// embedded tells whether a field's own fields are written in its place.
func embedded(field reflect.StructField) bool {
	if !field.Anonymous {
		return false
	}
	if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
		return false
	}
	t := field.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct
}

// ownNames are the names of the fields that a struct has itself; nil if it embeds nothing, which they could hide.
func ownNames(t reflect.Type) map[string]bool {
	var names map[string]bool
	for i := range t.NumField() {
		if embedded(t.Field(i)) {
			names = map[string]bool{}
		}
	}
	if names == nil {
		return nil
	}
	for i := range t.NumField() {
		if name, _, skip := fieldName(t.Field(i)); !skip && !embedded(t.Field(i)) {
			names[name] = true
		}
	}
	return names
}

func has(options, option string) bool {
	for options != "" {
		var next string
		next, options, _ = strings.Cut(options, ",")
		if next == option {
			return true
		}
	}
	return false
}

func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

// zero tells whether `omitzero` leaves a value out: by its method, also where that has a pointer as its receiver.
func zero(v reflect.Value) bool {
	type zeroer interface{ IsZero() bool }
	switch v.Kind() {
	case reflect.Pointer:
		// The method of what it points to is one of the pointer's too, and must not be called without that.
		if v.IsNil() {
			return true
		}
	case reflect.Interface:
		if v.IsNil() || v.NumMethod() == 0 {
			return v.IsNil()
		}
		if in := v.Elem(); in.Kind() == reflect.Pointer && in.IsNil() {
			return true
		}
	default:
		if !v.CanAddr() && v.CanInterface() {
			boxed := reflect.New(v.Type()).Elem()
			boxed.Set(v)
			v = boxed
		}
		if v.CanAddr() && v.CanInterface() {
			if z, ok := v.Addr().Interface().(zeroer); ok {
				return z.IsZero()
			}
		}
	}
	if v.CanInterface() {
		if z, ok := v.Interface().(zeroer); ok {
			return z.IsZero()
		}
	}
	return v.IsZero()
}

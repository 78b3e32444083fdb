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

func (e *encoder) fields(v reflect.Value, depth int, first *bool, own map[string]bool, outer bool) error {
	t := v.Type()
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, skip := fieldName(field)
		if skip {
			continue
		}
		value := v.Field(i)
		if embedded(field) {
			if value.Kind() == reflect.Pointer {
				if value.IsNil() {
					continue
				}
				value = value.Elem()
			}
			if err := e.fields(value, depth, first, own, false); err != nil {
				return err
			}
			continue
		}
		// A field of the outer struct hides one of an embedded struct.
		if !outer && own[name] {
			continue
		}
		if has(options, "omitempty") && empty(value) || has(options, "omitzero") && zero(value) {
			continue
		}
		if !*first {
			e.text(",")
		}
		*first = false
		e.string(name)
		e.text(":")
		if err := e.value(value, has(options, "string"), depth+1); err != nil {
			return err
		}
	}
	return nil
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

func zero(v reflect.Value) bool {
	if v.CanInterface() {
		if z, ok := v.Interface().(interface{ IsZero() bool }); ok {
			return z.IsZero()
		}
	}
	return v.IsZero()
}

package temporal

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"longhaul/converter"
	"longhaul/internal/abi"
	"longhaul/internal/host"
)

// typeKey is the metadata of a search attribute's type.
const typeKey = "type"

// The types of search attributes, as the server names them.
const (
	kindBool        = "Bool"
	kindInt64       = "Int"
	kindFloat64     = "Double"
	kindKeyword     = "Keyword"
	kindString      = "Text"
	kindTime        = "Datetime"
	kindKeywordList = "KeywordList"
)

// SearchAttributeKey names a search attribute whose values have a type.
type SearchAttributeKey interface {
	// GetName is the attribute's name.
	GetName() string
	// GetValueType is the name of the type of its values: Bool, Int, Double, Keyword, Text, Datetime or KeywordList.
	GetValueType() string
}

// searchAttributeKey is what the keys of all types have.
type searchAttributeKey[T any] struct {
	name string
	kind string
}

// GetName is the attribute's name.
func (k searchAttributeKey[T]) GetName() string { return k.name }

// GetValueType is the name of the type of its values.
func (k searchAttributeKey[T]) GetValueType() string { return k.kind }

// ValueSet sets the attribute.
func (k searchAttributeKey[T]) ValueSet(value T) SearchAttributeUpdate {
	payload, err := converter.ToPayload(value)
	if err != nil {
		return SearchAttributeUpdate{err: fmt.Errorf("search attribute %s: %w", k.name, err)}
	}
	payload.Metadata = append(payload.Metadata, abi.Pair[string, []byte]{First: typeKey, Second: []byte(k.kind)})
	return SearchAttributeUpdate{fields: []host.Field{{First: k.name, Second: &payload}}}
}

// ValueUnset removes the attribute.
func (k searchAttributeKey[T]) ValueUnset() SearchAttributeUpdate {
	return SearchAttributeUpdate{fields: []host.Field{{First: k.name}}}
}

// in is the value in a collection. False if there is none, or if it is not of the key's type.
func (k searchAttributeKey[T]) in(attributes SearchAttributes) (T, bool) {
	if payload, ok := attributes.values[k.name]; ok && isOf(payload, k.kind) {
		value, err := converter.FromPayload[T](payload)
		return value, err == nil
	}
	var none T
	return none, false
}

// kindOf is the type that a value says it has, or empty.
func kindOf(payload converter.Payload) string {
	for _, entry := range payload.Metadata {
		if entry.First == typeKey {
			return string(entry.Second)
		}
	}
	return ""
}

// isOf tells whether a value is of a type, as far as it says.
func isOf(payload converter.Payload, kind string) bool {
	said := kindOf(payload)
	return said == "" || said == kind
}

// SearchAttributeKeyBool names a search attribute of truth values.
type SearchAttributeKeyBool struct{ searchAttributeKey[bool] }

// SearchAttributeKeyInt64 names a search attribute of integers.
type SearchAttributeKeyInt64 struct{ searchAttributeKey[int64] }

// SearchAttributeKeyFloat64 names a search attribute of numbers.
type SearchAttributeKeyFloat64 struct{ searchAttributeKey[float64] }

// SearchAttributeKeyKeyword names a search attribute of texts that are found as a whole.
type SearchAttributeKeyKeyword struct{ searchAttributeKey[string] }

// SearchAttributeKeyString names a search attribute of texts that are found by their words.
type SearchAttributeKeyString struct{ searchAttributeKey[string] }

// SearchAttributeKeyTime names a search attribute of moments.
type SearchAttributeKeyTime struct{ searchAttributeKey[time.Time] }

// SearchAttributeKeyKeywordList names a search attribute of lists of texts that are found as a whole.
type SearchAttributeKeyKeywordList struct{ searchAttributeKey[[]string] }

// NewSearchAttributeKeyBool names a search attribute of truth values.
func NewSearchAttributeKeyBool(name string) SearchAttributeKeyBool {
	return SearchAttributeKeyBool{searchAttributeKey[bool]{name, kindBool}}
}

// NewSearchAttributeKeyInt64 names a search attribute of integers.
func NewSearchAttributeKeyInt64(name string) SearchAttributeKeyInt64 {
	return SearchAttributeKeyInt64{searchAttributeKey[int64]{name, kindInt64}}
}

// NewSearchAttributeKeyFloat64 names a search attribute of numbers.
func NewSearchAttributeKeyFloat64(name string) SearchAttributeKeyFloat64 {
	return SearchAttributeKeyFloat64{searchAttributeKey[float64]{name, kindFloat64}}
}

// NewSearchAttributeKeyKeyword names a search attribute of texts that are found as a whole.
func NewSearchAttributeKeyKeyword(name string) SearchAttributeKeyKeyword {
	return SearchAttributeKeyKeyword{searchAttributeKey[string]{name, kindKeyword}}
}

// NewSearchAttributeKeyString names a search attribute of texts that are found by their words.
func NewSearchAttributeKeyString(name string) SearchAttributeKeyString {
	return SearchAttributeKeyString{searchAttributeKey[string]{name, kindString}}
}

// NewSearchAttributeKeyTime names a search attribute of moments.
func NewSearchAttributeKeyTime(name string) SearchAttributeKeyTime {
	return SearchAttributeKeyTime{searchAttributeKey[time.Time]{name, kindTime}}
}

// NewSearchAttributeKeyKeywordList names a search attribute of lists of texts that are found as a whole.
func NewSearchAttributeKeyKeywordList(name string) SearchAttributeKeyKeywordList {
	return SearchAttributeKeyKeywordList{searchAttributeKey[[]string]{name, kindKeywordList}}
}

// SearchAttributeUpdate sets or removes search attributes.
type SearchAttributeUpdate struct {
	fields []host.Field
	// Why a value cannot be written, as a number that is not finite.
	err error
}

// Wire is the update as it goes to the host. For the packages of this SDK.
func (u SearchAttributeUpdate) Wire() ([]host.Field, error) { return u.fields, u.err }

// SearchAttributes are values by which executions are found. The zero value has none.
type SearchAttributes struct {
	values map[string]converter.Payload
}

// NewSearchAttributes are those that updates set. It panics if a value cannot be written, as a number that is not finite.
func NewSearchAttributes(updates ...SearchAttributeUpdate) SearchAttributes {
	values := map[string]converter.Payload{}
	for _, update := range updates {
		if update.err != nil {
			panic("longhaul: " + update.err.Error())
		}
		for _, field := range update.fields {
			if field.Second == nil {
				delete(values, field.First)
			} else {
				values[field.First] = *field.Second
			}
		}
	}
	return SearchAttributes{values}
}

// GetBool is the value of a truth value. False if there is none.
func (a SearchAttributes) GetBool(key SearchAttributeKeyBool) (value, ok bool) { return key.in(a) }

// GetInt64 is the value of an integer. False if there is none.
func (a SearchAttributes) GetInt64(key SearchAttributeKeyInt64) (int64, bool) { return key.in(a) }

// GetFloat64 is the value of a number. False if there is none.
func (a SearchAttributes) GetFloat64(key SearchAttributeKeyFloat64) (float64, bool) { return key.in(a) }

// GetKeyword is the value of a text that is found as a whole. False if there is none.
func (a SearchAttributes) GetKeyword(key SearchAttributeKeyKeyword) (string, bool) { return key.in(a) }

// GetString is the value of a text that is found by its words. False if there is none.
func (a SearchAttributes) GetString(key SearchAttributeKeyString) (string, bool) { return key.in(a) }

// GetTime is the value of a moment. False if there is none.
func (a SearchAttributes) GetTime(key SearchAttributeKeyTime) (time.Time, bool) { return key.in(a) }

// GetKeywordList is the value of a list of texts. False if there is none.
func (a SearchAttributes) GetKeywordList(key SearchAttributeKeyKeywordList) ([]string, bool) {
	return key.in(a)
}

// ContainsKey tells whether there is a value of a key.
func (a SearchAttributes) ContainsKey(key SearchAttributeKey) bool {
	payload, ok := a.values[key.GetName()]
	return ok && isOf(payload, key.GetValueType())
}

// Size is how many values there are.
func (a SearchAttributes) Size() int { return len(a.values) }

// IsZero tells whether it is the zero value, which NewSearchAttributes does not make.
func (a SearchAttributes) IsZero() bool { return a.values == nil }

// GetUntypedValues are the values by their keys, as far as they can be read.
func (a SearchAttributes) GetUntypedValues() map[SearchAttributeKey]any {
	values := make(map[SearchAttributeKey]any, len(a.values))
	for name, payload := range a.values {
		switch kindOf(payload) {
		case kindBool:
			untyped(values, NewSearchAttributeKeyBool(name), a.GetBool)
		case kindInt64:
			untyped(values, NewSearchAttributeKeyInt64(name), a.GetInt64)
		case kindFloat64:
			untyped(values, NewSearchAttributeKeyFloat64(name), a.GetFloat64)
		case kindKeyword:
			untyped(values, NewSearchAttributeKeyKeyword(name), a.GetKeyword)
		case kindString:
			untyped(values, NewSearchAttributeKeyString(name), a.GetString)
		case kindTime:
			untyped(values, NewSearchAttributeKeyTime(name), a.GetTime)
		case kindKeywordList:
			untyped(values, NewSearchAttributeKeyKeywordList(name), a.GetKeywordList)
		}
	}
	return values
}

func untyped[K SearchAttributeKey, T any](values map[SearchAttributeKey]any, key K, get func(K) (T, bool)) {
	if value, ok := get(key); ok {
		values[key] = value
	}
}

// Copy is an update that sets all of these values.
func (a SearchAttributes) Copy() SearchAttributeUpdate {
	var update SearchAttributeUpdate
	for _, field := range a.Wire() {
		update.fields = append(update.fields, host.Field{First: field.First, Second: &field.Second})
	}
	return update
}

// SearchAttributesOf are those that the host has. For the packages of this SDK.
func SearchAttributesOf(fields []host.Named) SearchAttributes {
	values := make(map[string]converter.Payload, len(fields))
	for _, field := range fields {
		values[field.First] = field.Second
	}
	return SearchAttributes{values}
}

// Wire are the attributes as they go to the host, by name. For the packages of this SDK.
func (a SearchAttributes) Wire() []host.Named {
	fields := make([]host.Named, 0, len(a.values))
	for name, payload := range a.values {
		fields = append(fields, host.Named{First: name, Second: payload})
	}
	slices.SortFunc(fields, func(a, b host.Named) int { return strings.Compare(a.First, b.First) })
	return fields
}

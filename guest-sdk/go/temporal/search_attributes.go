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

// SearchAttributeKey names a search attribute whose values have a type.
type SearchAttributeKey[T any] struct {
	name string
	kind string
}

// NewSearchAttributeKeyBool names one of truth values.
func NewSearchAttributeKeyBool(name string) SearchAttributeKey[bool] {
	return SearchAttributeKey[bool]{name, "Bool"}
}

// NewSearchAttributeKeyInt64 names one of integers.
func NewSearchAttributeKeyInt64(name string) SearchAttributeKey[int64] {
	return SearchAttributeKey[int64]{name, "Int"}
}

// NewSearchAttributeKeyFloat64 names one of numbers.
func NewSearchAttributeKeyFloat64(name string) SearchAttributeKey[float64] {
	return SearchAttributeKey[float64]{name, "Double"}
}

// NewSearchAttributeKeyKeyword names one of texts that are found as a whole.
func NewSearchAttributeKeyKeyword(name string) SearchAttributeKey[string] {
	return SearchAttributeKey[string]{name, "Keyword"}
}

// NewSearchAttributeKeyString names one of texts that are found by their words.
func NewSearchAttributeKeyString(name string) SearchAttributeKey[string] {
	return SearchAttributeKey[string]{name, "Text"}
}

// NewSearchAttributeKeyTime names one of moments.
func NewSearchAttributeKeyTime(name string) SearchAttributeKey[time.Time] {
	return SearchAttributeKey[time.Time]{name, "Datetime"}
}

// NewSearchAttributeKeyKeywordList names one of lists of texts that are found as a whole.
func NewSearchAttributeKeyKeywordList(name string) SearchAttributeKey[[]string] {
	return SearchAttributeKey[[]string]{name, "KeywordList"}
}

// GetName is the attribute's name.
func (k SearchAttributeKey[T]) GetName() string { return k.name }

// ValueSet sets the attribute. It panics if the value has no JSON, as a number that is not finite.
func (k SearchAttributeKey[T]) ValueSet(value T) SearchAttributeUpdate {
	payload, err := converter.ToPayload(value)
	if err != nil {
		panic(fmt.Sprintf("longhaul: search attribute %s: %s", k.name, err))
	}
	payload.Metadata = append(payload.Metadata, abi.Pair[string, []byte]{First: typeKey, Second: []byte(k.kind)})
	return SearchAttributeUpdate{k.name, &payload}
}

// ValueUnset removes the attribute.
func (k SearchAttributeKey[T]) ValueUnset() SearchAttributeUpdate {
	return SearchAttributeUpdate{name: k.name}
}

// SearchAttributeUpdate sets or removes a search attribute.
type SearchAttributeUpdate struct {
	name    string
	payload *converter.Payload
}

// Wire is the update as it goes to the host. For the packages of this SDK.
func (u SearchAttributeUpdate) Wire() host.Field { return host.Field{First: u.name, Second: u.payload} }

// SearchAttributes are values by which executions are found.
type SearchAttributes map[string]converter.Payload

// NewSearchAttributes are those that updates set.
func NewSearchAttributes(updates ...SearchAttributeUpdate) SearchAttributes {
	attributes := SearchAttributes{}
	for _, update := range updates {
		if update.payload == nil {
			delete(attributes, update.name)
		} else {
			attributes[update.name] = *update.payload
		}
	}
	return attributes
}

// SearchAttributesOf are those that the host has. For the packages of this SDK.
func SearchAttributesOf(fields []host.Named) SearchAttributes {
	attributes := SearchAttributes{}
	for _, field := range fields {
		attributes[field.First] = field.Second
	}
	return attributes
}

// Wire are the attributes as they go to the host, by name. For the packages of this SDK.
func (a SearchAttributes) Wire() []host.Named {
	fields := make([]host.Named, 0, len(a))
	for name, payload := range a {
		fields = append(fields, host.Named{First: name, Second: payload})
	}
	slices.SortFunc(fields, func(a, b host.Named) int { return strings.Compare(a.First, b.First) })
	return fields
}

// SearchAttribute is the value of an attribute. False if there is none, or if it is not of the key's type.
func SearchAttribute[T any](attributes SearchAttributes, key SearchAttributeKey[T]) (T, bool) {
	payload, ok := attributes[key.name]
	if !ok {
		var none T
		return none, false
	}
	value, err := converter.FromPayload[T](payload)
	return value, err == nil
}

package temporal

import (
	"fmt"
	"math"
	"testing"
	"time"

	"longhaul/internal/host"
)

var (
	paid    = NewSearchAttributeKeyBool("Paid")
	amount  = NewSearchAttributeKeyInt64("Amount")
	weight  = NewSearchAttributeKeyFloat64("Weight")
	status  = NewSearchAttributeKeyKeyword("Status")
	comment = NewSearchAttributeKeyString("Comment")
	due     = NewSearchAttributeKeyTime("Due")
	tags    = NewSearchAttributeKeyKeywordList("Tags")
	moment  = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
)

func all() SearchAttributes {
	return NewSearchAttributes(paid.ValueSet(true), amount.ValueSet(-7), weight.ValueSet(0.25), status.ValueSet("new"),
		comment.ValueSet("two words"), due.ValueSet(moment), tags.ValueSet([]string{"a", "b"}))
}

// E13
func TestValuesAreReadByTheKeysOfTheirTypes(t *testing.T) {
	a := SearchAttributesOf(all().Wire())
	p, ok1 := a.GetBool(paid)
	n, ok2 := a.GetInt64(amount)
	w, ok3 := a.GetFloat64(weight)
	s, ok4 := a.GetKeyword(status)
	c, ok5 := a.GetString(comment)
	d, ok6 := a.GetTime(due)
	l, ok7 := a.GetKeywordList(tags)
	if have := fmt.Sprint(p, n, w, s, c, d.Equal(moment), l, ok1, ok2, ok3, ok4, ok5, ok6, ok7); have !=
		fmt.Sprint(true, -7, 0.25, "new", "two words", true, []string{"a", "b"}, true, true, true, true, true, true, true) {
		t.Error(have)
	}
	for _, key := range []SearchAttributeKey{paid, amount, weight, status, comment, due, tags} {
		if !a.ContainsKey(key) {
			t.Error(key.GetName(), key.GetValueType())
		}
	}
	// Of the same name, but of another type.
	if value, ok := a.GetString(NewSearchAttributeKeyString("Status")); ok || value != "" {
		t.Error(value)
	}
	if a.ContainsKey(NewSearchAttributeKeyString("Status")) || a.ContainsKey(NewSearchAttributeKeyInt64("None")) {
		t.Error("it has no such value")
	}
	if _, ok := a.GetInt64(NewSearchAttributeKeyInt64("None")); ok {
		t.Error("it has no such value")
	}
	values := a.GetUntypedValues()
	if len(values) != 7 || values[amount] != int64(-7) || values[status] != "new" || fmt.Sprint(values[tags]) != "[a b]" {
		t.Error(values)
	}
}

// E13
func TestTheTypeTravelsWithTheValue(t *testing.T) {
	want := map[string]string{
		"Paid": "Bool", "Amount": "Int", "Weight": "Double", "Status": "Keyword", "Comment": "Text", "Due": "Datetime", "Tags": "KeywordList",
	}
	fields := all().Wire()
	for _, field := range fields {
		if kindOf(field.Second) != want[field.First] {
			t.Error(field.First, kindOf(field.Second))
		}
	}
	if len(fields) != 7 || fields[0].First != "Amount" || fields[6].First != "Weight" {
		t.Error("they are not in order: ", fields)
	}
}

func TestUpdatesSetRemoveAndCopy(t *testing.T) {
	a := NewSearchAttributes(all().Copy(), status.ValueUnset(), amount.ValueSet(8))
	if n, _ := a.GetInt64(amount); a.Size() != 6 || n != 8 || a.ContainsKey(status) {
		t.Error(a)
	}
	if n, _ := all().GetInt64(amount); n != -7 {
		t.Error("the original has changed: ", n)
	}
	if (SearchAttributes{}).Size() != 0 || !(SearchAttributes{}).IsZero() || NewSearchAttributes().IsZero() {
		t.Error("what is empty is not the zero value")
	}
	if fields, err := weight.ValueSet(math.Inf(1)).Wire(); err == nil {
		t.Error(fields)
	}
	if fields, err := status.ValueUnset().Wire(); err != nil || len(fields) != 1 || fields[0] != (host.Field{First: "Status"}) {
		t.Error(fields, err)
	}
}

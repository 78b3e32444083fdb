package workflow

import (
	"slices"
	"strings"

	"longhaul/converter"
	"longhaul/internal/host"
	"longhaul/temporal"
)

// memoFields are the fields of a memo, by name.
func memoFields(memo map[string]any) ([]host.Named, error) {
	fields := make([]host.Named, 0, len(memo))
	for name, value := range memo {
		payload, err := converter.ToPayload(value)
		if err != nil {
			return nil, err
		}
		fields = append(fields, host.Named{First: name, Second: payload})
	}
	slices.SortFunc(fields, func(a, b host.Named) int { return strings.Compare(a.First, b.First) })
	return fields, nil
}

// UpsertMemo sets memo fields; nil removes one. If a value cannot be written, nothing is changed.
func UpsertMemo(ctx Context, memo map[string]any) error {
	r := ctx.state().run.runtime
	r.MustWrite("workflow.UpsertMemo")
	fields := make([]host.Field, 0, len(memo))
	for name, value := range memo {
		field := host.Field{First: name}
		if value != nil {
			payload, err := converter.ToPayload(value)
			if err != nil {
				return &conversionError{err}
			}
			field.Second = &payload
		}
		fields = append(fields, field)
	}
	slices.SortFunc(fields, func(a, b host.Field) int { return strings.Compare(a.First, b.First) })
	r.Host.UpsertMemo(fields)
	return nil
}

// GetMemo reads a field of the execution's memo, with this run's own changes. False if there is none of that name.
func GetMemo[T any](ctx Context, name string) (value T, ok bool, err error) {
	for _, field := range ctx.state().run.runtime.Host.Memo() {
		if field.First == name {
			value, err = converter.FromPayload[T](field.Second)
			return value, true, err
		}
	}
	return value, false, nil
}

// GetMemoFields are all fields of the execution's memo, with this run's own changes, unread: converter.FromPayload reads one.
func GetMemoFields(ctx Context) map[string]converter.Payload {
	fields := map[string]converter.Payload{}
	for _, field := range ctx.state().run.runtime.Host.Memo() {
		fields[field.First] = field.Second
	}
	return fields
}

// UpsertTypedSearchAttributes sets or removes search attributes. If a value cannot be written, nothing is changed.
func UpsertTypedSearchAttributes(ctx Context, updates ...temporal.SearchAttributeUpdate) error {
	r := ctx.state().run.runtime
	r.MustWrite("workflow.UpsertTypedSearchAttributes")
	fields := make([]host.Field, 0, len(updates))
	for _, update := range updates {
		changes, err := update.Wire()
		if err != nil {
			return &conversionError{err}
		}
		fields = append(fields, changes...)
	}
	r.Host.UpsertSearchAttributes(fields)
	return nil
}

// GetTypedSearchAttributes are the execution's search attributes, with this run's own changes.
func GetTypedSearchAttributes(ctx Context) temporal.SearchAttributes {
	return temporal.SearchAttributesOf(ctx.state().run.runtime.Host.SearchAttributes())
}

// SetCurrentDetails sets a text (Markdown) about the present state, for tools to show.
func SetCurrentDetails(ctx Context, details string) {
	run := ctx.state().run
	run.runtime.MustWrite("workflow.SetCurrentDetails")
	run.details = details
	run.runtime.Host.SetCurrentDetails(details)
}

// GetCurrentDetails is the text that SetCurrentDetails has set last.
func GetCurrentDetails(ctx Context) string {
	run := ctx.state().run
	run.runtime.Proceed()
	return run.details
}

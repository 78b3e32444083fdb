// Values by which executions are found, and that tools show: search attributes and a memo, also those that a run goes on with.
package main

import (
	"time"

	"longhaul/temporal"
	"longhaul/workflow"
)

var (
	city    = temporal.NewSearchAttributeKeyKeyword("LabelsCity")
	note    = temporal.NewSearchAttributeKeyString("LabelsNote")
	parcels = temporal.NewSearchAttributeKeyInt64("LabelsParcels")
	weight  = temporal.NewSearchAttributeKeyFloat64("LabelsWeight")
	fragile = temporal.NewSearchAttributeKeyBool("LabelsFragile")
	due     = temporal.NewSearchAttributeKeyTime("LabelsDue")
	tags    = temporal.NewSearchAttributeKeyKeywordList("LabelsTags")
	// Given with the start.
	owner = temporal.NewSearchAttributeKeyKeyword("LabelsOwner")
)

// labels are what a workflow reads of itself.
type labels struct {
	Owner   *string   `json:"owner"`
	City    *string   `json:"city"`
	Note    *string   `json:"note"`
	Parcels *int64    `json:"parcels"`
	Weight  *float64  `json:"weight"`
	Fragile *bool     `json:"fragile"`
	DueS    *int64    `json:"due_s"`
	Tags    *[]string `json:"tags"`
	Sender  *string   `json:"sender"`
	Size    *[2]int   `json:"size"`
}

// labelled labels itself, changes the labels when it is told to, and goes on as another workflow with labels of its own.
type labelled struct {
	again bool
	steps int
}

func newLabelled(ctx workflow.Context, again bool) (*labelled, error) {
	l := &labelled{again: again}
	workflow.HandleSignalWithOptions(ctx, "step", func(workflow.Context, workflow.None) error {
		l.steps++
		return nil
	}, workflow.SignalHandlerOptions{Description: "Go on"})
	return l, nil
}

func (l *labelled) Run(ctx workflow.Context) (*labels, error) {
	if l.again {
		return read(ctx)
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx,
		city.ValueSet("Wien"),
		note.ValueSet("mind the glass"),
		parcels.ValueSet(3),
		weight.ValueSet(2.5),
		fragile.ValueSet(true),
		due.ValueSet(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
		tags.ValueSet([]string{"new", "hot"}),
	); err != nil {
		return nil, err
	}
	if err := workflow.UpsertMemo(ctx, map[string]any{"sender": "Ann", "size": []int{20, 30}}); err != nil {
		return nil, err
	}
	// It reads what it has just set.
	whole, err := read(ctx)
	if err != nil {
		return nil, err
	}
	if err := workflow.UpsertMemo(ctx, map[string]any{"read": whole}); err != nil {
		return nil, err
	}
	if err := workflow.Await(ctx, func() bool { return l.steps > 0 }); err != nil {
		return nil, err
	}

	if err := workflow.UpsertTypedSearchAttributes(ctx, note.ValueUnset(), tags.ValueUnset(), parcels.ValueSet(2)); err != nil {
		return nil, err
	}
	if err := workflow.UpsertMemo(ctx, map[string]any{"read": nil, "size": nil}); err != nil {
		return nil, err
	}
	if err := workflow.Await(ctx, func() bool { return l.steps > 1 }); err != nil {
		return nil, err
	}

	return nil, workflow.NewContinueAsNewErrorWithOptions(ctx, workflow.ContinueAsNewErrorOptions{
		WorkflowType:          "LabelsWorkflow",
		TaskQueue:             "labels",
		WorkflowRunTimeout:    time.Hour,
		WorkflowTaskTimeout:   20 * time.Second,
		Memo:                  map[string]any{"sender": "Bob"},
		TypedSearchAttributes: temporal.NewSearchAttributes(city.ValueSet("Graz")),
		RetryPolicy:           &temporal.RetryPolicy{InitialInterval: 2 * time.Second, MaximumAttempts: 3},
	}, true)
}

// read gives what the workflow has now, its own changes with it.
func read(ctx workflow.Context) (*labels, error) {
	found := workflow.GetTypedSearchAttributes(ctx)
	l := &labels{
		Owner:   optional(found.GetKeyword(owner)),
		City:    optional(found.GetKeyword(city)),
		Note:    optional(found.GetString(note)),
		Parcels: optional(found.GetInt64(parcels)),
		Weight:  optional(found.GetFloat64(weight)),
		Fragile: optional(found.GetBool(fragile)),
		Tags:    optional(found.GetKeywordList(tags)),
	}
	if due, ok := found.GetTime(due); ok {
		seconds := due.Unix()
		l.DueS = &seconds
	}
	sender, ok, err := workflow.GetMemo[string](ctx, "sender")
	if err != nil {
		return nil, err
	}
	l.Sender = optional(sender, ok)
	size, ok, err := workflow.GetMemo[[2]int](ctx, "size")
	if err != nil {
		return nil, err
	}
	l.Size = optional(size, ok)
	return l, nil
}

// optional is a value, or nil where there is none.
func optional[T any](value T, ok bool) *T {
	if !ok {
		return nil
	}
	return &value
}

func main() {
	workflow.RegisterWithInitOptions(workflow.RegisterOptions{
		Name:        "LabelsWorkflow",
		Description: "Labels itself, changes the labels when it is told to, and goes on as another workflow with labels of its own.",
	}, newLabelled, workflow.Run)
}

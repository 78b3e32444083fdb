package main

import (
	"longhaul/converter"
	"longhaul/workflow"
)

// tree is a type that holds itself, as deep as a message says.
type tree struct {
	Name     string `json:"name"`
	Children []tree `json:"children"`
}

// deep keeps the last values that came, however deep they are.
type deep struct {
	value any
	tree  tree
	ended bool
}

// written is how many bytes the values are as JSON.
func (d *deep) written() (int, error) {
	value, err := converter.Marshal(d.value)
	if err != nil {
		return 0, err
	}
	tree, err := converter.Marshal(d.tree)
	return len(value) + len(tree), err
}

func newDeep(ctx workflow.Context, value any) (*deep, error) {
	d := &deep{value: value}
	workflow.HandleSignal(ctx, "value", func(_ workflow.Context, value any) { d.value = value })
	workflow.HandleSignal(ctx, "tree", func(_ workflow.Context, value tree) { d.tree = value })
	workflow.HandleSignal(ctx, "end", func(workflow.Context, workflow.None) { d.ended = true })
	workflow.HandleQuery(ctx, "written", d.written)
	return d, nil
}

func (d *deep) Run(ctx workflow.Context) (int, error) {
	if err := workflow.Await(ctx, func() bool { return d.ended }); err != nil {
		return 0, err
	}
	return d.written()
}

func registerDeep() { workflow.RegisterWithInit("Deep", newDeep, workflow.Run) }

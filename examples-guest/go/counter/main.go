// A workflow that adds what it is sent: the smallest one with a signal, a query and an update.
package main

import "longhaul/workflow"

// counter adds values until it is told to finish; its result is the total.
type counter struct {
	values   []int64
	total    int64
	finished bool
}

func newCounter(ctx workflow.Context, _ workflow.None) (*counter, error) {
	c := &counter{}
	workflow.HandleSignalWithOptions(ctx, "add", func(_ workflow.Context, value int64) error {
		c.push(value)
		return nil
	}, workflow.SignalHandlerOptions{Description: "Add a value."})
	workflow.HandleSignalWithOptions(ctx, "finish", func(workflow.Context, workflow.None) error {
		c.finished = true
		return nil
	}, workflow.SignalHandlerOptions{Description: "Finish with the total as the result."})
	workflow.HandleQueryWithOptions(ctx, "all", func(workflow.None) ([]int64, error) { return c.values, nil },
		workflow.QueryHandlerOptions{Description: "Every value in the order in which it was added."})
	workflow.HandleQueryWithOptions(ctx, "total", func(workflow.None) (int64, error) { return c.total, nil },
		workflow.QueryHandlerOptions{Description: "The total."})
	workflow.HandleUpdateWithOptions(ctx, "add_and_get", func(_ workflow.Context, value int64) (int64, error) {
		c.push(value)
		return c.total, nil
	}, workflow.UpdateHandlerOptions[int64]{Description: "Add a value and return the total."})
	return c, nil
}

func (c *counter) push(value int64) {
	c.values = append(c.values, value)
	c.total += value
}

func (c *counter) Run(ctx workflow.Context) (int64, error) {
	err := workflow.Await(ctx, func() bool { return c.finished })
	return c.total, err
}

func main() {
	workflow.RegisterWithInitOptions(workflow.RegisterOptions{
		Name:        "Counter",
		Description: "Adds values until it is told to finish; its result is the total.",
	}, newCounter, workflow.Run)
}

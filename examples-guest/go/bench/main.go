// The workflows and the activity that load tests drive: one component that defines both. The same types as in Rust's `bench`.
package main

import (
	"context"
	"time"

	"longhaul/activity"
	"longhaul/workflow"
)

const (
	limit = time.Minute
	// childrenAtOnce: the server takes 2,000 of one execution.
	childrenAtOnce = 1_000
)

func echo(_ context.Context, i int64) (int64, error) { return i, nil }

// define registers a type whose handlers are closed: it has none.
func define[A, R any](name string, main func(ctx workflow.Context, arg A) (R, error)) {
	workflow.RegisterWithInit(name, func(_ workflow.Context, arg A) (A, error) { return arg, nil },
		func(arg A, ctx workflow.Context) (R, error) { return main(ctx, arg) })
}

func steps(ctx workflow.Context, n int64) (sum int64, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: limit})
	for i := range n {
		value, err := workflow.ExecuteActivity[int64](ctx, "Echo", i).Get(ctx)
		if err != nil {
			return 0, err
		}
		sum += value
	}
	return sum, nil
}

func local(ctx workflow.Context, n int64) (sum int64, err error) {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: limit})
	for i := range n {
		value, err := workflow.ExecuteLocalActivity[int64](ctx, "Echo", i).Get(ctx)
		if err != nil {
			return 0, err
		}
		sum += value
	}
	return sum, nil
}

func fan(ctx workflow.Context, n int64) (sum int64, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: limit})
	echoes := make([]workflow.Future[int64], n)
	for i := range echoes {
		echoes[i] = workflow.ExecuteActivity[int64](ctx, "Echo", i)
	}
	for _, echo := range echoes {
		value, err := echo.Get(ctx)
		if err != nil {
			return 0, err
		}
		sum += value
	}
	return sum, nil
}

func sleep(ctx workflow.Context, ms int64) (int64, error) {
	return ms, workflow.Sleep(ctx, time.Duration(ms)*time.Millisecond)
}

// signals ends after n signals.
type signals struct{ got, n int64 }

func newSignals(ctx workflow.Context, n int64) (*signals, error) {
	s := &signals{n: n}
	workflow.HandleSignal(ctx, "s", func(workflow.Context, int64) { s.got++ })
	workflow.HandleQuery(ctx, "got", func() (int64, error) { return s.got, nil })
	workflow.HandleUpdate(ctx, "add", func(_ workflow.Context, k int64) (int64, error) {
		s.got += k
		return s.got, nil
	})
	return s, nil
}

func (s *signals) Run(ctx workflow.Context) (int64, error) {
	err := workflow.Await(ctx, func() bool { return s.got >= s.n })
	return s.got, err
}

func parent(ctx workflow.Context, n int64) (sum int64, err error) {
	for n > 0 {
		children := make([]workflow.ChildWorkflowFuture[int64], min(n, childrenAtOnce))
		for i := range children {
			children[i] = workflow.ExecuteChildWorkflow[int64](ctx, "Empty")
		}
		for _, child := range children {
			value, err := child.Get(ctx)
			if err != nil {
				return 0, err
			}
			sum += value
		}
		n -= int64(len(children))
	}
	return sum, nil
}

func chain(ctx workflow.Context, n int64) (int64, error) {
	if n > 1 {
		return 0, workflow.NewContinueAsNewError(ctx, n-1)
	}
	return n, nil
}

func chainEnd(ctx workflow.Context, n int64) (int64, error) {
	return workflow.ExecuteChildWorkflow[int64](ctx, "Chain", n).Get(ctx)
}

func main() {
	activity.RegisterWithOptions(activity.RegisterOptions{Name: "Echo", Description: "Return the argument."}, echo)
	define("Empty", func(workflow.Context, workflow.None) (int64, error) { return 1, nil })
	define("Steps", steps)
	define("Local", local)
	define("Fan", fan)
	define("Sleep", sleep)
	workflow.RegisterWithInit("Signals", newSignals, workflow.Run)
	define("Parent", parent)
	define("Chain", chain)
	define("ChainEnd", chainEnd)
}

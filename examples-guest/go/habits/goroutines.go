package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"longhaul/activity"
	"longhaul/temporal"
	"longhaul/workflow"
)

// goroutines is what plain goroutines have got that wait through the SDK, again and again.
type goroutines struct {
	lines   []string
	left    int
	numbers workflow.ReceiveChannel[int]
}

func newGoroutines(ctx workflow.Context, _ workflow.None) (*goroutines, error) {
	g := &goroutines{numbers: workflow.GetSignalChannel[int](ctx, "number")}
	workflow.HandleQuery(ctx, "lines", func() ([]string, error) { return g.lines, nil })
	return g, nil
}

// rounds is how often each of them waits.
const rounds = 3

func (g *goroutines) start(work func(round int) string) {
	g.left++
	go func() {
		for round := range rounds {
			// Not in one statement, which may read the lines before it waits.
			line := work(round)
			g.lines = append(g.lines, line)
		}
		g.left--
	}()
}

func (g *goroutines) Run(ctx workflow.Context) ([]string, error) {
	children := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{})
	locals := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: time.Minute,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Hour},
		LocalRetryThreshold: time.Second,
	})
	g.start(func(round int) string { return say("slept", round, workflow.Sleep(ctx, time.Second)) })
	g.start(func(int) string {
		number, _ := g.numbers.Receive(ctx)
		return fmt.Sprint("number ", number)
	})
	g.start(func(round int) string {
		doubled, err := workflow.ExecuteChildWorkflow[int](children, "Double", round).Get(ctx)
		return say("doubled", doubled, err)
	})
	g.start(func(int) string {
		attempt, err := workflow.ExecuteLocalActivity[int](locals, "Flaky").Get(ctx)
		return say("attempt", attempt, err)
	})
	g.start(func(round int) string {
		before := len(g.lines)
		return say("condition", round, workflow.Await(ctx, func() bool { return len(g.lines) > before }))
	})
	err := workflow.Await(ctx, func() bool { return g.left == 0 })
	return g.lines, err
}

func say(what string, number int, err error) string {
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(what, " ", number)
}

// early is a plain function: what it starts with `go` before it first waits stops there with it.
func early(ctx workflow.Context, _ workflow.None) ([]string, error) {
	numbers := workflow.GetSignalChannel[int](ctx, "number")
	var lines []string
	go func() {
		for round := range rounds {
			err := workflow.Sleep(ctx, time.Second)
			lines = append(lines, say("slept", round, err))
		}
	}()
	for {
		number, ok := numbers.ReceiveAsync()
		if !ok {
			break
		}
		lines = append(lines, fmt.Sprint("number ", number))
	}
	err := workflow.Await(ctx, func() bool { return len(lines) > rounds })
	return lines, err
}

// impatient gives a result, or a timer, whatever comes first. The timer is left behind.
func impatient(context.Context, activity.None) (string, error) {
	results := make(chan string)
	go func() {
		time.Sleep(time.Millisecond)
		results <- "in time"
	}()
	select {
	case result := <-results:
		return result, nil
	case <-time.After(5 * time.Minute):
		return "too late", nil
	}
}

// beating beats beside its work, as activities do, and does not stop that when it returns.
func beating(ctx context.Context, _ activity.None) (string, error) {
	ticker := time.NewTicker(time.Millisecond)
	beaten := make(chan int, 1)
	go func() {
		for beats := 1; ; beats++ {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				activity.RecordHeartbeat(ctx, beats)
				if beats == rounds {
					beaten <- beats
				}
			}
		}
	}()
	return fmt.Sprint("beaten ", <-beaten), nil
}

// flaky fails the first time.
func flaky(ctx context.Context, _ activity.None) (int, error) {
	attempt := int(activity.GetInfo(ctx).Attempt)
	if attempt == 1 {
		return 0, errors.New("not yet")
	}
	return attempt, nil
}

// stops ends by a context of its own, which nobody has asked to end, the first time.
func stops(ctx context.Context, _ activity.None) (int, error) {
	own, cancel := context.WithCancel(ctx)
	cancel()
	if activity.GetInfo(ctx).Attempt == 1 {
		return 0, own.Err()
	}
	return flaky(ctx, activity.None{})
}

// perform runs one activity.
func perform(ctx workflow.Context, name string) (any, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Minute,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Millisecond},
	})
	return workflow.ExecuteActivity[any](ctx, name).Get(ctx)
}

func registerGoroutines() {
	workflow.RegisterWithInit("Goroutines", newGoroutines, workflow.Run)
	workflow.Register("Early", early)
	workflow.Register("Double", func(ctx workflow.Context, n int) (int, error) { return 2 * n, workflow.Sleep(ctx, time.Second) })
	workflow.Register("Perform", perform)
	activity.Register("Impatient", impatient)
	activity.Register("Beating", beating)
	activity.Register("Flaky", flaky)
	activity.Register("Stops", stops)
}

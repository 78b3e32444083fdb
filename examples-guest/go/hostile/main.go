// Workflows that do what a workflow must not do. They are test subjects: each has to end in an error that says what to do instead.
package main

import (
	"fmt"
	"os"
	"sync"
	"time"
	"unsafe"

	"longhaul/workflow"
)

// state is what the deeds need.
type state struct {
	deed  string
	items []int
	next  *state
	kept  [][]byte
}

func newState(ctx workflow.Context, deed string) (*state, error) {
	s := &state{deed: deed}
	if deed == "init" {
		blockForEver()
	}
	workflow.HandleQuery(ctx, "waits", func() (workflow.None, error) { return workflow.None{}, workflow.Sleep(ctx, time.Second) })
	workflow.HandleQuery(ctx, "commands", func() (workflow.None, error) {
		workflow.NewTimer(ctx, time.Second)
		return workflow.None{}, nil
	})
	workflow.HandleQuery(ctx, "side effect", func() (int, error) {
		return workflow.SideEffect(ctx, func(workflow.Context) int { return 1 }), nil
	})
	workflow.HandleQuery(ctx, "changes", func() (int, error) {
		s.items = append(s.items, 1)
		return len(s.items), nil
	})
	workflow.HandleQuery(ctx, "panics", func() (int, error) { return s.items[7], nil })
	workflow.HandleUpdate(ctx, "panics", func(workflow.Context, workflow.None) (int, error) { return s.items[7], nil })
	workflow.HandleQuery(ctx, "blocks", func() (int, error) { return blockForEver(), nil })
	workflow.HandleUpdateWithOptions(ctx, "validated", s.keep, workflow.UpdateHandlerOptions[int]{Validator: s.validate})

	// What takes an argument.
	workflow.HandleSignal(ctx, "keep", func(ctx workflow.Context, item int) { _, _ = s.keep(ctx, item) })
	workflow.HandleUpdate(ctx, "keep", s.keep)
	workflow.HandleQueryWithOptions(ctx, "item", func(index int) (int, error) { return s.items[index], nil }, workflow.QueryHandlerOptions{})
	return s, nil
}

func (s *state) keep(_ workflow.Context, item int) (int, error) {
	s.items = append(s.items, item)
	return len(s.items), nil
}

// validate does what a validator must not do.
func (s *state) validate(ctx workflow.Context, how int) error {
	switch how {
	case 0:
		return fmt.Errorf("item %d", s.items[7])
	case 1:
		return workflow.Sleep(ctx, time.Second)
	default:
		return fmt.Errorf("item %d", blockForEver())
	}
}

func blockForEver() int { return <-make(chan int) }

func (s *state) Run(ctx workflow.Context) (string, error) {
	if _, err := workflow.AwaitWithTimeout(ctx, time.Millisecond, func() bool { return false }); err != nil {
		return "", err
	}
	switch s.deed {
	case "panic":
		panic("no such order")
	case "error":
		panic(fmt.Errorf("an error: %s", s.deed))
	case "nil":
		return s.next.deed, nil
	case "bounds":
		return fmt.Sprint(s.items[len(s.deed)]), nil
	case "map":
		var counts map[string]int
		counts[s.deed]++
	case "loop":
		for s.items = nil; len(s.items) < 2; s.items = make([]int, 1) {
		}
	case "memory":
		for {
			s.kept = append(s.kept, make([]byte, 16<<20))
		}
	case "recursion":
		return fmt.Sprint(deeper(1)), nil
	case "overflow":
		go func() {
			s.items = append(s.items, wider(130))
			_ = workflow.Sleep(ctx, time.Second)
		}()
		return "", workflow.Sleep(ctx, time.Hour)
	case "quiet overflow":
		// It ends without a wait. What it returns keeps the compiler from leaving it out.
		go func() { s.items = append(s.items, wider(130)) }()
		return "", workflow.Sleep(ctx, time.Hour)
	case "endless overflow":
		go func() { s.items = append(s.items, deeper(1)) }()
		return "", workflow.Sleep(ctx, time.Hour)
	case "wild":
		// No memory is that long.
		return fmt.Sprint(*(*int)(unsafe.Add(unsafe.Pointer(s), 1<<30))), nil
	case "condition":
		return "", workflow.Await(ctx, func() bool { return s.items[7] > 0 })
	case "blocked condition":
		tries := 0
		return "", workflow.Await(ctx, func() bool {
			if tries++; tries == 1 {
				return false
			}
			return blockForEver() > 0
		})
	case "sleep":
		time.Sleep(time.Second)
	case "exit":
		os.Exit(3)
	case "goroutine":
		go func() { panic("in a goroutine") }()
		_ = workflow.Sleep(ctx, time.Second)
	case "patient":
		return "", workflow.Await(ctx, func() bool { return false })
	case "blocked":
		for range 3 {
			go func() { <-make(chan int) }()
		}
		return "done", nil
	case "side-effect-command":
		return workflow.SideEffect(ctx, func(ctx workflow.Context) string { return fmt.Sprint(workflow.Sleep(ctx, time.Second)) }), nil
	case "side-effect-panic":
		return workflow.SideEffect(ctx, func(workflow.Context) string { panic("no value") }), nil
	case "side-effect-wait":
		return workflow.SideEffect(ctx, func(workflow.Context) string { return fmt.Sprint(blockForEver()) }), nil
	case "channel":
		return "", fmt.Errorf("a value without JSON: %w", fail(ctx))
	}
	return "nothing happened", nil
}

// fail runs an activity with an argument that has no JSON.
func fail(ctx workflow.Context) error {
	_, err := workflow.ExecuteActivity[int](ctx, "charge", make(chan int)).Get(ctx)
	return err
}

//go:noinline
func deeper(n int) int {
	if n == 0 {
		return 0
	}
	// Not a sum, which the compiler would make a loop of.
	return deeper(n+1)*3 ^ n
}

// wider takes more of its goroutine's stack with each call.
//
//go:noinline
func wider(n int) int {
	var room [256]byte
	fill(&room, byte(n))
	if n == 0 {
		return 0
	}
	return wider(n-1) + int(room[n%len(room)])
}

//go:noinline
func fill(room *[256]byte, with byte) {
	for i := range room {
		room[i] = with
	}
}

// twice registers one handler twice: a signal, a query or an update.
func twice(ctx workflow.Context, kind string) (int, error) {
	for range 2 {
		switch kind {
		case "signal":
			workflow.HandleSignal(ctx, "once", func(workflow.Context, workflow.None) {})
		case "channel":
			workflow.HandleSignal(ctx, "once", func(workflow.Context, workflow.None) {})
			workflow.GetSignalChannel[int](ctx, "once")
		case "query":
			workflow.HandleQuery(ctx, "once", func() (int, error) { return 0, nil })
		case "update":
			workflow.HandleUpdate(ctx, "once", func(workflow.Context, workflow.None) (int, error) { return 0, nil })
		}
	}
	return 0, nil
}

// stuck waits for what nobody can bring about.
func stuck(ctx workflow.Context, how string) (string, error) {
	if err := workflow.Sleep(ctx, time.Millisecond); err != nil {
		return "", err
	}
	if how == "lock" {
		var mutex sync.Mutex
		mutex.Lock()
		mutex.Lock()
	}
	return "", <-make(chan error)
}

func main() {
	workflow.RegisterWithInit("Hostile", newState, workflow.Run)
	workflow.Register("Stuck", stuck)
	workflow.Register("Outside", outside)
	workflow.Register("Twice", twice)
}

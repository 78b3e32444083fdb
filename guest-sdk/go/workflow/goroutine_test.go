package workflow

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"longhaul/internal/coro"
	"longhaul/internal/wit/definition"
	"longhaul/temporal"
)

// W1
func TestAGoroutineOfTheWorkflowsOwnWaitsAgainAndAgain(t *testing.T) {
	j := &journal{}
	var numbers ReceiveChannel[int]
	d := begin(t, journaled(j, func(ctx Context) { numbers = GetSignalChannel[int](ctx, "number") }, func(ctx Context) (int, error) {
		// As `go` does in a component: it runs when the task that started it waits, or here at once, and nobody has told the SDK of it.
		goroutine := func(body func()) { coro.Start(body) }
		goroutine(func() {
			for range 3 {
				_ = Sleep(ctx, time.Second)
				j.note("slept")
			}
		})
		goroutine(func() {
			for range 3 {
				number, _ := numbers.Receive(ctx)
				j.note(strconv.Itoa(number))
			}
		})
		goroutine(func() {
			value, _ := ExecuteChildWorkflow[int](WithChildOptions(ctx, ChildWorkflowOptions{WorkflowID: "c"}), "Child").Get(ctx)
			j.note("child" + strconv.Itoa(value))
		})
		return 0, Await(ctx, func() bool { return len(j.lines) == 7 })
	}))
	d.expect(d.advance(), "timer 1 1s", "child 2 Child c []")
	d.guest.Resolve(2, definition.OutcomeChildStarted{Value: "run"})
	d.expect(d.advance())
	if waiting := d.guest.Waiting(); len(waiting) != 4 {
		t.Errorf("%+v", waiting)
	}
	d.done(1)
	d.signal("number", 1)
	d.expect(d.advance(), "timer 3 1s")
	d.done(2, 5)
	d.signal("number", 2)
	d.signal("number", 3)
	d.done(3)
	d.expect(d.advance(), "timer 4 1s")
	d.done(4)
	d.expect(d.advance(), "complete [0]")
	if strings.Count(j.text(), "slept") != 3 || !strings.Contains(j.text(), "child5") {
		t.Error(j.text())
	}
}

// E11
func TestWhatMustNotWaitForAChannelOfGosOwnSaysSo(t *testing.T) {
	wait := func() { coro.Pause() }
	hour := func(ctx Context) (int, error) { return 0, Sleep(ctx, time.Hour) }
	cases := map[string]struct {
		handlers func(ctx Context)
		main     func(ctx Context) (int, error)
		then     func(d *driver)
	}{
		"an init function": {func(Context) { wait() }, hour, func(*driver) {}},
		"a query": {func(ctx Context) {
			HandleQuery(ctx, "q", func() (int, error) { wait(); return 0, nil })
		}, hour, func(d *driver) { d.query("q") }},
		"a validator": {func(ctx Context) {
			HandleUpdateWithOptions(ctx, "u", func(Context, None) (None, error) { return None{}, nil },
				UpdateHandlerOptions[None]{Validator: func(Context, None) error { wait(); return nil }})
		}, hour, func(d *driver) { d.guest.ValidateUpdate("u", d.meta(), "u", nil) }},
		"the condition of an Await": {func(Context) {}, func(ctx Context) (int, error) {
			return 0, Await(ctx, func() bool { wait(); return true })
		}, func(*driver) {}},
	}
	for what, c := range cases {
		t.Run(what, func(t *testing.T) {
			text := said(func() {
				d := begin(t, journaled(&journal{}, c.handlers, c.main))
				d.advance()
				c.then(d)
			})
			if want := "longhaul: something in " + what + " waits for a channel or a lock of Go's own"; !strings.HasPrefix(text, want) {
				t.Errorf("it said %q", text)
			}
		})
	}

	// The second time a condition is tried, no task runs.
	tried := 0
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		return 0, Await(ctx, func() bool {
			if tried++; tried == 2 {
				wait()
			}
			return false
		})
	}))
	if text := said(func() { d.advance() }); !strings.Contains(text, "the condition of an Await waits for a channel") {
		t.Errorf("it said %q", text)
	}
}

// W6
func TestADeclaredFailureFailsTheWorkflowWhateverItsCauseIs(t *testing.T) {
	unreadable := func(ctx Context) error {
		_, err := ExecuteActivity[int](ctx, "a", make(chan int)).Get(ctx)
		return err
	}
	for want, end := range map[string]func(ctx Context) error{
		"fail no": func(ctx Context) error {
			return temporal.NewApplicationErrorWithCause("no", "Declined", unreadable(ctx))
		},
		"fail on": func(ctx Context) error {
			return temporal.NewApplicationErrorWithCause("on", "Declined", NewContinueAsNewError(ctx))
		},
		"fail-task Pa": func(ctx Context) error { return errors.Join(errors.New("why"), unreadable(ctx)) },
	} {
		d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) { return 0, end(ctx) }))
		if commands := d.advance(); !strings.HasPrefix(commands, want) {
			t.Errorf("have %s, want %s", commands, want)
		}
	}
}

func TestAPlainErrorHasTheNameOfItsType(t *testing.T) {
	for name, err := range map[string]error{"errorString": errors.New("a"), "refused": refused{}, "joinError": errors.Join(errors.New("a"))} {
		if have := temporal.FromFailure(temporal.Failure(err)).(*temporal.ApplicationError).Type(); have != name {
			t.Errorf("have %q, want %q", have, name)
		}
	}
}

type refused struct{}

func (refused) Error() string { return "refused" }

package workflow

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"longhaul/internal/coro"
)

// journal is a state that notes what happens.
type journal struct {
	lines []string
	level int
}

func (j *journal) note(line string) { j.lines = append(j.lines, line) }

func (j *journal) text() string { return strings.Join(j.lines, " ") }

// journaled registers a type whose main routine is given.
func journaled(j *journal, handlers func(ctx Context), main func(ctx Context) (int, error)) func() {
	return func() {
		RegisterWithInit("Test", func(ctx Context, _ None) (*journal, error) {
			if handlers != nil {
				handlers(ctx)
			}
			return j, nil
		}, func(_ *journal, ctx Context) (int, error) { return main(ctx) })
	}
}

// S3, S4
func TestHandlersRunBeforeTheMainRoutineAndUpToTheirFirstWait(t *testing.T) {
	j := &journal{}
	d := begin(t, journaled(j, func(ctx Context) {
		HandleSignal(ctx, "go", func(ctx Context, n int) {
			j.note("handler" + strconv.Itoa(n))
			_ = Sleep(ctx, time.Second)
			j.note("late" + strconv.Itoa(n))
		})
	}, func(ctx Context) (int, error) {
		j.note("main")
		return 0, Sleep(ctx, time.Minute)
	}))
	d.signal("go", 1)
	d.signal("go", 2)
	if j.text() != "handler1 handler2" {
		t.Error(j.text())
	}
	d.expect(d.advance(), "timer 1 1s", "timer 2 1s", "timer 3 60s")
	d.done(2)
	d.done(1)
	d.expect(d.advance())
	// The wait for the first timer began first.
	if j.text() != "handler1 handler2 main late1 late2" {
		t.Error(j.text())
	}
}

// W1
func TestTasksWakeInTheOrderInWhichTheirWaitsBegan(t *testing.T) {
	j := &journal{}
	d := begin(t, journaled(j, nil, func(ctx Context) (int, error) {
		group := NewWaitGroup(ctx)
		for i := range 3 {
			group.Add(1)
			Go(ctx, func(ctx Context) {
				_ = Sleep(ctx, time.Second)
				j.note(strconv.Itoa(i))
				group.Done()
			})
		}
		group.Wait(ctx)
		return len(j.lines), nil
	}))
	d.expect(d.advance(), "timer 1 1s", "timer 2 1s", "timer 3 1s")
	d.done(3)
	d.done(1)
	d.done(2)
	d.expect(d.advance(), "complete [3]")
	if j.text() != "0 1 2" {
		t.Error(j.text())
	}
}

// W1
func TestConditionsAreTriedInOrderAndAgainFromTheFirst(t *testing.T) {
	j := &journal{}
	d := begin(t, journaled(j, func(ctx Context) {
		HandleSignal(ctx, "set", func(_ Context, level int) { j.level = level })
	}, func(ctx Context) (int, error) {
		for i := 1; i <= 3; i++ {
			Go(ctx, func(ctx Context) {
				_ = Await(ctx, func() bool { return j.level == i })
				j.note(strconv.Itoa(i))
				// The next one's turn, and for the third the first one's again, which has gone.
				j.level = i - 1
			})
		}
		return 0, Await(ctx, func() bool { return len(j.lines) == 3 })
	}))
	d.expect(d.advance())
	d.signal("set", 3)
	d.expect(d.advance(), "complete [0]")
	if j.text() != "3 2 1" {
		t.Error(j.text())
	}
}

// W1
func TestAConditionThatAnotherTaskMakesFalseAgainDoesNotWake(t *testing.T) {
	j := &journal{}
	d := begin(t, journaled(j, func(ctx Context) {
		HandleSignal(ctx, "set", func(_ Context, level int) { j.level = level })
	}, func(ctx Context) (int, error) {
		for _, name := range []string{"first", "second"} {
			Go(ctx, func(ctx Context) {
				_ = Await(ctx, func() bool { return j.level > 0 })
				j.level = 0
				j.note(name)
			})
		}
		return 0, Await(ctx, func() bool { return len(j.lines) == 2 })
	}))
	d.advance()
	d.signal("set", 1)
	d.expect(d.advance())
	if j.text() != "first" {
		t.Error(j.text())
	}
	d.signal("set", 1)
	d.expect(d.advance(), "complete [0]")
}

// W1
func TestAConditionWithATimeoutIsOneTimerThatIsCancelledAtOnce(t *testing.T) {
	j := &journal{}
	var in bool
	register := journaled(j, func(ctx Context) {
		HandleSignal(ctx, "set", func(_ Context, level int) { j.level = level })
	}, func(ctx Context) (int, error) {
		var err error
		in, err = AwaitWithTimeout(ctx, time.Hour, func() bool { return j.level > 0 })
		return j.level, err
	})
	d := begin(t, register)
	d.expect(d.advance(), "timer 1 3600s")
	d.signal("set", 2)
	d.expect(d.advance(), "cancel-timer 1", "complete [2]")
	if !in {
		t.Error("it held in time")
	}

	j.level = 0
	d = begin(t, register)
	d.advance()
	d.done(1)
	d.expect(d.advance(), "complete [0]")
	if in {
		t.Error("it did not hold in time")
	}

	// Both in one task: the condition counts.
	j.level = 0
	d = begin(t, register)
	d.advance()
	d.signal("set", 1)
	d.done(1)
	d.expect(d.advance(), "complete [1]")
	if !in {
		t.Error("it held in time")
	}

	j.level = 1
	d = begin(t, register)
	d.expect(d.advance(), "complete [1]")
}

func TestASelectorTakesTheFirstInTheOrderAddedAndCancelsNothing(t *testing.T) {
	j := &journal{}
	d := begin(t, journaled(j, nil, func(ctx Context) (int, error) {
		slow, quick := NewTimer(ctx, time.Hour), NewTimer(ctx, time.Second)
		channel := NewBufferedChannel[string](ctx, 1)
		selector := NewSelector(ctx)
		selector.AddFuture(slow, func() { j.note("slow") })
		selector.AddFuture(quick, func() { j.note("quick") })
		selector.AddReceive(channel, func() {
			text, _ := channel.ReceiveAsync()
			j.note(text)
		})
		selector.Select(ctx)
		channel.SendAsync("sent")
		if !selector.HasPending() {
			j.note("nothing")
		}
		selector.Select(ctx)
		selector.AddDefault(func() { j.note("default") })
		selector.Select(ctx)
		return 0, nil
	}))
	d.expect(d.advance(), "timer 1 3600s", "timer 2 1s")
	d.done(2)
	d.expect(d.advance(), "complete [0]")
	if j.text() != "quick sent default" {
		t.Error(j.text())
	}
}

func TestAPlainFunctionRegistersItsHandlersBeforeMessagesCome(t *testing.T) {
	j := &journal{}
	d := begin(t, func() {
		Register("Plain", func(ctx Context, name string) (string, error) {
			HandleSignal(ctx, "add", func(_ Context, text string) { j.note(text) })
			HandleQuery(ctx, "all", func() (string, error) { return j.text(), nil })
			err := Sleep(ctx, time.Second)
			HandleSignal(ctx, "late", func(_ Context, text string) { j.note("late " + text) })
			err = Await(ctx, func() bool { return len(j.lines) == 3 })
			return name + ": " + j.text(), err
		})
	}, "n")
	d.signal("add", "a")
	d.signal("late", "b")
	d.signal("late", "c")
	if d.query("all") != `"a"` {
		t.Error(d.query("all"))
	}
	d.expect(d.advance(), "timer 1 1s")
	d.done(1)
	d.expect(d.advance(), `complete ["n: a late b late c"]`)
	described := d.guest.Describe().Workflows[0]
	if !described.DynamicHandlers {
		t.Error("handlers of a plain function are open")
	}
}

func TestWaitingTellsTaskAndOperation(t *testing.T) {
	d := begin(t, journaled(&journal{}, func(ctx Context) {
		HandleUpdate(ctx, "wait", func(ctx Context, _ None) (None, error) {
			return None{}, Await(ctx, func() bool { return false })
		})
	}, func(ctx Context) (int, error) {
		return ExecuteActivity[int](ctx, "charge").Get(ctx)
	}))
	d.update("u", "wait")
	d.advance()
	waiting := d.guest.Waiting()
	if len(waiting) != 2 || waiting[0].Task != "update wait" || waiting[0].Awaits != "condition" || waiting[0].Seq != nil {
		t.Errorf("%+v", waiting)
	}
	if waiting[1].Task != "run" || waiting[1].Awaits != "activity charge" || waiting[1].Seq == nil || *waiting[1].Seq != 1 {
		t.Errorf("%+v", waiting)
	}
}

func TestWhatMustNotWaitSaysSo(t *testing.T) {
	for _, c := range []struct {
		where    string
		handlers func(ctx Context)
	}{
		{"a query", func(ctx Context) { HandleQuery(ctx, "bad", func() (int, error) { return 0, Sleep(ctx, time.Second) }) }},
		{"an init function", func(ctx Context) { _ = Sleep(ctx, time.Second) }},
	} {
		t.Run(c.where, func(t *testing.T) {
			defer says(t, "workflow.NewTimer or workflow.Sleep was called in "+c.where)
			d := begin(t, journaled(&journal{}, c.handlers, func(ctx Context) (int, error) { return 0, Sleep(ctx, time.Hour) }))
			d.advance()
			d.query("bad")
		})
	}
}

// says expects a panic with this text. Deferred.
func says(t *testing.T, text string) {
	t.Helper()
	if said, _ := recover().(string); !strings.Contains(said, text) {
		t.Errorf("it said %q, not %q", said, text)
	}
}

// E11
func TestWhatIsRegisteredTwiceSaysSo(t *testing.T) {
	kinds := map[string]func(ctx Context){
		"signal": func(ctx Context) { HandleSignal(ctx, "x", func(Context, None) {}) },
		"query":  func(ctx Context) { HandleQuery(ctx, "x", func() (int, error) { return 0, nil }) },
		"update": func(ctx Context) { HandleUpdate(ctx, "x", func(Context, None) (int, error) { return 0, nil }) },
		"signal channel": func(ctx Context) {
			HandleSignal(ctx, "x", func(Context, None) {})
			GetSignalChannel[int](ctx, "x")
		},
	}
	init := func(handle func(ctx Context)) func(ctx Context, _ None) (int, error) {
		return func(ctx Context, _ None) (int, error) {
			handle(ctx)
			handle(ctx)
			return 0, nil
		}
	}
	main := func(int, Context) (int, error) { return 0, nil }
	for kind, handle := range kinds {
		t.Run(kind+" in an init function", func(t *testing.T) {
			defer says(t, "workflow Twice has two handlers of one kind named x")
			begin(t, func() { RegisterWithInit("Twice", init(handle), main) })
		})
		t.Run(kind+" as the module is described", func(t *testing.T) {
			definitions = nil
			RegisterWithInit("Twice", init(handle), main)
			defer says(t, "workflow Twice has two handlers of one kind named x")
			(&guest{host: &fakeHost{}}).Describe()
		})
		t.Run(kind+" in a plain function", func(t *testing.T) {
			defer says(t, "workflow Twice has two handlers of one kind named x")
			begin(t, func() { Register("Twice", init(handle)) })
		})
	}
	t.Run("workflow type", func(t *testing.T) {
		definitions = nil
		RegisterWithInit("Twice", init(func(Context) {}), main)
		defer says(t, "the workflow type Twice is registered twice")
		Register("Twice", func(Context, None) (int, error) { return 0, nil })
	})
	// One of each kind may have the same name.
	d := begin(t, func() {
		RegisterWithInit("Once", func(ctx Context, _ None) (int, error) {
			for _, kind := range []string{"signal", "query", "update"} {
				kinds[kind](ctx)
			}
			return 7, nil
		}, func(state int, _ Context) (int, error) { return state, nil })
	})
	d.expect(d.advance(), "complete [7]")
}

// E11
func TestADeadlockFailsTheTask(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		// As a goroutine that a channel of Go's own keeps: it waits, but not through the SDK.
		coro.Pause()
		return 0, nil
	}))
	if commands := d.advance(); !strings.HasPrefix(commands, "fail-task all goroutines of the workflow wait for channels or locks of Go's own") {
		t.Error(commands)
	}

	// A handler could still end it.
	d = begin(t, journaled(&journal{}, func(ctx Context) { HandleSignal(ctx, "go", func(Context, None) {}) }, func(ctx Context) (int, error) {
		coro.Pause()
		return 0, nil
	}))
	d.expect(d.advance())
}

// counted has its main routine as a method.
type counted struct{ from int }

func (c *counted) Run(ctx Context) (int, error) {
	err := Sleep(ctx, time.Second)
	return c.from + 1, err
}

func TestTheMainRoutineMayBeTheMethodRunOfTheState(t *testing.T) {
	d := begin(t, func() {
		RegisterWithInit("Counted", func(_ Context, from int) (*counted, error) { return &counted{from}, nil }, Run)
	}, 41)
	d.expect(d.advance(), "timer 1 1s")
	d.done(1)
	d.expect(d.advance(), "complete [42]")
}

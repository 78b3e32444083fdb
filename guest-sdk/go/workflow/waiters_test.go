package workflow

import "testing"

// W1
func TestEveryTaskThatWaitsForOneFutureGetsIt(t *testing.T) {
	j := &journal{}
	d := begin(t, journaled(j, nil, func(ctx Context) (int, error) {
		future := ExecuteActivity[int](ctx, "a")
		inner, cancel := WithCancel(ctx)
		for i, name := range []string{"first", "second", "third"} {
			own := ctx
			if i == 1 {
				own = inner
			}
			Go(own, func(ctx Context) {
				value, err := future.Get(ctx)
				j.note(name)
				if err != nil || value != 7 {
					j.note("wrong")
				}
			})
		}
		Go(ctx, func(ctx Context) {
			NewSelector(ctx).AddFuture(future, func() { j.note("selected") }).Select(ctx)
			// Once more, when somebody has waited and it is over.
			if value, _ := future.Get(ctx); value != 7 {
				j.note("wrong")
			}
		})
		timer := NewTimer(ctx, 1_000_000_000)
		_, err := timer.Get(ctx)
		cancel()
		value, _ := future.Get(ctx)
		return value, err
	}))
	d.expect(d.advance(), "activity 1 a []", "timer 2 1s")
	// The main routine waits last, and the one whose context is cancelled goes on waiting: what it waits for is not of that context.
	d.done(2)
	d.expect(d.advance())
	d.done(1, 7)
	d.expect(d.advance(), "complete [7]")
	if j.text() != "first second third selected" {
		t.Error(j.text())
	}
}

// W5
func TestTheCodeBeforeAnyVersionIsNotRecorded(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		return int(GetVersion(ctx, "fees", DefaultVersion, DefaultVersion)), nil
	}))
	d.expect(d.advance(), "complete [-1]")
}

// W5
func TestAVersionThatWouldTakeMillionsOfQuestionsIsRefused(t *testing.T) {
	defer func() {
		if said, _ := recover().(string); said != "longhaul: version 20251122 of the change fees is more than 1000, the largest: "+
			"number the versions of each change 1, 2, 3, ..." {
			t.Errorf("it said %q", said)
		}
	}()
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		return int(GetVersion(ctx, "fees", DefaultVersion, 20251122)), nil
	}))
	d.advance()
}

// Q5
func TestWhereARunWaitsIsTold(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		for _, wait := range []func(ctx Context){
			func(ctx Context) { _ = Sleep(ctx, 90_000_000_000) },
			func(ctx Context) { _, _ = ExecuteActivity[int](ctx, "charge").Get(ctx) },
			func(ctx Context) { _, _ = SignalExternalWorkflow(ctx, "other", "", "hello").Get(ctx) },
			func(ctx Context) { _, _ = RequestCancelExternalWorkflow(ctx, "other", "").Get(ctx) },
		} {
			Go(ctx, wait)
		}
		return 0, Await(ctx, func() bool { return false })
	}))
	d.advance()
	want := []string{"condition", "timer 1m30s", "activity charge", "delivery of signal hello", "cancel request to other"}
	waiting := d.guest.Waiting()
	if len(waiting) != len(want) {
		t.Fatalf("%+v", waiting)
	}
	for i, task := range waiting {
		if task.Awaits != want[i] {
			t.Errorf("task %s waits for %q and not for %q", task.Task, task.Awaits, want[i])
		}
	}
}

// W1
func TestNoTimeToReceiveIsNoTimer(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		channel := NewChannel[int](ctx)
		if _, ok, more := channel.ReceiveWithTimeout(ctx, 0); ok || !more {
			t.Error("there is nothing in it yet")
		}
		channel.Close()
		if _, ok, more := channel.ReceiveWithTimeout(ctx, 1_000_000_000); ok || more {
			t.Error("nothing will come any more")
		}
		return 1, nil
	}))
	d.expect(d.advance(), "complete [1]")
}

// Q4
func TestAQueryDrawsNoRandomNumber(t *testing.T) {
	draws := map[string]func(ctx Context){
		"Uint64":  func(ctx Context) { GetRandomStream(ctx, "dice").Uint64() },
		"Float64": func(ctx Context) { GetRandomStream(ctx, "dice").Float64() },
		"NewUUID": func(ctx Context) { NewUUID(ctx) },
	}
	for name, draw := range draws {
		t.Run(name, func(t *testing.T) {
			d := begin(t, journaled(&journal{}, func(ctx Context) {
				HandleQuery(ctx, "roll", func() (int, error) { draw(ctx); return 1, nil })
			}, func(ctx Context) (int, error) { return 0, Sleep(ctx, 1_000_000_000) }))
			d.advance()
			defer func() {
				if said, _ := recover().(string); said != "longhaul: a random number was called in a query, which may not change anything and must not wait" {
					t.Errorf("it said %q", said)
				}
			}()
			t.Error(d.query("roll"))
		})
	}
}

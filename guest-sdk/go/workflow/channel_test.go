package workflow

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestSendAsyncHandsAValueToWhoeverWaits(t *testing.T) {
	j := &journal{}
	d := begin(t, journaled(j, nil, func(ctx Context) (int, error) {
		channel := NewChannel[string](ctx)
		if channel.SendAsync("nobody waits") {
			j.note("taken")
		}
		for range 2 {
			Go(ctx, func(ctx Context) {
				text, _ := channel.Receive(ctx)
				j.note(text)
			})
		}
		_ = Sleep(ctx, time.Second)
		for _, text := range []string{"a", "b", "c"} {
			if !channel.SendAsync(text) {
				j.note("no-" + text)
			}
		}
		return 0, Sleep(ctx, time.Second)
	}))
	d.advance()
	d.done(1)
	d.expect(d.advance(), "timer 2 1s")
	if j.text() != "no-c a b" {
		t.Error(j.text())
	}
}

// said is what a function panics with.
func said(call func()) (text string) {
	defer func() { text, _ = recover().(string) }()
	call()
	return ""
}

func TestToCloseAChannelTwiceOrUnderASenderPanics(t *testing.T) {
	for want, end := range map[string]func(ctx Context, channel Channel[int]){
		"longhaul: the channel orders was closed before": func(_ Context, channel Channel[int]) { channel.Close(); channel.Close() },
		"longhaul: a value was sent on the closed channel orders": func(ctx Context, channel Channel[int]) {
			Go(ctx, func(ctx Context) { channel.Send(ctx, 1) })
			_ = Sleep(ctx, time.Second)
			channel.Close()
			_ = Sleep(ctx, time.Second)
		},
	} {
		d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
			end(ctx, NewNamedChannel[int](ctx, "orders"))
			return 0, nil
		}))
		text := said(func() {
			d.advance()
			d.done(1)
			d.advance()
		})
		d.expect(text, want)
	}
}

func TestASelectorSeesACaseThatIsAddedWhileItWaits(t *testing.T) {
	for _, before := range []int{0, 1} {
		j := &journal{}
		d := begin(t, journaled(j, func(ctx Context) { AllowDynamicHandlers(ctx) }, func(ctx Context) (int, error) {
			selector := NewSelector(ctx)
			if before > 0 {
				selector.AddFuture(NewTimer(ctx, time.Hour), func() { j.note("slow") })
			}
			HandleSignal(ctx, "add", func(ctx Context, name string) {
				timer := NewTimer(ctx, time.Second)
				selector.AddFuture(timer, func() { j.note(name) })
			})
			selector.Select(ctx)
			selector.Select(ctx)
			return len(j.lines), nil
		}))
		d.advance()
		d.signal("add", "a")
		d.advance()
		d.signal("add", "b")
		d.advance()
		first := uint32(1 + before)
		d.done(first + 1)
		d.expect(d.advance())
		d.done(first)
		d.expect(d.advance(), "complete [2]")
		if j.text() != "b a" {
			t.Error(j.text())
		}
		if waiting := d.guest.Waiting(); len(waiting) != 0 {
			t.Errorf("%+v", waiting)
		}
	}
}

func TestASelectorIsToldOnceThatAChannelIsClosed(t *testing.T) {
	j := &journal{}
	d := begin(t, journaled(j, nil, func(ctx Context) (int, error) {
		channel := NewBufferedChannel[string](ctx, 2)
		channel.SendAsync("a")
		channel.SendAsync("b")
		channel.Close()
		selector := NewSelector(ctx).AddReceive(channel, func() {
			text, more := channel.Receive(ctx)
			j.note(text + strconv.FormatBool(more))
		})
		for n := 0; selector.HasPending() && n < 10; n++ {
			selector.Select(ctx)
		}
		selector.AddDefault(func() { j.note("default") })
		selector.Select(ctx)
		return len(j.lines), nil
	}))
	d.expect(d.advance(), "complete [4]")
	if j.text() != "atrue btrue false default" {
		t.Error(j.text())
	}
}

// E4
func TestALoopOfSelectsGoesOnAfterACancellation(t *testing.T) {
	j := &journal{}
	d := begin(t, journaled(j, nil, func(ctx Context) (int, error) {
		clean, _ := NewDisconnectedContext(ctx)
		done := false
		selector := NewSelector(ctx)
		selector.AddReceive(ctx.Done(), func() { j.note("cancelled") })
		selector.AddFuture(NewTimer(clean, time.Hour), func() { done = true })
		// The case of the cancellation stands before the timer's.
		for range 10 {
			if selector.Select(clean); done {
				return len(j.lines), nil
			}
		}
		return -1, nil
	}))
	d.expect(d.advance(), "timer 1 3600s")
	d.guest.Cancel("")
	d.expect(d.advance())
	d.done(1)
	d.expect(d.advance(), "complete [1]")
	if j.text() != "cancelled" {
		t.Error(j.text())
	}
}

// S7
func TestSignalsThatAreLeftInAChannelAreWarnedAbout(t *testing.T) {
	d := begin(t, journaled(&journal{}, func(ctx Context) {
		GetSignalChannel[int](ctx, "read")
		GetSignalChannel[int](ctx, "left")
		GetSignalChannel[int](ctx, "half")
	}, func(ctx Context) (int, error) {
		GetSignalChannel[int](ctx, "read").ReceiveAsync()
		GetSignalChannel[int](ctx, "half").ReceiveAsync()
		return 0, NewContinueAsNewError(ctx)
	}))
	for _, name := range []string{"read", "left", "half", "half"} {
		d.signal(name, 1)
	}
	d.advance()
	if !slices.Contains(d.host.logs, "Workflow finished with signals that nobody took: [half left]") {
		t.Error(d.host.logs)
	}
}

// S2, S7, E8
func TestADynamicHandlerGetsWhatWasKeptInTheOrderInWhichItCameAndNothingTwice(t *testing.T) {
	j := &journal{}
	d := begin(t, plain(func(ctx Context) (int, error) {
		_ = Sleep(ctx, time.Second)
		signal, err := WaitSignal[int](ctx, "level").Get(ctx)
		if err != nil || signal.Value != 4 {
			return 0, err
		}
		HandleDynamicSignal(ctx, func(_ Context, name string, args RawValue) error {
			j.note(name + values(args.Payloads))
			return nil
		})
		return 0, Sleep(ctx, time.Second)
	}))
	d.signal("b", 1)
	d.signal("level", 2)
	d.signal("a", 3)
	d.signal("level", 4)
	d.signal("b", 5)
	d.advance()
	d.done(1)
	d.advance()
	if j.text() != "b[1] a[3] b[5]" {
		t.Error(j.text())
	}
}

// S7, E8
func TestWhatAWaitForSignalsHasSeenIsNotKept(t *testing.T) {
	d := begin(t, plain(func(ctx Context) (int, error) {
		last, err := WaitSignal[int](ctx, "level").Get(ctx)
		for err == nil && last.Value < 100 {
			last, err = WaitSignal[int](ctx, "level").After(last).Get(ctx)
		}
		return last.Value, err
	}))
	for n := range 101 {
		d.signal("level", n)
		if n%3 == 0 {
			d.advance()
		}
		if kept := len(d.guest.run.box.of("level").signals); kept > 4 {
			t.Fatalf("%d are kept", kept)
		}
	}
	d.expect(d.advance(), "complete [100]")
}

func TestADynamicHandlerIsOneOfItsKind(t *testing.T) {
	for what, twice := range map[string]func(ctx Context){
		"signal": func(ctx Context) { HandleDynamicSignal(ctx, func(Context, string, RawValue) error { return nil }) },
		"query":  func(ctx Context) { HandleDynamicQuery(ctx, func(string, RawValue) (any, error) { return nil, nil }) },
		"update": func(ctx Context) {
			HandleDynamicUpdate(ctx, func(Context, string, RawValue) (any, error) { return nil, nil })
		},
	} {
		text := said(func() {
			begin(t, journaled(&journal{}, func(ctx Context) { twice(ctx); twice(ctx) }, func(Context) (int, error) { return 0, nil }))
		})
		if !strings.HasSuffix(text, "has two dynamic "+what+" handlers") {
			t.Errorf("%s: %q", what, text)
		}
	}
}

package workflow

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"longhaul/converter"
	"longhaul/internal/wit/definition"
	"longhaul/internal/wit/types"
	"longhaul/temporal"
)

// S11
func TestAFailureFailsTheWorkflowInASignalAndOnlyTheUpdateInAnUpdate(t *testing.T) {
	d := begin(t, journaled(&journal{}, func(ctx Context) {
		fail := func(Context, None) error { return temporal.NewApplicationError("no", "Asked") }
		HandleSignalWithOptions(ctx, "fail", fail, SignalHandlerOptions{})
		HandleUpdate(ctx, "fail", func(ctx Context, _ None) (None, error) { return None{}, fail(ctx, None{}) })
	}, func(ctx Context) (int, error) { return 0, Sleep(ctx, time.Hour) }))
	d.update("u", "fail")
	d.expect(d.advance(), "update u failed: no", "timer 1 3600s")
	d.signal("fail")
	d.expect(d.advance(), "fail no")
}

// U1
func TestAValidatorRefusesAndAnUnknownUpdateIsRefusedWithTheKnownOnes(t *testing.T) {
	d := begin(t, journaled(&journal{}, func(ctx Context) {
		HandleUpdateWithOptions(ctx, "add", func(_ Context, n int) (int, error) { return n, nil }, UpdateHandlerOptions[int]{
			Validator: func(_ Context, n int) error {
				if n < 0 {
					return errors.New("negative")
				}
				return nil
			},
		})
	}, func(ctx Context) (int, error) { return 0, Sleep(ctx, time.Hour) }))
	validate := func(name string, args ...any) string {
		result := d.guest.ValidateUpdate("u", d.meta(), name, d.payloads(args))
		if result.Err == nil {
			return ""
		}
		return chain(*result.Err)
	}
	d.expect(validate("add", 1))
	d.expect(validate("add", -1), "negative")
	d.expect(validate("add"), "Update 'add': argument 1 is missing")
	d.expect(validate("sub"), "Update handler for 'sub' expected but not found, and there is no dynamic handler. known updates: [add]")
	if text := validate("add", "x"); !strings.HasPrefix(text, "Update 'add': argument 1 does not decode: ") {
		t.Error(text)
	}
}

// Q4
func TestAnUnknownQueryIsAnErrorThatListsTheKnownOnes(t *testing.T) {
	d := begin(t, journaled(&journal{}, func(ctx Context) {
		HandleQuery(ctx, "level", func() (int, error) { return 4, nil })
	}, func(ctx Context) (int, error) { return 0, Sleep(ctx, time.Hour) }))
	d.expect(d.query("level"), "4")
	d.expect(d.query("depth"), "failed: Query handler for 'depth' expected but not found, known queries: "+
		"[__stack_trace __temporal_workflow_metadata level]")
}

// S7
func TestASignalThatDoesNotDecodeIsDroppedWithAWarning(t *testing.T) {
	d := begin(t, journaled(&journal{}, func(ctx Context) {
		HandleSignal(ctx, "add", func(Context, int) { panic("it was called") })
	}, func(ctx Context) (int, error) { return 0, Sleep(ctx, time.Hour) }))
	d.signal("add", "text")
	if len(d.host.logs) != 1 || !strings.HasPrefix(d.host.logs[0], "Signal 'add' of event 1 was dropped: argument 1 does not decode: ") {
		t.Error(d.host.logs)
	}
}

// S10, U11
func TestAHandlerKnowsEventSenderHeaderAndUpdate(t *testing.T) {
	j := &journal{}
	d := begin(t, journaled(j, func(ctx Context) {
		HandleSignal(ctx, "who", func(ctx Context, _ None) {
			tenant, _, _ := GetHeader[string](ctx, "tenant")
			j.note(GetMessageInfo(ctx).Sender.Identity + " " + tenant)
		})
		HandleUpdate(ctx, "id", func(ctx Context, _ None) (string, error) {
			err := Sleep(ctx, time.Second)
			return GetCurrentUpdateInfo(ctx).ID, err
		})
	}, func(ctx Context) (int, error) {
		if GetMessageInfo(ctx) != nil || GetCurrentUpdateInfo(ctx) != nil {
			return 0, errors.New("the main routine is no message")
		}
		return 0, Sleep(ctx, time.Hour)
	}))
	payload, _ := converter.ToPayload("blue")
	meta := d.meta()
	meta.Header = types.Header{{First: "tenant", Second: payload}}
	d.guest.Signal(meta, "who", nil)
	d.update("one", "id")
	d.update("two", "id")
	d.advance()
	d.done(1)
	d.done(2)
	d.expect(d.advance(), `update one ["one"]`, `update two ["two"]`)
	if j.text() != "me blue" {
		t.Error(j.text())
	}
}

// U8
func TestUnfinishedHandlersAreWarnedAboutUnlessTheyMayBeAbandoned(t *testing.T) {
	d := begin(t, journaled(&journal{}, func(ctx Context) {
		wait := func(ctx Context, _ None) error { return Sleep(ctx, time.Hour) }
		HandleSignalWithOptions(ctx, "kept", wait, SignalHandlerOptions{})
		HandleSignalWithOptions(ctx, "left", wait, SignalHandlerOptions{UnfinishedPolicy: HandlerUnfinishedPolicyAbandon})
	}, func(ctx Context) (int, error) {
		if AllHandlersFinished(ctx) {
			return 0, errors.New("they run")
		}
		return 0, nil
	}))
	d.signal("kept")
	d.signal("left")
	d.expect(d.advance(), "timer 1 3600s", "timer 2 3600s", "complete [0]")
	if len(d.host.logs) != 1 || !strings.Contains(d.host.logs[0], "[kept]") {
		t.Error(d.host.logs)
	}
}

// E8, S7
func TestWaitSignalGivesTheNewestAndPeeks(t *testing.T) {
	j := &journal{}
	d := begin(t, journaled(j, func(ctx Context) { DeclareSignal(ctx, "level") }, func(ctx Context) (int, error) {
		wait := WaitSignal[int](ctx, "level")
		if _, ok, _ := wait.Peek(); ok {
			j.note("early")
		}
		first, err := wait.Get(ctx)
		if err != nil {
			return 0, err
		}
		second, err := WaitSignal[int](ctx, "level").After(first).Get(ctx)
		return first.Value*10 + second.Value, err
	}))
	d.expect(d.advance())
	d.signal("level", 1)
	d.signal("level", 2)
	d.expect(d.advance())
	d.signal("level", 3)
	d.expect(d.advance(), "complete [23]")
	described := d.guest.Describe().Workflows[0]
	if described.DynamicHandlers || len(described.Signals) != 1 || described.Signals[0].Name != "level" || j.text() != "" {
		t.Errorf("%+v %s", described, j.text())
	}
}

// S7
func TestSignalsThatNobodyTookAreWarnedAbout(t *testing.T) {
	d := begin(t, journaled(&journal{}, func(ctx Context) { AllowDynamicHandlers(ctx) }, func(ctx Context) (int, error) { return 0, nil }))
	d.signal("b")
	d.signal("a")
	d.advance()
	if !slices.Contains(d.host.logs, "Workflow finished with signals that nobody took: [a b]") {
		t.Error(d.host.logs)
	}
}

func TestASignalChannelHasThemAllInOrder(t *testing.T) {
	var channel ReceiveChannel[string]
	d := begin(t, journaled(&journal{}, func(ctx Context) { channel = GetSignalChannel[string](ctx, "add") }, func(ctx Context) (int, error) {
		first, _ := channel.Receive(ctx)
		second, _ := channel.Receive(ctx)
		if first != "a" || second != "b" {
			return 0, errors.New(first + second)
		}
		return channel.Len(), nil
	}))
	d.signal("add", "a")
	d.advance()
	d.signal("add", "b")
	d.signal("add", "c")
	d.expect(d.advance(), "complete [1]")
}

// S7
func TestDynamicHandlersTakeWhatNoOtherTakes(t *testing.T) {
	j := &journal{}
	d := begin(t, journaled(j, func(ctx Context) {
		HandleSignal(ctx, "known", func(Context, None) { j.note("known") })
		HandleDynamicSignal(ctx, func(_ Context, name string, args converter.RawValue) error {
			j.note(name + values(args.Payloads))
			return nil
		})
		HandleDynamicQuery(ctx, func(name string, _ converter.RawValue) (any, error) { return name, nil })
		HandleDynamicUpdate(ctx, func(_ Context, name string, _ converter.RawValue) (any, error) { return name, nil })
	}, func(ctx Context) (int, error) { return 0, Sleep(ctx, time.Hour) }))
	d.signal("known")
	d.signal("other", 1, 2)
	d.update("u", "anything")
	d.expect(d.advance(), `update u ["anything"]`, "timer 1 3600s")
	d.expect(d.query("q"), `"q"`)
	if j.text() != "known other[1, 2]" {
		t.Error(j.text())
	}
	if !d.guest.Describe().Workflows[0].DynamicHandlers {
		t.Error("the handlers are open")
	}
}

func TestDescribeTellsTheHandlersOfAnInitFunction(t *testing.T) {
	d := prepare(t, journaled(&journal{}, func(ctx Context) {
		HandleSignalWithOptions(ctx, "s", func(Context, int) error { return nil }, SignalHandlerOptions{Description: "A signal."})
		HandleQuery(ctx, "q", func() (time.Time, error) { return Now(ctx), nil })
		HandleUpdateWithOptions(ctx, "u", func(Context, None) (None, error) { return None{}, nil },
			UpdateHandlerOptions[None]{Validator: func(Context, None) error { return nil }})
		_ = Now(ctx)
		_ = GetInfo(ctx).WorkflowExecution.ID
	}, func(ctx Context) (int, error) { return 0, nil }))
	described := d.guest.Describe()
	w := described.Workflows[0]
	if w.DynamicHandlers || w.Signals[0].Description != "A signal." || w.Queries[0].Name != "q" || !w.Updates[0].HasValidator || described.SDK.Name != "longhaul-go" {
		t.Errorf("%+v", described)
	}
}

func TestAWrongArgumentFailsTheTaskOfTheStart(t *testing.T) {
	d := prepare(t, func() {
		RegisterWithInit("Test", func(Context, int) (int, error) { return 0, nil }, func(int, Context) (int, error) { return 0, nil })
	})
	result := d.guest.Start(d.info, d.payloads([]any{"text"}))
	if result.Err == nil || !strings.HasPrefix(chain(*result.Err), "Workflow 'Test' cannot start: argument 1 does not decode: ") {
		t.Errorf("%+v", result.Err)
	}
	d.info.WorkflowType = "Other"
	result = d.guest.Start(d.info, nil)
	d.expect(chain(*result.Err), "Workflow type 'Other' is not defined by this component. It defines: [Test]")
}

// U5
func TestAMutexServesInOrderAndPassesOverWhoGivesUp(t *testing.T) {
	j := &journal{}
	d := begin(t, journaled(j, nil, func(ctx Context) (int, error) {
		mutex := NewMutex(ctx)
		second, cancel := WithCancel(ctx)
		for i, inner := range []Context{ctx, second, ctx} {
			Go(inner, func(ctx Context) {
				if err := mutex.Lock(ctx); err != nil {
					j.note("gave-up")
					return
				}
				j.note(string(rune('0' + i)))
				_ = Sleep(ctx, time.Second)
				mutex.Unlock()
			})
		}
		err := Sleep(ctx, time.Minute)
		cancel()
		_ = Await(ctx, func() bool { return len(j.lines) == 3 && !mutex.IsLocked() })
		return 0, err
	}))
	d.expect(d.advance(), "timer 1 60s", "timer 2 1s")
	d.done(1)
	d.expect(d.advance())
	d.done(2)
	d.expect(d.advance(), "timer 3 1s")
	d.done(3)
	d.expect(d.advance(), "complete [0]")
	if j.text() != "0 gave-up 2" {
		t.Error(j.text())
	}
}

// U5
func TestASemaphoreLetsSoManyPass(t *testing.T) {
	j := &journal{}
	d := begin(t, journaled(j, nil, func(ctx Context) (int, error) {
		semaphore := NewSemaphore(ctx, 2)
		for _, name := range []string{"a", "b", "c"} {
			Go(ctx, func(ctx Context) {
				_ = semaphore.Acquire(ctx, 1)
				j.note(name)
				_ = Sleep(ctx, time.Second)
				semaphore.Release(1)
			})
		}
		return 0, Await(ctx, func() bool { return len(j.lines) == 3 && semaphore.TryAcquire(ctx, 2) })
	}))
	d.expect(d.advance(), "timer 1 1s", "timer 2 1s")
	d.done(1)
	d.expect(d.advance(), "timer 3 1s")
	if j.text() != "a b c" {
		t.Error(j.text())
	}
	d.done(2)
	d.done(3)
	d.expect(d.advance(), "complete [0]")
}

func member(t *testing.T, j *journal, children int) *driver {
	d := prepare(t, journaled(j, func(ctx Context) {
		HandleSignal(ctx, "greeting", func(ctx Context, text string) {
			j.note(text + " of " + GetMessageInfo(ctx).Family.Origin.ID)
		})
		HandleSignalWithOptions(ctx, "tell", func(ctx Context, propagate bool) error {
			_, err := SignalFamily(ctx, "greeting", FamilySignalOptions{Propagate: propagate}, "hi").Get(ctx)
			return err
		}, SignalHandlerOptions{})
	}, func(ctx Context) (int, error) {
		for range children {
			ExecuteChildWorkflow[int](WithChildOptions(ctx, ChildWorkflowOptions{WorkflowID: "c"}), "Child")
		}
		return 0, Sleep(ctx, time.Hour)
	}))
	d.info.Parent = &types.NamespacedExecution{WorkflowID: "p"}
	d.start()
	d.advance()
	d.guest.Resolve(1, definition.OutcomeChildStarted{Value: "run"})
	return d
}

// E7
func TestOneCallReachesOneselfTheParentAndTheChildren(t *testing.T) {
	j := &journal{}
	d := member(t, j, 1)
	d.signal("tell", true)
	header := `longhaul-family={"id":"01010101-0101-4101-8101-010101010101","workflowId":"w","runId":"r","toParent":true,"toChildren":true}`
	d.expect(d.advance(), `signal-external 3 p greeting ["hi"] `+header, `signal-child 4 1 greeting ["hi"] `+header)
	if j.text() != "hi of w" {
		t.Error(j.text())
	}
}

// E7
func TestAReceiverPassesOnOnceAndNeverBack(t *testing.T) {
	j := &journal{}
	d := member(t, j, 1)
	d.advance()
	payload, _ := converter.ToPayload(carried{ID: "call", WorkflowID: "top", RunID: "r", ToParent: true, ToChildren: true})
	meta := d.meta()
	meta.Header = types.Header{{First: "longhaul-family", Second: payload}}
	meta.Sender = definition.SenderWorkflow{Value: types.Execution{WorkflowID: "p"}}
	d.guest.Signal(meta, "greeting", d.payloads([]any{"hi"}))
	d.guest.Signal(meta, "greeting", d.payloads([]any{"hi"}))
	if commands := d.advance(); strings.Count(commands, "\n") != 0 || !strings.HasPrefix(commands, "signal-child 3 1 greeting") {
		t.Error(commands)
	}
	if j.text() != "hi of top" {
		t.Error(j.text())
	}
}

package workflow

import (
	"strings"
	"testing"

	"longhaul/converter"
	"longhaul/internal/wit/types"
)

// sides makes values, and counts how often.
func sides(made *int) func() {
	return journaled(&journal{}, func(ctx Context) {
		HandleSignal(ctx, "note", func(ctx Context, _ None) {
			*made += SideEffect(ctx, func(Context) int { *made++; return 100 })
		})
	}, func(ctx Context) (int, error) {
		first := SideEffect(ctx, func(Context) int { *made++; return *made })
		if err := Sleep(ctx, 1e9); err != nil {
			return 0, err
		}
		options := SideEffectOptions{Summary: "a name"}
		name := SideEffectWithOptions(ctx, options, func(ctx Context) []string { return []string{NewUUID(ctx)[:4]} })
		return first + len(name), nil
	})
}

// W7
func TestAFunctionRunsOnceAndItsValueIsRecorded(t *testing.T) {
	made := 0
	d := begin(t, sides(&made))
	d.expect(d.advance(), "side-effect 1", "record 1 [1] ", "timer 2 1s")
	d.signal("note")
	d.done(2)
	d.expect(d.advance(), "side-effect 3", "record 3 [100] ", "side-effect 4", `record 4 [["0101"]] a name`, "complete [2]")
}

// W7
func TestAReplayTakesTheValuesOfHistoryAndRunsNothing(t *testing.T) {
	made := 0
	d := prepare(t, sides(&made))
	d.host.sideEffects = map[uint32]types.Payload{}
	for seq, value := range map[uint32]any{1: 7, 3: 5, 4: []string{"a", "b"}} {
		d.host.sideEffects[seq] = d.payloads([]any{value})[0]
	}
	d.start()
	d.expect(d.advance(), "side-effect 1 [7]", "timer 2 1s")
	d.signal("note")
	d.done(2)
	d.expect(d.advance(), "side-effect 3 [5]", `side-effect 4 [["a","b"]]`, "complete [9]")
	if made != 5 {
		t.Error("a function has run", made)
	}
}

// W7
func TestAValueIsWhatIsReadFromWhatWasWritten(t *testing.T) {
	type pair struct {
		Kept   int
		hidden int
	}
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		value := SideEffect(ctx, func(Context) pair { return pair{1, 10} })
		return value.Kept + value.hidden, nil
	}))
	d.expect(d.advance(), "side-effect 1", `record 1 [{"Kept":1}] `, "complete [1]")
}

// W7
func TestTheFunctionOfASideEffectOnlyMakesAValue(t *testing.T) {
	for want, f := range map[string]func(ctx Context) any{
		"workflow.NewTimer or workflow.Sleep was called in the function of a SideEffect": func(ctx Context) any { return Sleep(ctx, 1e9) },
		"workflow.Patched was called in the function of a SideEffect":                    func(ctx Context) any { return Patched(ctx, "p") },
		"workflow.Go was called in the function of a SideEffect":                         func(ctx Context) any { Go(ctx, func(Context) {}); return 0 },
		"workflow.SideEffect was called in the function of a SideEffect": func(ctx Context) any {
			return SideEffect(ctx, func(Context) int { return 1 })
		},
		"the value of side effect 1 cannot be written: ": func(Context) any { return make(chan int) },
	} {
		d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
			SideEffect(ctx, f)
			return 0, nil
		}))
		if text := said(func() { d.advance() }); !strings.Contains(text, want) {
			t.Errorf("have %q, want %q", text, want)
		}
	}
}

// W7
func TestASideEffectIsACommand(t *testing.T) {
	for want, call := range map[string]func(d *driver){
		"workflow.SideEffect was called in a query":                   func(d *driver) { d.query("ask") },
		"workflow.SideEffect was called in the condition of an Await": func(d *driver) { d.advance() },
	} {
		effect := func(ctx Context) bool { return SideEffect(ctx, func(Context) bool { return true }) }
		d := begin(t, journaled(&journal{}, func(ctx Context) {
			HandleQuery(ctx, "ask", func() (bool, error) { return effect(ctx), nil })
		}, func(ctx Context) (int, error) { return 0, Await(ctx, func() bool { return effect(ctx) }) }))
		if text := said(func() { call(d) }); !strings.Contains(text, want) {
			t.Errorf("have %q, want %q", text, want)
		}
	}
}

// W7
func TestAValueOfAnotherTypeIsTold(t *testing.T) {
	d := prepare(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		return SideEffect(ctx, func(Context) int { return 1 }), nil
	}))
	text, err := converter.ToPayload("text")
	if err != nil {
		t.Fatal(err)
	}
	d.host.sideEffects = map[uint32]types.Payload{1: text}
	d.start()
	want := "longhaul: the value of side effect 1 in history is of another type: "
	if text := said(func() { d.advance() }); !strings.HasPrefix(text, want) {
		t.Errorf("have %q, want %q", text, want)
	}
}

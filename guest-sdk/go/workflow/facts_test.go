package workflow

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"longhaul/converter"
	"longhaul/internal/failure"
	"longhaul/internal/host"
	"longhaul/internal/wit/context"
	"longhaul/internal/wit/types"
	"longhaul/temporal"
)

func TestAMemoIsReadWithTheRunsOwnChanges(t *testing.T) {
	d := prepare(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		if err := UpsertMemo(ctx, map[string]any{"owner": "ann", "old": nil, "lines": []string(nil)}); err != nil {
			return 0, err
		}
		if err := UpsertMemo(ctx, map[string]any{"kept": 1, "bad": make(chan int)}); err == nil {
			t.Error("a channel has no JSON")
		}
		owner, ok, err := GetMemo[string](ctx, "owner")
		if owner != "ann" || !ok || err != nil {
			t.Error(owner, ok, err)
		}
		if _, ok, err := GetMemo[string](ctx, "old"); ok || err != nil {
			t.Error(ok, err)
		}
		if _, ok, err := GetMemo[int](ctx, "owner"); !ok || err == nil {
			t.Error(ok, err)
		}
		fields := GetMemoFields(ctx)
		if names := slices.Sorted(maps.Keys(fields)); strings.Join(names, " ") != "lines owner" {
			t.Error(names)
		}
		return 0, nil
	}))
	payload, _ := converter.ToPayload(7)
	d.host.memo = []host.Named{{First: "old", Second: payload}}
	d.start()
	d.expect(d.advance(), `memo lines=[] old=- owner="ann"`, "complete [0]")
}

// E13
func TestSearchAttributesAreReadWithTheRunsOwnChanges(t *testing.T) {
	var (
		paid    = temporal.NewSearchAttributeKeyBool("Paid")
		amount  = temporal.NewSearchAttributeKeyInt64("Amount")
		weight  = temporal.NewSearchAttributeKeyFloat64("Weight")
		status  = temporal.NewSearchAttributeKeyKeyword("Status")
		comment = temporal.NewSearchAttributeKeyString("Comment")
		due     = temporal.NewSearchAttributeKeyTime("Due")
		tags    = temporal.NewSearchAttributeKeyKeywordList("Tags")
		moment  = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	)
	d := prepare(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		before := GetTypedSearchAttributes(ctx)
		if value, ok := before.GetKeyword(status); value != "new" || !ok || before.Size() != 1 || before.ContainsKey(amount) {
			t.Error(value, ok, before)
		}
		err := UpsertTypedSearchAttributes(ctx, paid.ValueSet(true), amount.ValueSet(7), weight.ValueSet(1.5), status.ValueUnset(),
			comment.ValueSet("two words"), due.ValueSet(moment), tags.ValueSet([]string{"a", "b"}))
		if err != nil {
			return 0, err
		}
		if err := UpsertTypedSearchAttributes(ctx, paid.ValueUnset(), weight.ValueSet(math.NaN())); err == nil {
			t.Error("NaN has no JSON")
		}
		now := GetTypedSearchAttributes(ctx)
		if value, ok := now.GetBool(paid); !value || !ok {
			t.Error(value, ok)
		}
		if value, ok := now.GetInt64(amount); value != 7 || !ok {
			t.Error(value, ok)
		}
		if value, ok := now.GetTime(due); !value.Equal(moment) || !ok {
			t.Error(value, ok)
		}
		if now.ContainsKey(status) || now.Size() != 6 {
			t.Error(now)
		}
		return 0, nil
	}))
	set := temporal.NewSearchAttributes(status.ValueSet("new"))
	d.host.attributes = set.Wire()
	d.start()
	d.expect(d.advance(), `search-attributes Paid=true Amount=7 Weight=1.5 Status=- Comment="two words" Due="2026-01-02T03:04:05Z" Tags=["a","b"]`,
		"complete [0]")
}

func TestDetailsAreWhatWasSetLast(t *testing.T) {
	d := begin(t, journaled(&journal{}, func(ctx Context) {
		HandleQuery(ctx, "details", func() (string, error) { return GetCurrentDetails(ctx), nil })
	}, func(ctx Context) (int, error) {
		SetCurrentDetails(ctx, "first")
		SetCurrentDetails(ctx, "**packing**")
		return 0, Sleep(ctx, time.Second)
	}))
	d.expect(d.query("details"), `""`)
	d.expect(d.advance(), "details first", "details **packing**", "timer 1 1s")
	d.expect(d.query("details"), `"**packing**"`)
}

// E3
func TestARunKnowsHowLongItsHistoryIsAndWhyToGoOnAsNew(t *testing.T) {
	d := prepare(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		info := GetInfo(ctx)
		have := fmt.Sprint(info.GetCurrentHistoryLength(), info.GetCurrentHistorySize(), info.GetContinueAsNewSuggested(),
			info.GetContinueAsNewSuggestedReasons())
		if have != "3 4096 true [2 1 3]" {
			t.Error(have)
		}
		return 0, nil
	}))
	d.host.task = context.WorkflowTask{HistorySizeBytes: 4096, ContinueAsNewSuggested: true, ContinueAsNewReasons: []context.ContinueAsNewReason{
		context.ContinueAsNewReasonTooManyEvents, context.ContinueAsNewReasonHistoryTooLarge, context.ContinueAsNewReasonTooManyUpdates,
	}}
	d.start()
	d.expect(d.advance(), "complete [0]")
}

// E2
func TestALaterRunKnowsHowTheLastOnesEnded(t *testing.T) {
	main := func(ctx Context) (int, error) {
		if !HasLastCompletionResult(ctx) {
			if err := GetLastError(ctx); err != nil {
				t.Error(err)
			}
			return 1, nil
		}
		if err := GetLastError(ctx); !temporal.IsApplicationError(err) || err.Error() != "no money" {
			t.Error(err)
		}
		last, err := GetLastCompletionResult[int](ctx)
		return last + 1, err
	}
	d := begin(t, journaled(&journal{}, nil, main))
	d.expect(d.advance(), "complete [1]")
	d = prepare(t, journaled(&journal{}, nil, main))
	d.info.LastCompletionResult = d.payloads([]any{41})
	d.info.LastFailure = &types.Failure{failure.Application("Declined", "no money")}
	d.start()
	d.expect(d.advance(), "complete [42]")
}

// W5
func TestAVersionThatTheCodeDoesNotSupportFailsTheTask(t *testing.T) {
	for patch, want := range map[string]string{
		// The oldest and the newest of the code are 2 and 3.
		"fees-1":  "longhaul: this run has version 1 of the change fees, but the code supports 2 to 3",
		"fees-4":  "longhaul: this run has version 4 of the change fees, but the code supports 2 to 3",
		"fees-13": "longhaul: this run has version 13 of the change fees, but the code supports 2 to 3",
		"others":  "longhaul: this run has version -1 of the change fees, but the code supports 2 to 3",
	} {
		d := prepare(t, journaled(&journal{}, nil, func(ctx Context) (int, error) { return int(GetVersion(ctx, "fees", 2, 3)), nil }))
		d.host.replaying, d.host.patches = true, map[string]bool{patch: true}
		d.start()
		d.expect(said(func() { d.advance() }), want)
	}
}

// W5
func TestADeprecatedPatchIsSaidToBeOne(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		DeprecatePatch(ctx, "fees")
		return 0, nil
	}))
	d.expect(d.advance(), "patched fees true", "complete [0]")
}

// W3
func TestRandomStreamsAreWhatGoReadsFrom(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		stream := GetRandomStream(ctx, "dice")
		stream.Seed(7)
		// The host gives 1, 1, 1 ..., then 2, 2, 2 ..., at each call.
		if n := stream.Uint64(); n != 0x0101010101010101 {
			t.Errorf("%x", n)
		}
		if f := stream.Float64(); f != float64(0x0202020202020202>>11)/(1<<53) {
			t.Error(f)
		}
		if n := stream.Int63(); n != 0x0303030303030303>>1 {
			t.Errorf("%x", n)
		}
		long := make([]byte, drawMax+1)
		if n, err := stream.Read(long); n != len(long) || err != nil || long[0] != 4 || long[drawMax] != 5 {
			t.Error(n, err, long[0], long[drawMax])
		}
		return 0, nil
	}))
	d.expect(d.advance(), "complete [0]")
}

func TestKeysComeInOrder(t *testing.T) {
	m := map[string]int{"b": 1, "a": 3, "c": 2}
	if keys := DeterministicKeys(m); strings.Join(keys, "") != "abc" {
		t.Error(keys)
	}
	if keys := DeterministicKeysFunc(m, func(a, b string) int { return m[a] - m[b] }); strings.Join(keys, "") != "bca" {
		t.Error(keys)
	}
}

// Q3
func TestWhatMayChangeNothingCanTell(t *testing.T) {
	var seen []bool
	d := begin(t, journaled(&journal{}, func(ctx Context) {
		seen = append(seen, IsReadOnly(ctx))
		HandleQuery(ctx, "q", func() (bool, error) { return IsReadOnly(ctx), nil })
	}, func(ctx Context) (int, error) {
		seen = append(seen, IsReadOnly(ctx))
		_ = SideEffect(ctx, func(ctx Context) int { seen = append(seen, IsReadOnly(ctx)); return 1 })
		seen = append(seen, IsReadOnly(ctx))
		return 0, Sleep(ctx, time.Second)
	}))
	d.advance()
	if have := fmt.Sprint(seen); have != "[true false true false]" {
		t.Error(have)
	}
	d.expect(d.query("q"), "true")
}

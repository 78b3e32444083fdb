package workflow

import (
	"strconv"

	"longhaul/converter"
	"longhaul/internal/start"
)

// SideEffectOptions are the options of SideEffectWithOptions.
type SideEffectOptions struct {
	// Summary is one line for tools to show.
	Summary string
}

// SideEffect runs a function once, and records its value: every replay gets that one, whatever the function would make then.
//
// The value is what comes of it when it is written and read again. The function must do nothing else that stays, because it does not
// run in a replay: it changes no state and starts no goroutine. Commands and waits panic in it, and thereby fail the workflow task. Random
// numbers in it, from this package and from Go's own, are its own: drawing them changes nothing outside.
func SideEffect[R any](ctx Context, f func(ctx Context) R) R {
	return SideEffectWithOptions(ctx, SideEffectOptions{}, f)
}

// SideEffectWithOptions is SideEffect, with options.
func SideEffectWithOptions[R any](ctx Context, options SideEffectOptions, f func(ctx Context) R) R {
	r := ctx.state().run.runtime
	r.MustWrite("workflow.SideEffect")
	seq := r.NextSeq()
	payload := r.Host.SideEffect(seq)
	if payload == nil {
		r.Make(func() {
			value, err := converter.ToPayload(f(ctx))
			if err != nil {
				panic(unusable(seq, "cannot be written", err))
			}
			payload = &value
		})
		r.Host.RecordSideEffect(seq, *payload, text(options.Summary))
	}
	// What the function has drawn of the runtime's random numbers is not drawn in a replay.
	start.Seed()
	// The new value too is read from what was written: what is lost by that is not there in a replay either.
	value, err := converter.FromPayload[R](*payload)
	if err != nil {
		panic(unusable(seq, "in history is of another type", err))
	}
	return value
}

func unusable(seq uint32, why string, err error) string {
	return "longhaul: the value of side effect " + strconv.FormatUint(uint64(seq), 10) + " " + why + ": " + err.Error()
}

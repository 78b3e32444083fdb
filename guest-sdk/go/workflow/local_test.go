package workflow

import (
	"errors"
	"testing"

	"longhaul/internal/wit/definition"
	"longhaul/temporal"
)

func backoff(d *driver, seq uint32, attempt uint32) {
	d.guest.Resolve(seq, definition.OutcomeBackoff{Value: definition.Backoff{Attempt: attempt, Delay: 90_000_000_000, OriginalScheduleTime: 5}})
}

// A5
func TestToLookAtALocalActivityDoesNothingAndItsAttemptsGoOnNevertheless(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		local := ExecuteLocalActivity[int](ctx, "check")
		selector := NewSelector(ctx).AddFuture(local, func() {})
		HandleQuery(ctx, "ready", func() ([]bool, error) { return []bool{local.IsReady(), selector.HasPending()}, nil })
		// Nobody waits for it.
		if err := Await(ctx, local.IsReady); err != nil {
			return 0, err
		}
		return local.Get(ctx)
	}))
	d.guest.run.dynamic = true
	d.expect(d.advance(), "local-activity 1 check attempt 1")
	backoff(d, 1, 4)
	d.expect(d.query("ready"), "[false,false]")
	d.expect(d.advance(), "timer 2 90s")
	d.expect(d.query("ready"), "[false,false]")
	d.done(2)
	d.expect(d.query("ready"), "[false,false]")
	d.expect(d.advance(), "local-activity 3 check attempt 4")
	d.done(3, 8)
	d.expect(d.query("ready"), "[true,true]")
	d.expect(d.advance(), "complete [8]")
}

// A5
func TestAnAttemptThatIsRepeatedIsSoInTheTurnOfWhoeverWaits(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		local := ExecuteLocalActivity[int](ctx, "check")
		other := ExecuteActivity[int](ctx, "other")
		Go(ctx, func(ctx Context) {
			_, _ = local.Get(ctx)
		})
		Go(ctx, func(ctx Context) {
			_, _ = other.Get(ctx)
			ExecuteActivity[int](ctx, "next")
		})
		return 0, Await(ctx, func() bool { return false })
	}))
	d.advance()
	d.done(2, 1)
	backoff(d, 1, 2)
	d.expect(d.advance(), "timer 3 90s", "activity 4 next []")
}

// A5, E4
func TestABackoffThatIsCancelledIsACancelledActivity(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		inner, cancel := WithCancel(ctx)
		local := ExecuteLocalActivity[int](inner, "check")
		HandleSignal(ctx, "stop", func(Context, None) { cancel() })
		value, err := local.Get(ctx)
		if !temporal.IsCanceledError(err) || !local.IsReady() {
			return 0, errors.New("it is not cancelled")
		}
		return value, err
	}))
	d.guest.run.dynamic = true
	d.advance()
	backoff(d, 1, 2)
	d.expect(d.advance(), "timer 2 90s")
	d.signal("stop")
	// It was not the workflow's own cancellation that was requested.
	d.expect(d.advance(), "cancel-timer 2", "fail Activity cancelled")
}

// A test subject: activities that are slow, silent or curious, and a workflow that runs one of them. As `attempts` in Rust.
package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"longhaul/activity"
	"longhaul/temporal"
)

const (
	// beat is between two heartbeats of an activity that beats.
	beat = 10 * time.Millisecond
	// forever is longer than anybody waits.
	forever = 10 * time.Minute
)

// beatUntilCancelled is why it should stop.
func beatUntilCancelled(ctx context.Context) string {
	for !activity.IsCancelled(ctx) {
		activity.RecordHeartbeat(ctx, fmt.Sprintf("attempt %d", activity.GetInfo(ctx).Attempt))
		time.Sleep(beat)
	}
	return reasonOf(ctx)
}

// reasonOf is why an attempt should stop that should.
func reasonOf(ctx context.Context) string {
	switch context.Cause(ctx) {
	case activity.ErrCancelled:
		return "Cancelled"
	case activity.ErrNotFound:
		return "NotFound"
	case activity.ErrTimedOut:
		return "TimedOut"
	}
	return "Shutdown"
}

// earlier is what an earlier attempt's last heartbeat said; false if there is none.
func earlier(ctx context.Context) (string, bool) {
	if !activity.HasHeartbeatDetails(ctx) {
		return "", false
	}
	details, err := activity.GetHeartbeatDetails[string](ctx)
	return details, err == nil
}

func neverReturn() (string, error) {
	time.Sleep(forever)
	return "", errors.New("nobody has given this attempt up")
}

func main() {
	registerTrial()
	define := func(name, description string, call func(ctx context.Context, argument string) (string, error)) {
		activity.RegisterWithOptions(activity.RegisterOptions{Name: name, Description: description}, call)
	}
	define("Beat", "Beat until it should stop; then end as cancelled, with the reason as details.", func(ctx context.Context, _ string) (string, error) {
		return "", temporal.NewCanceledError(beatUntilCancelled(ctx))
	})
	define("Stubborn", "Beat until it should stop; then return as if nothing had been asked.", func(ctx context.Context, _ string) (string, error) {
		return "finished though " + beatUntilCancelled(ctx), nil
	})
	define("Patient", "Wait until it should stop, without a heartbeat; then end as cancelled, with the reason as details.", func(ctx context.Context, _ string) (string, error) {
		<-ctx.Done()
		return "", temporal.NewCanceledError(reasonOf(ctx))
	})
	define("Silent", "Beat once with the argument and never return; from the second attempt on, return what that heartbeat said.", func(ctx context.Context, details string) (string, error) {
		if said, ok := earlier(ctx); ok {
			return said, nil
		}
		activity.RecordHeartbeat(ctx, details)
		return neverReturn()
	})
	define("Twice", "Beat twice, the second time with the argument, and never return.", func(ctx context.Context, details string) (string, error) {
		activity.RecordHeartbeat(ctx, "first")
		activity.RecordHeartbeat(ctx, details)
		return neverReturn()
	})
	define("Chatty", "Beat as often as the argument says, then fail; from the second attempt on, return what the last heartbeat said.", func(ctx context.Context, count string) (string, error) {
		if said, ok := earlier(ctx); ok {
			return said, nil
		}
		last, err := strconv.Atoi(count)
		for number := 1; number <= last; number++ {
			activity.RecordHeartbeat(ctx, strconv.Itoa(number))
		}
		return "", errors.Join(err, errors.New("out of breath"))
	})
	define("Hold", "Connect to the argument, write a line, and read until it should stop; then end as cancelled, with the reason as details.", hold)
	define("Later", "Leave the end to somebody else, who finds the task token, in hexadecimal, in the details of the heartbeat.", func(ctx context.Context, _ string) (string, error) {
		activity.RecordHeartbeat(ctx, hex.EncodeToString(activity.GetInfo(ctx).TaskToken))
		return "", activity.ErrResultPending
	})
	define("Returns", "Return while a goroutine still sleeps.", func(context.Context, string) (string, error) {
		go time.Sleep(forever)
		return "returned", nil
	})
	define("Stuck", "Wait for what nobody can bring about.", func(context.Context, string) (string, error) {
		return <-make(chan string), nil
	})
	define("Reach", "Reach for the machine, with one of the verbs in reach.go. What is not there fails at once.", func(ctx context.Context, what string) (string, error) {
		told, err := reach(ctx, what)
		if err != nil && ctx.Err() == nil {
			return "", temporal.NewNonRetryableApplicationError(err.Error(), "Refused", nil)
		}
		return told, err
	})
	define("Exhaust", "Use up what there is: memory, time, fuel, stack, `handles FILE`, `sockets ADDRESS` or `response URL`. Nothing ends it but a limit.", exhaust)
}

package activity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"longhaul/converter"
	"longhaul/internal/abi"
	wit "longhaul/internal/wit/activitycontext"
	"longhaul/internal/wit/activitydefinition"
	"longhaul/internal/wit/types"
	"longhaul/temporal"
)

// fakeHost is a host of one attempt.
type fakeHost struct {
	info         wit.ActivityInfo
	heartbeats   []types.Payloads
	cancellation *wit.CancellationReason
	logs         []string
	// asked is how often the host was asked whether the attempt should stop.
	asked int
	// await, if there is one, is what those wait for who wait for the cancellation.
	await chan wit.CancellationReason
}

func (h *fakeHost) Info() wit.ActivityInfo                { return h.info }
func (h *fakeHost) Heartbeat(details types.Payloads)      { h.heartbeats = append(h.heartbeats, details) }
func (h *fakeHost) Cancellation() *wit.CancellationReason { h.asked++; return h.cancellation }
func (h *fakeHost) AwaitCancellation(ctx context.Context) bool {
	select {
	case reason := <-h.await:
		h.cancellation = &reason
		return true
	case <-ctx.Done():
		return false
	}
}
func (h *fakeHost) Log(_ types.LogLevel, message string, fields []abi.Pair[string, string]) {
	for _, field := range fields {
		message += " " + field.First + "=" + field.Second
	}
	h.logs = append(h.logs, message)
}

// execute runs an activity: its result as JSON, or how it failed.
func execute(t *testing.T, h *fakeHost, name string, args ...any) string {
	t.Helper()
	input, err := converter.ToPayloads(args...)
	if err != nil {
		t.Fatal(err)
	}
	result := (&guest{host: h}).Execute(name, input)
	if result.Err == nil {
		return string(result.Value[0].Data)
	}
	switch err := (*result.Err).(type) {
	case activitydefinition.ExecuteErrorFailed:
		return "failed: " + temporal.FromFailure(err.Value).Error()
	case activitydefinition.ExecuteErrorCancelled:
		return "cancelled"
	default:
		return "somebody else completes it"
	}
}

func expect(t *testing.T, have, want string) {
	t.Helper()
	if have != want {
		t.Errorf("have %q, want %q", have, want)
	}
}

func TestAnActivityTakesAndReturnsTypedValues(t *testing.T) {
	definitions = nil
	Register("join", func(ctx context.Context, args converter.Args2[string, []int]) (map[string][]int, error) {
		GetLogger(ctx).Info("joining", "to", args.First)
		return map[string][]int{args.First: args.Second}, nil
	})
	h := &fakeHost{}
	expect(t, execute(t, h, "join", "a", []int{1, 2}), `{"a":[1,2]}`)
	expect(t, strings.Join(h.logs, "\n"), "joining to=a")
	expect(t, execute(t, h, "join", "a"), `{"a":[]}`)
	expect(t, execute(t, h, "join"), "failed: Activity 'join': argument 1 is missing")
	expect(t, execute(t, h, "split"), "failed: Activity function 'split' is not defined by this component. It defines: [join]")
}

// A2, A6
func TestHowAnActivityEndsWithoutAResult(t *testing.T) {
	definitions = nil
	for name, err := range map[string]error{
		"fails":   temporal.NewNonRetryableApplicationError("no", "Declined", nil, 7),
		"plain":   errors.New("oops"),
		"pending": ErrResultPending,
	} {
		Register(name, func(context.Context, None) (None, error) { return None{}, err })
	}
	h := &fakeHost{}
	expect(t, execute(t, h, "fails"), "failed: no")
	expect(t, execute(t, h, "plain"), "failed: oops")
	expect(t, execute(t, h, "pending"), "somebody else completes it")

	result := (&guest{host: h}).Execute("fails", nil)
	failed := (*result.Err).(activitydefinition.ExecuteErrorFailed)
	info := failed.Value[0].Info.(types.FailureInfoApplication).Value
	if info.Type != "Declined" || !info.NonRetryable || string(info.Details[0].Data) != "7" {
		t.Errorf("%+v", info)
	}
}

// A2, A4
func TestAnActivityIsCancelledOnlyIfThatWasAskedFor(t *testing.T) {
	definitions = nil
	for name, err := range map[string]error{
		"own":      context.Canceled,
		"wrapped":  fmt.Errorf("the download: %w", context.Canceled),
		"declared": temporal.NewCanceledError("half"),
	} {
		Register(name, func(ctx context.Context, ask bool) (None, error) {
			if ask {
				IsCancelled(ctx)
			}
			return None{}, err
		})
	}
	reason := wit.CancellationReasonCancelled
	asked, unasked := &fakeHost{cancellation: &reason}, &fakeHost{}
	for name, text := range map[string]string{"own": "context canceled", "wrapped": "the download: context canceled: context canceled", "declared": "canceled"} {
		expect(t, execute(t, asked, name, true), "cancelled")
		expect(t, execute(t, unasked, name, true), "failed: "+text)
		// What it has not noticed is not why it ends.
		expect(t, execute(t, asked, name, false), "failed: "+text)
	}

	// It is a failure like any other, which is tried again.
	failed := (*(&guest{host: unasked}).Execute("own", types.Payloads{converter.New("json/plain", []byte("false"))}).Err).(activitydefinition.ExecuteErrorFailed)
	if info := failed.Value[0].Info.(types.FailureInfoApplication).Value; info.NonRetryable {
		t.Errorf("%+v", info)
	}
}

// A3
func TestAHeartbeatBringsTheCancellation(t *testing.T) {
	definitions = nil
	Register("copy", func(ctx context.Context, _ None) (int, error) {
		done := 0
		if HasHeartbeatDetails(ctx) {
			done, _ = GetHeartbeatDetails[int](ctx)
		}
		for ; ctx.Err() == nil; done++ {
			RecordHeartbeat(ctx, done)
		}
		if !errors.Is(context.Cause(ctx), ErrTimedOut) {
			return 0, errors.New("another reason")
		}
		return done, ctx.Err()
	})
	reason := wit.CancellationReasonTimedOut
	details, _ := converter.ToPayloads(40)
	h := &fakeHost{cancellation: &reason, info: wit.ActivityInfo{HeartbeatDetails: details}}
	expect(t, execute(t, h, "copy"), "cancelled")
	if len(h.heartbeats) != 1 || string(h.heartbeats[0][0].Data) != "40" {
		t.Errorf("%v", h.heartbeats)
	}
}

// A3
func TestWhoeverWaitsForTheCancellationIsWokenAndDoesNotAsk(t *testing.T) {
	for reason, cause := range map[wit.CancellationReason]error{
		wit.CancellationReasonCancelled: ErrCancelled,
		wit.CancellationReasonNotFound:  ErrNotFound,
		wit.CancellationReasonTimedOut:  ErrTimedOut,
		wit.CancellationReasonShutdown:  ErrShutdown,
	} {
		definitions = nil
		h := &fakeHost{await: make(chan wit.CancellationReason)}
		Register("wait", func(ctx context.Context, _ None) (None, error) {
			done := ctx.Done()
			h.await <- reason
			<-done
			if context.Cause(ctx) != cause {
				t.Errorf("%v: %v", reason, context.Cause(ctx))
			}
			return None{}, ctx.Err()
		})
		expect(t, execute(t, h, "wait"), "cancelled")
		if h.asked != 1 {
			t.Errorf("%v: asked %d times", reason, h.asked)
		}
	}
}

func TestTheDeadlineIsTheFirstLimit(t *testing.T) {
	definitions = nil
	Register("left", func(ctx context.Context, _ None) (float64, error) {
		info := GetInfo(ctx)
		return info.Deadline.Sub(info.StartedTime).Seconds(), nil
	})
	second := types.Duration(1_000_000_000)
	attempt, all := 30*second, 50*second
	h := &fakeHost{info: wit.ActivityInfo{ScheduledTime: 100 * second, StartedTime: 130 * second, StartToClose: &attempt, ScheduleToClose: &all}}
	expect(t, execute(t, h, "left"), "20")
	h.info.ScheduleToClose = nil
	expect(t, execute(t, h, "left"), "30")
}

func TestAnAttemptReadsItsHeader(t *testing.T) {
	definitions = nil
	Register("read", func(ctx context.Context, _ None) (string, error) {
		tenant, ok, err := GetHeader[string](ctx, "tenant")
		if _, other, _ := GetHeader[string](ctx, "other"); other || !IsActivity(ctx) || IsActivity(context.Background()) {
			t.Error("there is one header, and one activity")
		}
		if _, there, err := GetHeader[int](ctx, "tenant"); !there || err == nil {
			t.Error("a text was read as a number")
		}
		return fmt.Sprint(tenant, ok), err
	})
	payload, err := converter.ToPayload("blue")
	if err != nil {
		t.Fatal(err)
	}
	h := &fakeHost{info: wit.ActivityInfo{Header: types.Header{{First: "tenant", Second: payload}}}}
	expect(t, execute(t, h, "read"), `"bluetrue"`)
}

// E11
func TestAnActivityTypeThatIsRegisteredTwiceSaysSo(t *testing.T) {
	definitions = nil
	for _, name := range []string{"charge", "refund"} {
		Register(name, func(context.Context, converter.None) (int, error) { return 0, nil })
	}
	defer func() {
		if said, _ := recover().(string); !strings.Contains(said, "the activity type charge is registered twice") {
			t.Errorf("it said %q", said)
		}
	}()
	Register("charge", func(_ context.Context, n int) (int, error) { return n, nil })
}

//go:build wasip2

package activity

import (
	"context"

	"longhaul/internal/abi"
	"longhaul/internal/poll"
	"longhaul/internal/wit/activitycontext"
	"longhaul/internal/wit/activitydefinition"
	"longhaul/internal/wit/types"
)

func init() { activitydefinition.Export(&guest{host: imports{}}) }

// imports is the host of a component.
type imports struct{}

func (imports) Info() activitycontext.ActivityInfo { return activitycontext.Info() }

func (imports) Heartbeat(details types.Payloads) { activitycontext.Heartbeat(details) }

func (imports) Cancellation() *activitycontext.CancellationReason {
	return activitycontext.Cancellation()
}

func (imports) AwaitCancellation(ctx context.Context) bool {
	return poll.Wait(ctx, activitycontext.SubscribeCancellation()) == nil
}

func (imports) Log(level types.LogLevel, message string, fields []abi.Pair[string, string]) {
	activitycontext.Log(level, message, fields)
}

package workflow

import (
	"time"

	"longhaul/temporal"
)

// What the README calls the same as in Temporal's SDK has its signatures: code that is written for it compiles.
var (
	_ func(Context, func(Context))                                                       = Go
	_ func(Context, string, func(Context))                                               = GoNamed
	_ func(Context, func() bool) error                                                   = Await
	_ func(Context, time.Duration, func() bool) (bool, error)                            = AwaitWithTimeout
	_ func(Context, AwaitOptions, func() bool) (bool, error)                             = AwaitWithOptions
	_ func(Context, time.Duration) error                                                 = Sleep
	_ func(Context) time.Time                                                            = Now
	_ func(Context) Selector                                                             = NewSelector
	_ func(Context, string) Selector                                                     = NewNamedSelector
	_ func(Context) WaitGroup                                                            = NewWaitGroup
	_ func(Context) Mutex                                                                = NewMutex
	_ func(Context, int64) Semaphore                                                     = NewSemaphore
	_ func(Context) (Context, CancelFunc)                                                = WithCancel
	_ func(Context) (Context, CancelFunc)                                                = NewDisconnectedContext
	_ func(Context, any, any) Context                                                    = WithValue
	_ func(map[string]int) []string                                                      = DeterministicKeys[string, int]
	_ func(map[string]int, func(string, string) int) []string                            = DeterministicKeysFunc[string, int]
	_ error                                                                              = ErrCanceled
	_ func(Context, ActivityOptions) Context                                             = WithActivityOptions
	_ func(Context, LocalActivityOptions) Context                                        = WithLocalActivityOptions
	_ func(Context, ChildWorkflowOptions) Context                                        = WithChildOptions
	_ func(Context) ActivityOptions                                                      = GetActivityOptions
	_ func(Context) LocalActivityOptions                                                 = GetLocalActivityOptions
	_ func(Context) ChildWorkflowOptions                                                 = GetChildWorkflowOptions
	_ func(Context, string) Context                                                      = WithTaskQueue
	_ func(Context, time.Duration) Context                                               = WithScheduleToCloseTimeout
	_ func(Context, time.Duration) Context                                               = WithScheduleToStartTimeout
	_ func(Context, time.Duration) Context                                               = WithStartToCloseTimeout
	_ func(Context, time.Duration) Context                                               = WithHeartbeatTimeout
	_ func(Context, bool) Context                                                        = WithWaitForCancellation
	_ func(Context, temporal.RetryPolicy) Context                                        = WithRetryPolicy
	_ func(Context, string) Context                                                      = WithWorkflowID
	_ func(Context, string) Context                                                      = WithWorkflowTaskQueue
	_ func(Context, time.Duration) Context                                               = WithWorkflowRunTimeout
	_ func(Context, time.Duration) Context                                               = WithWorkflowTaskTimeout
	_ func(Context, string, Version, Version) Version                                    = GetVersion
	_ func(Context, string) WorkflowRandomStream                                         = GetRandomStream
	_ func(Context) *Info                                                                = GetInfo
	_ func(Context) bool                                                                 = HasLastCompletionResult
	_ func(Context) error                                                                = GetLastError
	_ func(Context, ...temporal.SearchAttributeUpdate) error                             = UpsertTypedSearchAttributes
	_ func(Context) temporal.SearchAttributes                                            = GetTypedSearchAttributes
	_ func(Context, map[string]any) error                                                = UpsertMemo
	_ func(Context) string                                                               = GetCurrentDetails
	_ func(Context, string)                                                              = SetCurrentDetails
	_ func(Context) bool                                                                 = AllHandlersFinished
	_ func(Context) []string                                                             = GetUnhandledSignalNames
	_ func(Context) bool                                                                 = IsReadOnly
	_ func(Context) bool                                                                 = IsReplaying
	_ func(Context) *UpdateInfo                                                          = GetCurrentUpdateInfo
	_ func(error) bool                                                                   = IsContinueAsNewError
	_ func(*Info) []ContinueAsNewSuggestedReason                                         = (*Info).GetContinueAsNewSuggestedReasons
	_ func(temporal.SearchAttributes, temporal.SearchAttributeKeyKeyword) (string, bool) = temporal.SearchAttributes.GetKeyword
	_ func(...temporal.SearchAttributeUpdate) temporal.SearchAttributes                  = temporal.NewSearchAttributes
)

// Of what is an interface there, a field takes what the constructor makes.
var _ = func(ctx Context) any {
	return struct {
		mutex     Mutex
		semaphore Semaphore
		group     WaitGroup
		selector  Selector
		channel   Channel[int]
		sends     SendChannel[int]
		receives  ReceiveChannel[int]
		signals   ReceiveChannel[int]
		done      ReceiveChannel[None]
	}{
		NewMutex(ctx), NewSemaphore(ctx, 1), NewWaitGroup(ctx), NewSelector(ctx), NewChannel[int](ctx), NewNamedChannel[int](ctx, "a"),
		NewBufferedChannel[int](ctx, 1), GetSignalChannel[int](ctx, "b"), ctx.Done(),
	}
}

package activity

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"longhaul/converter"
	"longhaul/internal/abi"
	"longhaul/internal/coro"
	"longhaul/internal/failure"
	"longhaul/internal/start"
	wit "longhaul/internal/wit/activitydefinition"
	"longhaul/internal/wit/types"
	"longhaul/temporal"
)

// guest answers the host's calls. One instance of a component is one attempt.
type guest struct{ host host }

func (g *guest) Describe() wit.Description {
	coro.MustFit()
	start.Main()
	description := wit.Description{SDK: start.SDK()}
	for _, d := range definitions {
		description.Activities = append(description.Activities, types.Handler{Name: d.name, Description: d.description})
	}
	return description
}

type executed = abi.Result[types.Payloads, wit.ExecuteError]

func failed(chain types.Failure) executed {
	var err wit.ExecuteError = wit.ExecuteErrorFailed{Value: chain}
	return executed{Err: &err}
}

func (g *guest) Execute(activityType string, input types.Payloads) executed {
	start.NameFileErrors()
	start.Main()
	for _, d := range definitions {
		if d.name == activityType {
			return g.run(d, input)
		}
	}
	known := make([]string, 0, len(definitions))
	for _, d := range definitions {
		known = append(known, d.name)
	}
	text := fmt.Sprintf("Activity function '%s' is not defined by this component. It defines: [%s]", activityType, strings.Join(known, " "))
	return failed(types.Failure{failure.Application("NotFoundError", text)})
}

// run runs an attempt in a goroutine, which may block, and with it whatever it starts.
func (g *guest) run(d activityDefinition, input types.Payloads) executed {
	ctx, a := newAttempt(g.host)
	defer a.cancel(context.Canceled)
	var output any
	var err error
	if !coro.Main(func() { output, err = d.call(ctx, input) }) {
		// It waits for something that nothing in this instance can bring about any more.
		panic("longhaul: all goroutines of the activity " + d.name + " are asleep: deadlock")
	}
	var payload converter.Payload
	if err == nil {
		payload, err = converter.ToPayload(output)
	}
	var argument *converter.ArgumentError
	// Nobody has asked for a cancellation that the activity has not noticed.
	asked := ctx.Err() != nil
	switch cancelled, _ := temporal.Cancelled(err); {
	case err == nil:
		return executed{Value: types.Payloads{payload}}
	case errors.Is(err, ErrResultPending):
		var pending wit.ExecuteError = wit.ExecuteErrorWillCompleteAsync{}
		return executed{Err: &pending}
	case asked && cancelled != nil:
		var ended wit.ExecuteError = wit.ExecuteErrorCancelled{Value: cancelled.Details().Payloads()}
		return executed{Err: &ended}
	case asked && stopped(err):
		var ended wit.ExecuteError = wit.ExecuteErrorCancelled{}
		return executed{Err: &ended}
	case errors.As(err, &argument):
		text := fmt.Sprintf("Activity '%s': %s", d.name, argument)
		return failed(types.Failure{failure.Application("InvalidArgument", text)})
	}
	return failed(temporal.Failure(err))
}

// stopped tells whether an activity has ended because it should.
func stopped(err error) bool {
	for _, reason := range []error{context.Canceled, ErrCancelled, ErrNotFound, ErrTimedOut, ErrShutdown} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}

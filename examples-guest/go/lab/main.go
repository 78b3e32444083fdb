// The lab: a workflow that does whatever its argument says.
//
// The same program, played on another system, must look the same to a client; see the cases in tests/lab.
package main

import (
	"errors"

	"longhaul/temporal"
	"longhaul/workflow"
)

// lab does what its argument says.
type lab struct {
	ctx     workflow.Context
	program program
	log     []string
	notes   uint64
	sum     int64
}

func newLab(ctx workflow.Context, program program) (*lab, error) {
	l := &lab{ctx: ctx, program: program, log: program.Log}
	workflow.HandleSignalWithOptions(ctx, "note", func(_ workflow.Context, text string) error {
		l.notes++
		l.log = append(l.log, "note:"+text)
		return nil
	}, workflow.SignalHandlerOptions{Description: "A note, which steps can wait for"})
	workflow.HandleSignalWithOptions(ctx, "run", l.runInHandler, workflow.SignalHandlerOptions{Description: "Runs steps"})
	workflow.HandleQueryWithOptions(ctx, "log", func(workflow.None) ([]string, error) { return l.log, nil },
		workflow.QueryHandlerOptions{Description: "What has happened"})
	workflow.HandleQueryWithOptions(ctx, "sum", func(workflow.None) (int64, error) { return l.sum, nil },
		workflow.QueryHandlerOptions{Description: "The sum of what was added"})
	workflow.HandleQueryWithOptions(ctx, "fail", func(message string) (workflow.None, error) {
		return workflow.None{}, temporal.NewApplicationError(message, "Asked")
	}, workflow.QueryHandlerOptions{Description: "Fails"})
	workflow.HandleUpdateWithOptions(ctx, "add", func(_ workflow.Context, n int64) (int64, error) {
		l.sum += n
		return l.sum, nil
	}, workflow.UpdateHandlerOptions[int64]{
		Description: "Adds a number that is not negative; returns the sum",
		Validator: func(_ workflow.Context, n int64) error {
			if n < 0 {
				return temporal.NewApplicationError("negative", "Refused")
			}
			return nil
		},
	})
	workflow.HandleUpdateWithOptions(ctx, "run", func(ctx workflow.Context, steps []step) (int, error) {
		err := l.runInHandler(ctx, steps)
		return len(l.log), err
	}, workflow.UpdateHandlerOptions[[]step]{Description: "Runs steps; returns the length of the log"})
	workflow.HandleUpdateWithOptions(ctx, "fail", func(_ workflow.Context, message string) (workflow.None, error) {
		return workflow.None{}, temporal.NewApplicationError(message, "Asked")
	}, workflow.UpdateHandlerOptions[string]{Description: "Fails"})
	return l, nil
}

// runInHandler runs steps for a handler. The workflow's cancellation reaches the main routine only.
func (l *lab) runInHandler(ctx workflow.Context, steps []step) error {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	err := (&task{lab: l, ctx: ctx}).steps(steps)
	var stop *stop
	if errors.As(err, &stop) {
		panic(stop.Error())
	}
	return err
}

func (l *lab) Run(ctx workflow.Context) (any, error) {
	err := (&task{lab: l, ctx: ctx}).steps(l.program.Steps)
	var stop *stop
	if errors.As(err, &stop) {
		return stop.value, nil
	}
	if l.program.OnCancel != nil && temporal.IsCanceledError(err) {
		if err := l.runInHandler(ctx, *l.program.OnCancel); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	return l.log, nil
}

func main() {
	workflow.RegisterWithInitOptions(workflow.RegisterOptions{Name: "Lab", Description: "Does what its argument says."}, newLab, workflow.Run)
}

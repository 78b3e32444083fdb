package main

import (
	"time"

	"longhaul/converter"
	"longhaul/workflow"
)

// longRunning is the state of one run.
type longRunning struct {
	iteration      uint64
	totalProcessed uint64
}

// newLongRunning begins with what the run before has reached. The first run has no arguments: these are pointers.
func newLongRunning(ctx workflow.Context, reached converter.Args2[*uint64, *uint64]) (*longRunning, error) {
	l := &longRunning{}
	if reached.First != nil {
		l.iteration = *reached.First
	}
	if reached.Second != nil {
		l.totalProcessed = *reached.Second
	}
	workflow.HandleSignalWithOptions(ctx, "process_item", l.processItem, workflow.SignalHandlerOptions{Description: "Process an item"})
	workflow.HandleQueryWithOptions(ctx, "get_iteration", func(workflow.None) (uint64, error) { return l.iteration, nil },
		workflow.QueryHandlerOptions{Description: "Hours, in all runs"})
	workflow.HandleQueryWithOptions(ctx, "get_total_processed", func(workflow.None) (uint64, error) { return l.totalProcessed, nil },
		workflow.QueryHandlerOptions{Description: "Items that have been processed, in all runs"})
	return l, nil
}

func (l *longRunning) Run(ctx workflow.Context) (workflow.None, error) {
	batchCtx := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Minute})
	for {
		l.iteration++
		if _, err := workflow.ExecuteActivity[workflow.None](batchCtx, "batch_process").Get(ctx); err != nil {
			return workflow.None{}, err
		}

		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			workflow.GetLogger(ctx).Info("Event history approaching limits - Continue-As-New")
			// A handler that has not ended would end with this run.
			if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
				return workflow.None{}, err
			}
			return workflow.None{}, workflow.NewContinueAsNewError(ctx, l.iteration, l.totalProcessed)
		}
		if err := workflow.Sleep(ctx, time.Hour); err != nil {
			return workflow.None{}, err
		}
	}
}

func (l *longRunning) processItem(ctx workflow.Context, item string) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 5 * time.Minute})
	if _, err := workflow.ExecuteActivity[workflow.None](ctx, "process_item_activity", item).Get(ctx); err != nil {
		return err
	}
	l.totalProcessed++
	return nil
}

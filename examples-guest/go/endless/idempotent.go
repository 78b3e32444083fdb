package main

import (
	"slices"
	"time"

	"longhaul/workflow"
)

// remembered is how many ids are kept, the newest. A caller must not repeat an update after so many others.
const remembered = 1_000

// idempotent is the state of one run.
type idempotent struct {
	// Ids of updates that have been processed, the oldest first. Within one run the server knows them; the next run would not.
	processedUpdateIDs []string
}

// newIdempotent begins with what the run before has processed; the first run has no argument, which is a nil slice.
func newIdempotent(ctx workflow.Context, processedUpdateIDs []string) (*idempotent, error) {
	i := &idempotent{processedUpdateIDs}
	workflow.HandleUpdateWithOptions(ctx, "process_payment", i.processPayment, workflow.UpdateHandlerOptions[string]{
		Description: `Make a payment; returns its receipt, or "already_processed"`,
	})
	workflow.HandleQueryWithOptions(ctx, "get_processed_count", func(workflow.None) (int, error) { return len(i.processedUpdateIDs), nil },
		workflow.QueryHandlerOptions{Description: "How many ids are remembered"})
	return i, nil
}

func (i *idempotent) Run(ctx workflow.Context) (workflow.None, error) {
	info := workflow.GetInfo(ctx)
	// The run is looked at again with each update, and only updates make its history longer.
	err := workflow.Await(ctx, func() bool { return info.GetContinueAsNewSuggested() && workflow.AllHandlersFinished(ctx) })
	if err != nil {
		return workflow.None{}, err
	}
	return workflow.None{}, workflow.NewContinueAsNewError(ctx, i.processedUpdateIDs)
}

func (i *idempotent) processPayment(ctx workflow.Context, paymentID string) (string, error) {
	// An update handler always has an update.
	updateID := workflow.GetCurrentUpdateInfo(ctx).ID
	if slices.Contains(i.processedUpdateIDs, updateID) {
		workflow.GetLogger(ctx).Info("Skipping duplicate update", "id", updateID)
		return "already_processed", nil
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 30 * time.Second})
	receipt, err := workflow.ExecuteActivity[string](ctx, "charge_payment", paymentID).Get(ctx)
	if err != nil {
		return "", err
	}
	if len(i.processedUpdateIDs) == remembered {
		i.processedUpdateIDs = slices.Delete(i.processedUpdateIDs, 0, 1)
	}
	i.processedUpdateIDs = append(i.processedUpdateIDs, updateID)
	return receipt, nil
}

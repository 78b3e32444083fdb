package main

import (
	"time"

	"longhaul/workflow"
)

// capacity is how many messages may wait.
const capacity = 1_000

// queue is the state of one workflow. Handlers only add to the channel and the main routine alone takes from it, so nothing needs a
// lock.
type queue struct {
	messages       workflow.Channel[string]
	processed      uint64
	shouldShutdown bool
}

func newQueue(ctx workflow.Context, _ workflow.None) (*queue, error) {
	q := &queue{messages: workflow.NewBufferedChannel[string](ctx, capacity)}
	workflow.HandleSignalWithOptions(ctx, "add_message", func(ctx workflow.Context, message string) error {
		if !q.messages.SendAsync(message) {
			workflow.GetLogger(ctx).Warn("Queue full, dropping message", "message", message)
		}
		return nil
	}, workflow.SignalHandlerOptions{Description: "Add a message; it is dropped where 1,000 wait"})
	workflow.HandleSignalWithOptions(ctx, "shutdown", func(workflow.Context, workflow.None) error {
		q.shouldShutdown = true
		return nil
	}, workflow.SignalHandlerOptions{Description: "End once all messages have been processed"})
	workflow.HandleQueryWithOptions(ctx, "get_processed", func(workflow.None) (uint64, error) { return q.processed, nil },
		workflow.QueryHandlerOptions{Description: "How many messages have been processed"})
	return q, nil
}

func (q *queue) Run(ctx workflow.Context) (workflow.None, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 30 * time.Second})
	for {
		if err := workflow.Await(ctx, func() bool { return q.messages.Len() > 0 || q.shouldShutdown }); err != nil {
			return workflow.None{}, err
		}
		// What came before the shutdown is processed, too.
		message, ok := q.messages.ReceiveAsync()
		if !ok {
			return workflow.None{}, nil
		}
		if _, err := workflow.ExecuteActivity[workflow.None](ctx, "process_message", message).Get(ctx); err != nil {
			return workflow.None{}, err
		}
		q.processed++
	}
}

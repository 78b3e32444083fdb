// Four activities in a row, each of which waits for an event from outside: a signal says how far the workflow may go. The activities
// are those of stages-activities.
package main

import (
	"time"

	"longhaul/workflow"
)

// stages is the state of one workflow.
type stages struct {
	stage int64
}

func newStages(ctx workflow.Context, _ workflow.None) (*stages, error) {
	s := &stages{}
	// The handler changes the state and nothing else; the main routine waits for the state.
	workflow.HandleSignalWithOptions(ctx, "advance_stage", func(_ workflow.Context, stage int64) error {
		s.stage = stage
		return nil
	}, workflow.SignalHandlerOptions{Description: "Let the workflow go on up to a stage: 1, 2 or 3"})
	return s, nil
}

func (s *stages) Run(ctx workflow.Context) (workflow.None, error) {
	steps := []struct {
		activity string
		limit    time.Duration
	}{
		{"my_activity_1", 45 * time.Second},
		{"my_activity_2", 30 * time.Second},
		{"my_activity_3", 15 * time.Minute},
		{"my_activity_4", 2 * time.Hour},
	}
	logger := workflow.GetLogger(ctx)
	for done, step := range steps {
		// The first step waits for nothing. An event that came before is not lost: it is in the state.
		if err := workflow.Await(ctx, func() bool { return done == 0 || s.stage >= int64(done) }); err != nil {
			return workflow.None{}, err
		}
		logger.Info("Executing activity", "number", done+1)
		stepCtx := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: step.limit})
		if _, err := workflow.ExecuteActivity[workflow.None](stepCtx, step.activity).Get(ctx); err != nil {
			return workflow.None{}, err
		}
		logger.Info("Finished activity", "number", done+1)
	}
	return workflow.None{}, nil
}

func main() {
	workflow.RegisterWithInitOptions(workflow.RegisterOptions{
		Name:        "MyWorkflow",
		Description: "Four activities, each after a signal but the first.",
	}, newStages, workflow.Run)
}

// Workflows that run for ever: before its history grows too long, each goes on as a new run. The activities are those of
// endless-activities.
package main

import "longhaul/workflow"

func main() {
	workflow.RegisterWithInitOptions(workflow.RegisterOptions{
		Name:        "LongRunningWorkflow",
		Description: "Processes a batch every hour, and single items whenever they come.",
	}, newLongRunning, workflow.Run)
	workflow.RegisterWithInitOptions(workflow.RegisterOptions{
		Name:        "IdempotentWorkflow",
		Description: "Takes payments for ever.",
	}, newIdempotent, workflow.Run)
}

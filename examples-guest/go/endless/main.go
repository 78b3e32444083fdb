// Workflows that run for ever: before its history grows too long, each goes on as a new run. The activities are those of
// endless-activities.
package main

import "longhaul/workflow"

func main() {
	workflow.RegisterWithInitOptions(workflow.RegisterOptions{
		Name:        "LongRunningWorkflow",
		Description: "Processes a batch every hour, and single items whenever they come.",
	}, newLongRunning, (*longRunning).run)
	workflow.RegisterWithInitOptions(workflow.RegisterOptions{
		Name:        "IdempotentWorkflow",
		Description: "Takes payments for ever.",
	}, newIdempotent, (*idempotent).run)
}

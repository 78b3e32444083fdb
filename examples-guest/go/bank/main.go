// Two ways to let handlers that run concurrently change one thing: a lock, and a queue. The activities are those of bank-activities.
package main

import "longhaul/workflow"

func main() {
	workflow.RegisterWithInitOptions(workflow.RegisterOptions{
		Name:        "BankAccountWorkflow",
		Description: "A bank account. Withdrawals read the balance, wait, and write it: a lock lets one at a time do so.",
	}, newAccount, workflow.Run)
	workflow.RegisterWithInitOptions(workflow.RegisterOptions{
		Name:        "QueueBasedWorkflow",
		Description: "Processes messages in the order in which they came, without a lock.",
	}, newQueue, workflow.Run)
}

// Package workflow is for durable workflows in Go, built by TinyGo.
//
// The names are those of Temporal's Go SDK, with generics where that SDK relies on reflection:
//
//	type Approval struct{ decision *bool }
//
//	func newApproval(ctx workflow.Context, request Expense) (*Approval, error) {
//		a := &Approval{}
//		workflow.HandleSignal(ctx, "decide", func(ctx workflow.Context, yes bool) { a.decision = &yes })
//		workflow.HandleQuery(ctx, "limit", func() (uint64, error) { return request.Amount, nil })
//		return a, nil
//	}
//
//	func (a *Approval) Run(ctx workflow.Context) (string, error) {
//		ok, err := workflow.AwaitWithTimeout(ctx, 7*24*time.Hour, func() bool { return a.decision != nil })
//		...
//	}
//
//	func main() { workflow.RegisterWithInit("Approval", newApproval, workflow.Run) }
//
// A workflow is a WebAssembly component: one instance of it is one execution, and its goroutines live from one call of the host to the
// next. Whatever it does is the same in every replay: time.Now is the workflow's time, random numbers come from the run's seed, and so
// does the order of maps and of select. What would block or reach out of the sandbox is refused.
//
// Tasks (the main routine, handlers, functions of Go) wait through this package, in the order of the contract: see Await, Future,
// Channel, Selector, Mutex. Plain goroutines and channels work too; what they do happens within the turn of the task that made it
// possible.
package workflow

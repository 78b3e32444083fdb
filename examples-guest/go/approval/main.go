// An expense that a person approves or rejects, and that is rejected by itself when nobody does so for a week. The activities are those
// of approval-activities.
package main

import (
	"fmt"
	"time"

	"longhaul.example/internal/decimal"
	"longhaul/converter"
	"longhaul/workflow"
)

// decideWithin is how long the manager has.
const decideWithin = 7 * 24 * time.Hour

// expenseRequest is what is to be approved.
type expenseRequest struct {
	RequestID   string          `json:"request_id"`
	Employee    string          `json:"employee"`
	Amount      decimal.Decimal `json:"amount"`
	Description string          `json:"description"`
	Category    string          `json:"category"`
}

type decision struct {
	approved bool
	approver string
	comment  string
}

// expenseApproval is the state of one workflow.
type expenseApproval struct {
	request expenseRequest
	// Nil until somebody has decided.
	decision *decision
}

func newExpenseApproval(ctx workflow.Context, request expenseRequest) (*expenseApproval, error) {
	a := &expenseApproval{request: request}
	// A pointer: the argument may be left out.
	workflow.HandleSignalWithOptions(ctx, "approve", func(ctx workflow.Context, arg converter.Args2[string, *string]) error {
		comment := ""
		if arg.Second != nil {
			comment = *arg.Second
		}
		a.decide(ctx, decision{approved: true, approver: arg.First, comment: comment})
		return nil
	}, workflow.SignalHandlerOptions{Description: "Approve the expense; the comment may be left out"})
	workflow.HandleSignalWithOptions(ctx, "reject", func(ctx workflow.Context, arg converter.Args2[string, string]) error {
		a.decide(ctx, decision{approver: arg.First, comment: arg.Second})
		return nil
	}, workflow.SignalHandlerOptions{Description: "Reject the expense, and say why"})
	return a, nil
}

// decide takes the first decision: a second one may come before the workflow has acted on the first.
func (a *expenseApproval) decide(ctx workflow.Context, d decision) {
	if a.decision != nil {
		workflow.GetLogger(ctx).Warn("A decision comes too late", "first", a.decision.approver, "second", d.approver)
		return
	}
	a.decision = &d
}

func (a *expenseApproval) Run(ctx workflow.Context) (string, error) {
	request := a.request
	if _, err := workflow.ExecuteActivity[workflow.None](within(ctx, 5*time.Minute), "send_approval_notification", request).Get(ctx); err != nil {
		return "", err
	}

	decided, err := workflow.AwaitWithTimeout(ctx, decideWithin, func() bool { return a.decision != nil })
	if err != nil {
		return "", err
	}
	if !decided {
		// From here on a decision comes too late.
		a.decision = &decision{approver: "system", comment: "Approval timeout - automatically rejected"}
	}

	if a.decision.approved {
		if _, err := workflow.ExecuteActivity[workflow.None](within(ctx, 10*time.Minute), "process_approved_expense", request).Get(ctx); err != nil {
			return "", err
		}
		return fmt.Sprintf("Expense $%s approved by %s", request.Amount, a.decision.approver), nil
	}
	rejected := within(ctx, 5*time.Minute)
	if _, err := workflow.ExecuteActivity[workflow.None](rejected, "notify_rejection", request, a.decision.comment).Get(ctx); err != nil {
		return "", err
	}
	return "Expense rejected: " + a.decision.comment, nil
}

// within is the context with a limit for each attempt of an activity.
func within(ctx workflow.Context, limit time.Duration) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: limit})
}

func main() {
	workflow.RegisterWithInitOptions(workflow.RegisterOptions{
		Name:        "ExpenseApprovalWorkflow",
		Description: "Approval of an expense by a manager, within a week.",
	}, newExpenseApproval, workflow.Run)
}

package main

import (
	"time"

	"longhaul.example/internal/decimal"
	"longhaul/temporal"
	"longhaul/workflow"
)

var (
	// openingBalance is what a new account holds.
	openingBalance = decimal.New(1_000_00, 2)
	// dailyLimit is the largest withdrawal.
	dailyLimit = decimal.New(10_000, 0)
)

// account is the state of one workflow.
type account struct {
	lock    workflow.Mutex
	balance decimal.Decimal
	closed  bool
}

func newAccount(ctx workflow.Context, _ workflow.None) (*account, error) {
	a := &account{lock: workflow.NewMutex(ctx), balance: openingBalance}
	workflow.HandleUpdateWithOptions(ctx, "withdraw", a.withdraw, workflow.UpdateHandlerOptions[decimal.Decimal]{
		Description: "Withdraw an amount; returns the new balance",
		Validator:   a.validateWithdraw,
	})
	workflow.HandleQueryWithOptions(ctx, "get_balance", func(workflow.None) (decimal.Decimal, error) { return a.balance, nil },
		workflow.QueryHandlerOptions{Description: "The balance"})
	workflow.HandleSignalWithOptions(ctx, "close", func(workflow.Context, workflow.None) error {
		a.closed = true
		return nil
	}, workflow.SignalHandlerOptions{Description: "Close the account; the balance is the workflow's result"})
	return a, nil
}

func (a *account) Run(ctx workflow.Context) (decimal.Decimal, error) {
	// A withdrawal that has begun ends, and its caller is told.
	err := workflow.Await(ctx, func() bool { return a.closed && workflow.AllHandlersFinished(ctx) })
	return a.balance, err
}

// withdraw waits twice. Other handlers run meanwhile, but none that has not the lock changes the balance.
func (a *account) withdraw(ctx workflow.Context, amount decimal.Decimal) (decimal.Decimal, error) {
	if err := a.lock.Lock(ctx); err != nil {
		return decimal.Decimal{}, err
	}
	defer a.lock.Unlock()

	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second})
	current, err := workflow.ExecuteActivity[decimal.Decimal](ctx, "get_current_balance", a.balance).Get(ctx)
	if err != nil {
		return decimal.Decimal{}, err
	}
	if current.Cmp(amount) < 0 {
		return decimal.Decimal{}, valueError("Insufficient funds")
	}
	// Two digits behind the point, as a statement of account has them.
	balance := current.Sub(amount).Rescale(2)
	a.balance = balance
	if _, err := workflow.ExecuteActivity[workflow.None](ctx, "update_balance", balance).Get(ctx); err != nil {
		return decimal.Decimal{}, err
	}
	return balance, nil
}

// validateWithdraw lets amounts pass that are positive and within the daily limit.
func (a *account) validateWithdraw(_ workflow.Context, amount decimal.Decimal) error {
	switch {
	case a.closed:
		return valueError("Account is closed")
	case amount.Sign() <= 0:
		return valueError("Amount must be positive")
	case amount.Cmp(dailyLimit) > 0:
		return valueError("Amount exceeds daily limit")
	}
	return nil
}

// valueError is the failure that clients see as a ValueError.
func valueError(message string) error { return temporal.NewApplicationError(message, "ValueError") }

// An order from its creation to its delivery, with signals, queries and updates. The activities are those of order-activities.
package main

import (
	"fmt"
	"time"

	"longhaul.example/internal/decimal"
	"longhaul/converter"
	"longhaul/workflow"
)

const day = 24 * time.Hour

// order is the state of one workflow.
type order struct {
	// One update or shipment at a time changes the order.
	lock       workflow.Mutex
	orderID    string
	customerID string
	status     orderStatus
	items      []orderItem
	total      decimal.Decimal
	// Empty until it is paid.
	paymentTransactionID string
	// Nil until it is shipped.
	shipping *shippingInfo
}

func newOrder(ctx workflow.Context, ids converter.Args2[string, string]) (*order, error) {
	o := &order{
		lock:       workflow.NewMutex(ctx),
		orderID:    ids.First,
		customerID: ids.Second,
		status:     statusPending,
		// Two decimals from the start: sums keep the larger number of decimals.
		total: decimal.New(0, 2),
	}
	o.handle(ctx)
	return o, nil
}

func (o *order) Run(ctx workflow.Context) (string, error) {
	logger := workflow.GetLogger(ctx)
	logger.Info("Order created", "order", o.orderID, "customer", o.customerID)

	paid, err := workflow.AwaitWithTimeout(ctx, 7*day, func() bool { return o.status == statusPaid })
	if err != nil {
		return "", err
	}
	if !paid {
		o.status = statusCancelled
		return fmt.Sprintf("Order %s cancelled - payment timeout", o.orderID), nil
	}
	shipped, err := workflow.AwaitWithTimeout(ctx, 30*day, func() bool { return o.status == statusShipped })
	if err != nil {
		return "", err
	}
	if !shipped {
		logger.Error("Shipment timeout!")
		return fmt.Sprintf("Order %s paid but not shipped", o.orderID), nil
	}

	// The delivery is simulated.
	if err := workflow.Sleep(ctx, 3*day); err != nil {
		return "", err
	}
	o.status = statusDelivered
	confirmation := workflow.ExecuteActivity[workflow.None](within(ctx, 30*time.Second), "send_delivery_confirmation", o.customerID, o.orderID)
	if _, err := confirmation.Get(ctx); err != nil {
		return "", err
	}
	logger.Info("Order delivered successfully", "order", o.orderID)
	return fmt.Sprintf("Order %s completed - $%s charged", o.orderID, o.total), nil
}

// within is the context with a limit for each attempt of an activity.
func within(ctx workflow.Context, limit time.Duration) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: limit})
}

func main() {
	workflow.RegisterWithInitOptions(workflow.RegisterOptions{
		Name:        "OrderWorkflow",
		Description: "E-commerce order with signals, queries and updates.",
	}, newOrder, workflow.Run)
}

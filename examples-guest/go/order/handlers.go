package main

import (
	"fmt"
	"time"
	"unicode/utf8"

	"longhaul.example/internal/decimal"
	"longhaul/temporal"
	"longhaul/workflow"
)

const (
	maxItems     = 50
	minCardToken = 10
)

// handle registers the handlers.
func (o *order) handle(ctx workflow.Context) {
	workflow.HandleQueryWithOptions(ctx, "get_status", func(workflow.None) (orderStatus, error) { return o.status, nil },
		workflow.QueryHandlerOptions{Description: "Current order status"})
	workflow.HandleQueryWithOptions(ctx, "get_total", func(workflow.None) (string, error) { return o.total.String(), nil },
		workflow.QueryHandlerOptions{Description: "Current total amount"})
	workflow.HandleQueryWithOptions(ctx, "get_progress", o.progress, workflow.QueryHandlerOptions{Description: "Detailed progress"})
	workflow.HandleUpdateWithOptions(ctx, "add_item", o.addItem, workflow.UpdateHandlerOptions[orderItem]{
		Description: "Add an item (validated)",
		Validator:   o.validateAddItem,
	})
	workflow.HandleUpdateWithOptions(ctx, "process_payment", o.processPayment, workflow.UpdateHandlerOptions[paymentInfo]{
		Description: "Process the payment (validated)",
		Validator:   o.validatePayment,
	})
	workflow.HandleSignalWithOptions(ctx, "mark_shipped", o.markShipped, workflow.SignalHandlerOptions{Description: "Mark the order as shipped"})
	workflow.HandleSignalWithOptions(ctx, "cancel_order", o.cancelOrder, workflow.SignalHandlerOptions{Description: "Cancel the order"})
}

func (o *order) progress(workflow.None) (orderProgress, error) {
	p := orderProgress{
		Status:         o.status,
		ItemsCount:     len(o.items),
		TotalAmount:    o.total.String(),
		PaymentStatus:  "pending",
		ShippingStatus: "not shipped",
	}
	if o.paymentTransactionID != "" {
		p.PaymentStatus = "paid"
	}
	if o.shipping != nil {
		p.ShippingStatus = "shipped via " + o.shipping.Carrier
	}
	return p, nil
}

func (o *order) addItem(ctx workflow.Context, item orderItem) (added, error) {
	if err := o.lock.Lock(ctx); err != nil {
		return added{}, err
	}
	defer o.lock.Unlock()
	available, err := workflow.ExecuteActivity[bool](within(ctx, 10*time.Second), "check_inventory", item).Get(ctx)
	if err != nil {
		return added{}, err
	}
	if !available {
		return added{}, valueError("Item " + item.SKU + " out of stock")
	}
	o.items = append(o.items, item)
	o.total = o.total.Add(item.Price.Mul(decimal.New(item.Quantity, 0)))
	workflow.GetLogger(ctx).Info("Item added", "quantity", item.Quantity, "name", item.Name, "total", o.total)
	return added{len(o.items), o.total.String()}, nil
}

// validateAddItem lets items be added while the order is pending.
func (o *order) validateAddItem(_ workflow.Context, item orderItem) error {
	switch {
	case o.status != statusPending:
		return valueError(fmt.Sprintf("Cannot add items in status: %s", o.status))
	case item.Quantity <= 0:
		return valueError("Quantity must be positive")
	case len(o.items) >= maxItems:
		return valueError(fmt.Sprintf("Maximum %d items per order", maxItems))
	}
	return nil
}

func (o *order) processPayment(ctx workflow.Context, payment paymentInfo) (string, error) {
	if err := o.lock.Lock(ctx); err != nil {
		return "", err
	}
	defer o.lock.Unlock()
	if payment.Amount.Cmp(o.total) != 0 {
		return "", valueError(fmt.Sprintf("Payment amount %s != order total %s", payment.Amount, o.total))
	}
	transactionID, err := workflow.ExecuteActivity[string](within(ctx, 30*time.Second), "charge_payment", payment).Get(ctx)
	if err != nil {
		return "", err
	}
	o.paymentTransactionID = transactionID
	o.status = statusPaid
	workflow.GetLogger(ctx).Info("Payment successful", "transaction", transactionID)
	return transactionID, nil
}

// validatePayment lets an order be paid while it is pending and has items.
func (o *order) validatePayment(_ workflow.Context, payment paymentInfo) error {
	switch {
	case o.status != statusPending:
		return valueError(fmt.Sprintf("Cannot process payment in status: %s", o.status))
	case len(o.items) == 0:
		return valueError("Cannot pay for empty order")
	case utf8.RuneCountInString(payment.CardToken) < minCardToken:
		return valueError("Invalid card token")
	}
	return nil
}

func (o *order) markShipped(ctx workflow.Context, shipping shippingInfo) error {
	if err := o.lock.Lock(ctx); err != nil {
		return err
	}
	defer o.lock.Unlock()
	logger := workflow.GetLogger(ctx)
	if o.status != statusPaid {
		// An error would end the workflow: a signal cannot say no to its sender.
		logger.Warn("Cannot ship order", "status", o.status)
		return nil
	}
	_, err := workflow.ExecuteActivity[workflow.None](within(ctx, 10*time.Second), "update_shipping_system", o.orderID, shipping).Get(ctx)
	if err != nil {
		return err
	}
	logger.Info("Order shipped", "carrier", shipping.Carrier, "tracking", shipping.TrackingNumber)
	o.shipping = &shipping
	o.status = statusShipped
	return nil
}

func (o *order) cancelOrder(ctx workflow.Context, reason string) error {
	logger := workflow.GetLogger(ctx)
	if o.status == statusShipped || o.status == statusDelivered {
		logger.Warn("Cannot cancel order", "status", o.status)
		return nil
	}
	o.status = statusCancelled
	logger.Info("Order cancelled", "reason", reason)
	return nil
}

// valueError is the failure that clients see as a ValueError.
func valueError(message string) error { return temporal.NewApplicationError(message, "ValueError") }

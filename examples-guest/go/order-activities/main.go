// What the order workflow does to the world. It is simulated: a real one would call the warehouse, the payment gateway and the carrier
// here.
package main

import (
	"context"
	"encoding/json"

	"longhaul/activity"
	"longhaul/converter"
)

// tokenPrefix is how much of a card's token the transaction's id shows.
const tokenPrefix = 8

type orderItem struct {
	SKU      string `json:"sku"`
	Name     string `json:"name"`
	Quantity int64  `json:"quantity"`
	// Price is a decimal number, as text.
	Price json.RawMessage `json:"price"`
}

type paymentInfo struct {
	PaymentMethod string          `json:"payment_method"`
	Amount        json.RawMessage `json:"amount"`
	CardToken     string          `json:"card_token"`
}

type shippingInfo struct {
	Address        string `json:"address"`
	Carrier        string `json:"carrier"`
	TrackingNumber string `json:"tracking_number"`
}

func checkInventory(ctx context.Context, item orderItem) (bool, error) {
	activity.GetLogger(ctx).Info("Checking inventory for " + item.SKU)
	return true, nil
}

func chargePayment(ctx context.Context, payment paymentInfo) (string, error) {
	activity.GetLogger(ctx).Info("Charging " + string(payment.Amount) + " via " + payment.PaymentMethod)
	token := []rune(payment.CardToken)
	return "txn_" + string(token[:min(tokenPrefix, len(token))]), nil
}

func updateShippingSystem(ctx context.Context, args converter.Args2[string, shippingInfo]) (activity.None, error) {
	activity.GetLogger(ctx).Info("Updating shipping for " + args.First + " - " + args.Second.Carrier)
	return activity.None{}, nil
}

func sendDeliveryConfirmation(ctx context.Context, args converter.Args2[string, string]) (activity.None, error) {
	activity.GetLogger(ctx).Info("Sending delivery confirmation to " + args.First + " for " + args.Second)
	return activity.None{}, nil
}

func main() {
	activity.RegisterWithOptions(activity.RegisterOptions{Name: "check_inventory", Description: "Check that an item is available"}, checkInventory)
	activity.RegisterWithOptions(activity.RegisterOptions{Name: "charge_payment", Description: "Charge a payment"}, chargePayment)
	activity.RegisterWithOptions(activity.RegisterOptions{Name: "update_shipping_system", Description: "Tell the shipping system"}, updateShippingSystem)
	activity.RegisterWithOptions(activity.RegisterOptions{Name: "send_delivery_confirmation", Description: "Send the delivery confirmation"}, sendDeliveryConfirmation)
}

package main

import "longhaul.example/internal/decimal"

// orderStatus is how far an order has come.
type orderStatus string

const (
	statusPending   orderStatus = "pending"
	statusPaid      orderStatus = "paid"
	statusShipped   orderStatus = "shipped"
	statusDelivered orderStatus = "delivered"
	statusCancelled orderStatus = "cancelled"
)

type orderItem struct {
	SKU      string          `json:"sku"`
	Name     string          `json:"name"`
	Quantity int64           `json:"quantity"`
	Price    decimal.Decimal `json:"price"`
}

type paymentInfo struct {
	PaymentMethod string          `json:"payment_method"`
	Amount        decimal.Decimal `json:"amount"`
	CardToken     string          `json:"card_token"`
}

type shippingInfo struct {
	Address        string `json:"address"`
	Carrier        string `json:"carrier"`
	TrackingNumber string `json:"tracking_number"`
}

// orderProgress is what the query get_progress answers.
type orderProgress struct {
	Status         orderStatus `json:"status"`
	ItemsCount     int         `json:"items_count"`
	TotalAmount    string      `json:"total_amount"`
	PaymentStatus  string      `json:"payment_status"`
	ShippingStatus string      `json:"shipping_status"`
}

// added is what the update add_item returns.
type added struct {
	Items int    `json:"items"`
	Total string `json:"total"`
}

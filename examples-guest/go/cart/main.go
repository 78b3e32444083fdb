// A shopping cart that its first item starts, and that is checked out after a day. The activity is that of cart-activities.
package main

import (
	"fmt"
	"slices"
	"time"

	"longhaul.example/internal/decimal"
	"longhaul/temporal"
	"longhaul/workflow"
)

const (
	day      = 24 * time.Hour
	maxItems = 100
)

// cartItem is something in the cart. The signal needs the price only, the update a SKU, too.
type cartItem struct {
	SKU   string          `json:"sku"`
	Name  string          `json:"name"`
	Price decimal.Decimal `json:"price"`
}

// label is what the item is called in logs.
func (i cartItem) label() string {
	if i.Name == "" {
		return i.SKU
	}
	return i.Name
}

// checkout is what the activity process_checkout gets.
type checkout struct {
	Items []cartItem      `json:"items"`
	Total decimal.Decimal `json:"total"`
}

// checkedOut is the workflow's result.
type checkedOut struct {
	Items int             `json:"items"`
	Total decimal.Decimal `json:"total"`
}

// cart is the state of one workflow.
type cart struct {
	items  []cartItem
	total  decimal.Decimal
	closed bool
}

func newCart(ctx workflow.Context, _ workflow.None) (*cart, error) {
	c := &cart{total: decimal.New(0, 2)}
	// A signal and an update of one name are two handlers.
	workflow.HandleSignalWithOptions(ctx, "add_item", c.addItem, workflow.SignalHandlerOptions{
		Description: "Add an item; nobody learns whether it was taken",
	})
	workflow.HandleUpdateWithOptions(ctx, "add_item", c.addItemAndGetTotal, workflow.UpdateHandlerOptions[cartItem]{
		Description: "Add an item with a SKU that is not in the cart yet; returns the total",
		Validator:   c.validateAddItem,
	})
	workflow.HandleQueryWithOptions(ctx, "get_items", func(workflow.None) ([]cartItem, error) { return c.items, nil },
		workflow.QueryHandlerOptions{Description: "The items"})
	workflow.HandleQueryWithOptions(ctx, "get_total", func(workflow.None) (decimal.Decimal, error) { return c.total, nil },
		workflow.QueryHandlerOptions{Description: "The total"})
	return c, nil
}

func (c *cart) Run(ctx workflow.Context) (checkedOut, error) {
	if err := workflow.Sleep(ctx, day); err != nil {
		return checkedOut{}, err
	}
	// From here on no item is taken: what is checked out is what the result says.
	c.closed = true
	if len(c.items) > 0 {
		ctx := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 5 * time.Minute})
		if _, err := workflow.ExecuteActivity[workflow.None](ctx, "process_checkout", checkout{c.items, c.total}).Get(ctx); err != nil {
			return checkedOut{}, err
		}
	}
	return checkedOut{len(c.items), c.total}, nil
}

func (c *cart) addItem(ctx workflow.Context, item cartItem) error {
	// An error here would end the workflow: a signal cannot say no to its sender.
	if err := c.check(item); err != nil {
		workflow.GetLogger(ctx).Warn("The item was not added", "item", item.label(), "reason", err)
		return nil
	}
	c.push(ctx, item)
	return nil
}

func (c *cart) addItemAndGetTotal(ctx workflow.Context, item cartItem) (decimal.Decimal, error) {
	c.push(ctx, item)
	return c.total, nil
}

// validateAddItem refuses an item: that reaches the caller and leaves nothing in history.
func (c *cart) validateAddItem(_ workflow.Context, item cartItem) error {
	if item.SKU == "" {
		return valueError("Item SKU is required")
	}
	if err := c.check(item); err != nil {
		return err
	}
	if slices.ContainsFunc(c.items, func(other cartItem) bool { return other.SKU == item.SKU }) {
		return valueError("Item " + item.SKU + " already in cart")
	}
	return nil
}

func (c *cart) check(item cartItem) error {
	switch {
	case c.closed:
		return valueError("Cart is checked out")
	case len(c.items) >= maxItems:
		return valueError(fmt.Sprintf("Cart is full (max %d items)", maxItems))
	case item.Price.Sign() < 0:
		return valueError("Invalid price")
	}
	return nil
}

func (c *cart) push(ctx workflow.Context, item cartItem) {
	// Two decimals, also where a price came as the number 7.5.
	c.total = c.total.Add(item.Price).Rescale(2)
	c.items = append(c.items, item)
	workflow.GetLogger(ctx).Info("Added an item", "item", item.label(), "total", c.total)
}

// valueError is the failure that clients see as a ValueError.
func valueError(message string) error { return temporal.NewApplicationError(message, "ValueError") }

func main() {
	workflow.RegisterWithInitOptions(workflow.RegisterOptions{
		Name:        "ShoppingCartWorkflow",
		Description: "The shopping cart of one user, open for a day.",
	}, newCart, workflow.Run)
}

// A trip of several bookings: either all of them stand and are paid for, or all are undone, the last first. The activities are those of
// saga-activities.
package main

import (
	"slices"
	"time"

	"longhaul.example/internal/decimal"
	"longhaul/temporal"
	"longhaul/workflow"
)

const (
	// stepTimeout is the limit of one attempt of a booking.
	stepTimeout = 30 * time.Second
	// stepAttempts is how often a booking is tried.
	stepAttempts = 3
	// hold is how long the bookings are held for the customer.
	hold = 15 * time.Minute
)

// trip is what is to be booked.
type trip struct {
	TripID    string          `json:"trip_id"`
	Hotel     string          `json:"hotel"`
	Flight    string          `json:"flight"`
	CardToken string          `json:"card_token"`
	Amount    decimal.Decimal `json:"amount"`
}

// booked is the workflow's result: the number of each booking.
type booked struct {
	Hotel   string `json:"hotel"`
	Flight  string `json:"flight"`
	Payment string `json:"payment"`
}

// status is how far a trip has come.
type status string

const (
	statusBooking status = "booking"
	statusHeld    status = "held"
	statusPaying  status = "paying"
	statusBooked  status = "booked"
	statusUndoing status = "undoing"
	statusUndone  status = "undone"
)

// booking is the state of one workflow.
type booking struct {
	trip      trip
	status    status
	confirmed bool
	// The activities that undo what may have happened, in the order in which it was begun.
	compensations []string
}

func newBooking(ctx workflow.Context, t trip) (*booking, error) {
	b := &booking{trip: t, status: statusBooking}
	workflow.HandleSignalWithOptions(ctx, "confirm", func(workflow.Context, workflow.None) error {
		b.confirmed = true
		return nil
	}, workflow.SignalHandlerOptions{Description: "The customer wants the trip"})
	workflow.HandleQueryWithOptions(ctx, "get_status", func(workflow.None) (status, error) { return b.status, nil },
		workflow.QueryHandlerOptions{Description: "booking, held, paying, booked, undoing or undone"})
	return b, nil
}

func (b *booking) Run(ctx workflow.Context) (booked, error) {
	result, err := b.book(ctx)
	if err == nil {
		b.status = statusBooked
		return result, nil
	}
	workflow.GetLogger(ctx).Warn("Undoing the trip", "trip", b.trip.TripID, "error", err)
	b.status = statusUndoing
	if err := b.undo(ctx); err != nil {
		return booked{}, err
	}
	b.status = statusUndone
	// The error that began it all: the workflow fails with it, or is cancelled.
	return booked{}, err
}

// book books and pays. Whatever comes of it, the compensations are those of the steps that may have happened.
func (b *booking) book(ctx workflow.Context) (result booked, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: stepTimeout,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: stepAttempts},
	})
	trip := &b.trip
	if result.Hotel, err = b.step(ctx, "book_hotel", "cancel_hotel", trip.TripID, trip.Hotel); err != nil {
		return booked{}, err
	}
	if result.Flight, err = b.step(ctx, "book_flight", "cancel_flight", trip.TripID, trip.Flight); err != nil {
		return booked{}, err
	}

	b.status = statusHeld
	confirmed, err := workflow.AwaitWithTimeout(ctx, hold, func() bool { return b.confirmed })
	if err != nil {
		return booked{}, err
	}
	if !confirmed {
		return booked{}, temporal.NewApplicationError("The trip was not confirmed in time", "HoldExpired")
	}

	b.status = statusPaying
	if result.Payment, err = b.step(ctx, "charge_card", "refund_card", trip.TripID, trip.CardToken, trip.Amount); err != nil {
		return booked{}, err
	}
	return result, nil
}

// step does something that can be undone.
func (b *booking) step(ctx workflow.Context, activity, compensation string, args ...any) (string, error) {
	// First noted, then tried: a booking whose answer was lost has to be undone, too.
	b.compensations = append(b.compensations, compensation)
	return workflow.ExecuteActivity[string](ctx, activity, args...).Get(ctx)
}

// undo undoes what has begun, the last first. Each step is tried until it succeeds.
func (b *booking) undo(ctx workflow.Context) error {
	// The workflow's cancellation would cancel the clean-up, too.
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: stepTimeout})
	for _, compensation := range slices.Backward(b.compensations) {
		if _, err := workflow.ExecuteActivity[workflow.None](ctx, compensation, b.trip.TripID).Get(ctx); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	workflow.RegisterWithInitOptions(workflow.RegisterOptions{
		Name:        "TripWorkflow",
		Description: "Books a hotel and a flight, waits for the customer, and takes the payment.",
	}, newBooking, workflow.Run)
}

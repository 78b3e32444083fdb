// A parcel on its way through offices that are written in different languages: this one in Go, `courier` in Rust.
//
// An office has the parcel stamped by an activity of either language, and hands it on to the next office, which is its child. The last
// one tells the others that it has arrived, by a signal to the family, or refuses it, which fails its workflow.
package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"longhaul/activity"
	"longhaul/converter"
	"longhaul/temporal"
	"longhaul/workflow"
)

// route is what is left of a parcel's way.
type route struct {
	Parcel string `json:"parcel"`
	// Stamp is the activity that stamps it here: rust_stamp or go_stamp.
	Stamp string `json:"stamp"`
	// Rest are the offices that follow: RustOffice or GoOffice, and their stamps.
	Rest []stop `json:"rest"`
	// Local: it is stamped by a local activity.
	Local bool `json:"local"`
	// Refused: the last office refuses it.
	Refused bool `json:"refused"`
	// Kept: the last office keeps it until that is cancelled.
	Kept bool `json:"kept"`
}

type stop struct {
	Office string `json:"office"`
	Stamp  string `json:"stamp"`
}

// report is what became of a parcel.
type report struct {
	// Stamps are every stamp, the first office's first.
	Stamps []string `json:"stamps"`
	// Heard is what this office has heard from the last one.
	Heard []string `json:"heard"`
	// Refusal is the parcel's number and why it was refused, as the failure's details and message have it.
	Refusal *refusal `json:"refusal"`
}

type refusal struct {
	Parcel string `json:"parcel"`
	Reason string `json:"reason"`
}

func stampInGo(_ context.Context, args converter.Args2[string, string]) (string, error) {
	return args.First + " by " + args.Second + " in Go", nil
}

// office is an office.
type office struct {
	route route
	heard []string
	// hear waits for what the last office tells.
	hear func(ctx workflow.Context) error
}

func newOffice(ctx workflow.Context, route route) (*office, error) {
	o := &office{route: route}
	workflow.HandleSignalWithOptions(ctx, "arrived", func(_ workflow.Context, parcel string) error {
		o.heard = append(o.heard, parcel)
		return nil
	}, workflow.SignalHandlerOptions{Description: "The parcel has arrived."})
	o.hear = func(ctx workflow.Context) error { return workflow.Await(ctx, func() bool { return len(o.heard) > 0 }) }
	return o, nil
}

// newQuietOffice makes an office that tells its parent nothing, and has no handler for what it hears.
func newQuietOffice(ctx workflow.Context, route route) (*office, error) {
	o := &office{route: route}
	workflow.PropagateSignalsToParent(ctx, false)
	workflow.DeclareSignal(ctx, "arrived")
	o.hear = func(ctx workflow.Context) error {
		arrived, err := workflow.WaitSignal[string](ctx, "arrived").Get(ctx)
		if err != nil {
			return err
		}
		o.heard = append(o.heard, arrived.Value)
		// It stays where it is until a newer one comes.
		again, ok, err := workflow.WaitSignal[string](ctx, "arrived").Peek()
		if ok && err == nil {
			o.heard = append(o.heard, again.Value)
		}
		return err
	}
	return o, nil
}

func (o *office) Run(ctx workflow.Context) (*report, error) {
	info := workflow.GetInfo(ctx)
	const limit = 10 * time.Second
	var stamp string
	var err error
	if o.route.Local {
		ctx := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: limit})
		stamp, err = workflow.ExecuteLocalActivity[string](ctx, o.route.Stamp, o.route.Parcel, info.WorkflowType.Name).Get(ctx)
	} else {
		ctx := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: limit})
		stamp, err = workflow.ExecuteActivity[string](ctx, o.route.Stamp, o.route.Parcel, info.WorkflowType.Name).Get(ctx)
	}
	if err != nil {
		return nil, err
	}
	r := &report{Stamps: []string{stamp}}
	if len(o.route.Rest) == 0 {
		if o.route.Refused {
			return nil, temporal.NewNonRetryableApplicationError(o.route.Parcel+" is not wanted", "Refused", nil, o.route.Parcel)
		}
		if o.route.Kept {
			return nil, workflow.Await(ctx, func() bool { return false })
		}
		if _, err := workflow.SignalFamily(ctx, "arrived", workflow.FamilySignalOptions{Propagate: true}, o.route.Parcel).Get(ctx); err != nil {
			return nil, err
		}
		err := o.hear(ctx)
		r.Heard = o.heard
		return r, err
	}

	next := o.route.Rest[0]
	onward := o.route
	onward.Stamp, onward.Rest = next.Stamp, o.route.Rest[1:]
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: info.WorkflowExecution.ID + "/" + next.Office})
	behind, err := workflow.ExecuteChildWorkflow[report](ctx, next.Office, onward).Get(ctx)
	var refused *temporal.ApplicationError
	switch {
	case err == nil:
		r.Stamps = append(r.Stamps, behind.Stamps...)
		r.Refusal = behind.Refusal
	case errors.As(err, &refused) && refused.Type() == "Refused":
		parcel, err := temporal.Detail[string](refused.Details(), 0)
		if err != nil {
			return nil, err
		}
		r.Refusal = &refusal{parcel, refused.Message()}
	default:
		return nil, err
	}
	// Behind a quiet office nobody hears of it.
	if r.Refusal == nil && !strings.HasPrefix(next.Office, "Quiet") {
		if err := o.hear(ctx); err != nil {
			return nil, err
		}
	}
	r.Heard = o.heard
	return r, nil
}

func main() {
	workflow.RegisterWithInitOptions(workflow.RegisterOptions{Name: "GoOffice", Description: "An office."}, newOffice, workflow.Run)
	workflow.RegisterWithInitOptions(workflow.RegisterOptions{
		Name:        "QuietGoOffice",
		Description: "An office that tells its parent nothing, and has no handler for what it hears.",
	}, newQuietOffice, workflow.Run)
	activity.RegisterWithOptions(activity.RegisterOptions{Name: "go_stamp", Description: "Stamp a parcel"}, stampInGo)
}

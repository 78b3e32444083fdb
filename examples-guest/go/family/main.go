// A family of workflows, of parents and children, in which news go from one to the others.
package main

import (
	"longhaul/converter"
	"longhaul/workflow"
)

// news is the signal that goes through the family. It has no handler: the main routine waits for it.
const news = "news"

// member is a member and its children.
type member struct {
	// Name is the part of the workflow id that follows the parent's.
	Name string `json:"name"`
	// Quiet: it keeps from its parent what it knows.
	Quiet    bool     `json:"quiet"`
	Children []member `json:"children"`
}

// heard is some news that came.
type heard struct {
	News string `json:"news"`
	// From is the workflow id of the relative, or the identity of the client, who has told it.
	From string `json:"from"`
	// Origin is the workflow id of the relative who began it; nil if a client did.
	Origin *string `json:"origin"`
}

func heardOf(delivery workflow.SignalDelivery[string]) heard {
	h := heard{News: delivery.Value, From: delivery.Sender.Identity}
	if h.From == "" {
		h.From = delivery.Sender.Execution.ID
	}
	if delivery.Family != nil {
		h.Origin = &delivery.Family.Origin.ID
	}
	return h
}

// life is the state of a member.
type life struct {
	member  member
	heard   []heard
	hasLeft bool
}

func newLife(ctx workflow.Context, m *member) (*life, error) {
	l := &life{}
	if m != nil {
		l.member = *m
	}
	workflow.DeclareSignal(ctx, news)
	workflow.HandleSignalWithOptions(ctx, "tell", tell, workflow.SignalHandlerOptions{
		Description: "Tell the parent, the children and oneself some news; if they shall pass it on, all their relatives, too",
	})
	workflow.HandleSignalWithOptions(ctx, "leave", func(workflow.Context, workflow.None) error {
		l.hasLeft = true
		return nil
	}, workflow.SignalHandlerOptions{Description: "Leave the family"})
	workflow.HandleQueryWithOptions(ctx, "get_heard", func(workflow.None) ([]heard, error) { return l.heard, nil },
		workflow.QueryHandlerOptions{Description: "What was heard, from whom and by whom it began"})
	return l, nil
}

func newQuietLife(ctx workflow.Context, m *member) (*life, error) {
	workflow.PropagateSignalsToParent(ctx, false)
	return newLife(ctx, m)
}

// tell tells the family. It ends as soon as one relative, who may be oneself, has heard it.
func tell(ctx workflow.Context, args converter.Args2[string, *bool]) error {
	propagate := args.Second != nil && *args.Second
	_, err := workflow.SignalFamily(ctx, news, workflow.FamilySignalOptions{Propagate: propagate}, args.First).Get(ctx)
	return err
}

// live has children, and hears the news until it is time to leave. It returns how much was heard.
func (l *life) live(ctx workflow.Context) (int, error) {
	if err := l.bear(ctx); err != nil {
		return 0, err
	}
	next := workflow.WaitSignal[string](ctx, news)
	for {
		if err := workflow.Await(ctx, func() bool { return l.hasLeft || next.IsReady() }); err != nil {
			return 0, err
		}
		// The news first, as they may have come before it left.
		if !next.IsReady() {
			return len(l.heard), nil
		}
		delivery, err := next.Get(ctx)
		if err != nil {
			return 0, err
		}
		l.heard = append(l.heard, heardOf(delivery))
		// Only the newest counts. It stays where it is, so the next wait is for one that comes after it.
		next = workflow.WaitSignal[string](ctx, news).After(delivery)
	}
}

// bear starts all children, first those that are quiet; then it waits for their starts.
func (l *life) bear(ctx workflow.Context) error {
	id := workflow.GetInfo(ctx).WorkflowExecution.ID
	var started []workflow.Future[workflow.Execution]
	for _, quiet := range []bool{true, false} {
		for _, child := range l.member.Children {
			if child.Quiet != quiet {
				continue
			}
			kind := "FamilyWorkflow"
			if quiet {
				kind = "QuietFamilyWorkflow"
			}
			ctx := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: id + "/" + child.Name})
			started = append(started, workflow.ExecuteChildWorkflow[int](ctx, kind, child).GetChildWorkflowExecution())
		}
	}
	for _, child := range started {
		if _, err := child.Get(ctx); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	workflow.RegisterWithInitOptions(workflow.RegisterOptions{
		Name:        "FamilyWorkflow",
		Description: "A member of the family, with children of its own.",
	}, newLife, (*life).live)
	workflow.RegisterWithInitOptions(workflow.RegisterOptions{
		Name:        "QuietFamilyWorkflow",
		Description: "A member that hears everything and tells its parent nothing.",
	}, newQuietLife, (*life).live)
}

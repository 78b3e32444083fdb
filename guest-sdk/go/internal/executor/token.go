package executor

import "slices"

// Token cancels what was started with it.
type Token struct {
	parent    *Token
	cancelled bool
	reason    string
	// In the order in which they were started. Those that have ended are taken out when they are half of it, so that a thousand
	// operations do not cost a thousand times a thousand steps.
	operations []*Operation
	over       int
	waits      waitSet
	// Those among its children that have something to cancel, in no order: a run may make contexts without end.
	children []*Token
	// Where it is among its parent's children, from 1; 0: it is not there.
	place int
}

// NewToken is a token that is cancelled with its parent; without one, it stands for itself.
func NewToken(parent *Token) *Token { return &Token{parent: parent} }

// cancelledBy is the token by which it is cancelled: itself or one above it; nil if it is not.
func (t *Token) cancelledBy() *Token {
	for ; t != nil; t = t.parent {
		if t.cancelled {
			return t
		}
	}
	return nil
}

// Cancelled tells whether it was cancelled.
func (t *Token) Cancelled() bool { return t.cancelledBy() != nil }

// Reason is the first reason that was given, or empty.
func (t *Token) Reason() string {
	if by := t.cancelledBy(); by != nil {
		return by.reason
	}
	return ""
}

// attach makes it known to its parent, now that there is something to cancel.
func (t *Token) attach() {
	for ; t.parent != nil && t.place == 0 && !t.Cancelled(); t = t.parent {
		t.parent.children = append(t.parent.children, t)
		t.place = len(t.parent.children)
	}
}

// detach makes it unknown to its parent, if there is nothing left to cancel.
func (t *Token) detach() {
	for ; t.place > 0 && len(t.operations)+len(t.waits.waits)+len(t.children) == 0; t = t.parent {
		siblings := t.parent.children
		last := siblings[len(siblings)-1]
		siblings[t.place-1], last.place = last, t.place
		siblings[len(siblings)-1] = nil
		t.parent.children = siblings[:len(siblings)-1]
		t.place = 0
	}
}

// drop notes that an operation has ended.
func (t *Token) drop() {
	t.over++
	switch {
	case t.over == len(t.operations):
		clear(t.operations)
		t.operations = emptied(t.operations)
		t.over = 0
	case t.over*2 > len(t.operations):
		t.operations = slices.DeleteFunc(t.operations, func(o *Operation) bool { return o.ended.over })
		t.over = 0
	}
	t.detach()
}

// Add adds a wait that the token's cancellation ends.
func (t *Token) Add(wait *Wait) {
	t.waits.add(wait)
	t.attach()
}

// Remove removes a wait.
func (t *Token) Remove(wait *Wait) {
	t.waits.remove(wait)
	t.detach()
}

// Cancel cancels a token; the operations that end by it do so in the order in which they were started.
func (r *Runtime) Cancel(t *Token, reason string) {
	r.WakeInOrder(r.cancel(t, reason))
}

// cancel gives the waits that end.
func (r *Runtime) cancel(t *Token, reason string) []*Wait {
	var operations []*Operation
	var waits []*Wait
	if !t.Cancelled() {
		t.collect(reason, &operations, &waits)
	}
	sortBySeq(operations)
	for _, operation := range operations {
		waits = append(waits, r.CancelOperation(operation, reason)...)
	}
	return waits
}

func (t *Token) collect(reason string, operations *[]*Operation, waits *[]*Wait) {
	t.cancelled = true
	t.reason = reason
	*operations = append(*operations, t.operations...)
	*waits = append(*waits, t.waits.waits...)
	children := t.children
	t.children = nil
	for _, child := range children {
		child.place = 0
		if !child.cancelled {
			child.collect(reason, operations, waits)
		}
	}
}

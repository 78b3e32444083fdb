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
	waits      []*Wait
	children   []*Token
}

// NewToken is a token that is cancelled with its parent; without one, it stands for itself.
func NewToken(parent *Token) *Token {
	token := &Token{parent: parent}
	if parent != nil {
		if parent.cancelled {
			token.cancelled = true
			token.reason = parent.reason
		} else {
			parent.children = append(parent.children, token)
		}
	}
	return token
}

// Cancelled tells whether it was cancelled.
func (t *Token) Cancelled() bool { return t.cancelled }

// Reason is the first reason that was given, or empty.
func (t *Token) Reason() string { return t.reason }

// drop notes that an operation has ended.
func (t *Token) drop() {
	t.over++
	if t.over*2 > len(t.operations) {
		t.operations = slices.DeleteFunc(t.operations, func(o *Operation) bool { return o.ended.over })
		t.over = 0
		if len(t.operations) == 0 {
			t.operations = nil
		}
	}
}

// Add adds a wait that the token's cancellation ends.
func (t *Token) Add(wait *Wait) { t.waits = append(t.waits, wait) }

// Remove removes a wait.
func (t *Token) Remove(wait *Wait) { t.waits = remove(t.waits, wait) }

// Cancel cancels a token; the operations that end by it do so in the order in which they were started.
func (r *Runtime) Cancel(t *Token, reason string) {
	r.WakeInOrder(r.cancel(t, reason))
}

// cancel gives the waits that end.
func (r *Runtime) cancel(t *Token, reason string) []*Wait {
	if t.parent != nil {
		t.parent.children = remove(t.parent.children, t)
	}
	var operations []*Operation
	var waits []*Wait
	t.collect(reason, &operations, &waits)
	sortBySeq(operations)
	for _, operation := range operations {
		waits = append(waits, r.CancelOperation(operation, reason)...)
	}
	return waits
}

func (t *Token) collect(reason string, operations *[]*Operation, waits *[]*Wait) {
	if t.cancelled {
		return
	}
	t.cancelled = true
	t.reason = reason
	*operations = append(*operations, t.operations...)
	*waits = append(*waits, t.waits...)
	children := t.children
	t.children = nil
	for _, child := range children {
		child.collect(reason, operations, waits)
	}
}

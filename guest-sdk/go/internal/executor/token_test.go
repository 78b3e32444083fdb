package executor

import "testing"

func TestATokenKeepsThoseOnlyThatHaveSomethingToCancel(t *testing.T) {
	root := NewToken(nil)
	var middle, leaf *Token
	for range 1000 {
		middle = NewToken(root)
		leaf = NewToken(middle)
		wait, other := &Wait{}, &Wait{}
		leaf.Add(wait)
		middle.Add(other)
		leaf.Remove(wait)
		middle.Remove(other)
	}
	if len(root.children) != 0 || len(middle.children) != 0 {
		t.Errorf("%d and %d are kept", len(root.children), len(middle.children))
	}

	// Whoever has something is reached, in whatever order they come and go; whoever has nothing is cancelled all the same.
	r := &Runtime{}
	tokens := make([]*Token, 5)
	waits := make([]*Wait, 5)
	for i := range tokens {
		tokens[i], waits[i] = NewToken(leaf), &Wait{number: uint64(i)}
		tokens[i].Add(waits[i])
	}
	tokens[1].Remove(waits[1])
	tokens[4].Remove(waits[4])
	tokens[1].Add(waits[1])
	if woken := r.cancel(tokens[0], "alone"); len(woken) != 1 || tokens[1].Cancelled() {
		t.Errorf("%v", woken)
	}
	woken := r.cancel(root, "all")
	if len(woken) != 3 {
		t.Errorf("%d are woken", len(woken))
	}
	for i, token := range tokens {
		token.Remove(waits[i])
		reason := "all"
		if i == 0 {
			reason = "alone"
		}
		if !token.Cancelled() || token.Reason() != reason {
			t.Errorf("%d: %t, %q", i, token.Cancelled(), token.Reason())
		}
	}
	if again := r.cancel(leaf, "again"); len(again) != 0 || NewToken(leaf).Reason() != "all" {
		t.Errorf("%v", again)
	}
}

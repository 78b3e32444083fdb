package workflow

import "longhaul/internal/executor"

// Selector waits for the first of several things that is ready: in the order in which they were added, not at random.
type Selector interface {
	// AddFuture adds a future: the function is called, once, when it is known.
	AddFuture(future Waitable, then func()) Selector
	// AddReceive adds a channel: the function is called whenever Select finds something in it, and takes it. Of a channel that is closed
	// and empty it is called once: the case has then ended, as that of a future that was known.
	AddReceive(channel Waitable, then func()) Selector
	// AddDefault says what Select does when nothing is ready, instead of waiting.
	AddDefault(then func()) Selector
	// Select waits until one of the cases is ready, and calls the function of the first that is.
	Select(ctx Context)
	// HasPending tells whether Select would find something ready.
	HasPending() bool
}

type selector struct {
	run   *run
	name  string
	cases []selectCase
	// What Select does when nothing is ready; nil: it waits.
	otherwise func()
	// Wakes the tasks that wait in Select, when a case is added.
	added executor.Waiters
}

type selectCase struct {
	on   Waitable
	then func()
	once bool
	done bool
}

// NewSelector is a selector without cases.
func NewSelector(ctx Context) Selector { return NewNamedSelector(ctx, "") }

// NewNamedSelector is a selector without cases that stack traces name.
func NewNamedSelector(ctx Context, name string) Selector {
	return &selector{run: ctx.state().run, name: name}
}

func (s *selector) AddFuture(future Waitable, then func()) Selector {
	return s.add(selectCase{on: future, then: then, once: true})
}

func (s *selector) AddReceive(channel Waitable, then func()) Selector {
	return s.add(selectCase{on: channel, then: then})
}

func (s *selector) add(c selectCase) Selector {
	s.cases = append(s.cases, c)
	s.added.Wake(s.run.runtime)
	return s
}

func (s *selector) AddDefault(then func()) Selector {
	s.otherwise = then
	return s
}

func (s *selector) HasPending() bool {
	s.run.runtime.Proceed()
	return s.first(Waitable.poll) >= 0
}

// first is the first case that is ready, as told; -1 if none is.
func (s *selector) first(ready func(Waitable) bool) int {
	for i := range s.cases {
		if c := &s.cases[i]; !c.done && ready(c.on) {
			return i
		}
	}
	return -1
}

func (s *selector) Select(ctx Context) {
	r := s.run.runtime
	r.MustWrite("Selector.Select")
	found := s.first(step)
	if found < 0 && s.otherwise != nil {
		s.otherwise()
		return
	}
	var waits []waiting
	var unfilled waiting
	for found < 0 {
		// There may be more of them than the last time.
		for len(waits) < len(s.cases) {
			waits = append(waits, waiting{})
		}
		var last *executor.Wait
		for i := range s.cases {
			if c := &s.cases[i]; !c.done {
				waits[i].renew(r, s.named(c.on))
				last = waits[i].wait
			}
		}
		if last == nil {
			// This is a wait for another case already.
			unfilled.renew(r, s.named(empty{s}))
			r.Block()
		} else {
			s.added.Add(last)
			r.Block()
			s.added.Remove(last)
		}
		found = s.first(step)
	}
	unfilled.leave(r)
	for i := range waits {
		waits[i].leave(r)
	}
	chosen := &s.cases[found]
	// Otherwise a loop around Select would find nothing but a closed channel any more.
	chosen.done = chosen.once || isOver(chosen.on)
	chosen.then()
}

// isOver tells whether something is ready, but has nothing to take, and never will have.
func isOver(on Waitable) bool {
	channel, ok := on.(interface{ over() bool })
	return ok && channel.over()
}

// named is what a case waits for, with the selector's name in stack traces.
func (s *selector) named(on Waitable) Waitable {
	if s.name == "" {
		return on
	}
	return named{on, s.name}
}

type named struct {
	Waitable
	selector string
}

func (n named) pending() (string, uint32, source) {
	awaits, seq, from := n.Waitable.pending()
	return "selector " + n.selector + ": " + awaits, seq, from
}

// empty is a Selector in which nothing is left to wait for, until a case is added.
type empty struct{ selector *selector }

func (e empty) poll() bool { return false }

func (e empty) pending() (string, uint32, source) {
	return "a case of a Selector", 0, &e.selector.added
}

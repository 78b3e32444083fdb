package workflow

// Selector waits for the first of several things that is ready: in the order in which they were added, not at random.
type Selector struct {
	run   *run
	cases []selectCase
	// What Select does when nothing is ready; nil: it waits.
	otherwise func()
}

type selectCase struct {
	on   Waitable
	then func()
	once bool
	done bool
}

// NewSelector is a selector without cases.
func NewSelector(ctx Context) *Selector { return &Selector{run: ctx.state().run} }

// AddFuture adds a future: the function is called, once, when it is known.
func (s *Selector) AddFuture(future Waitable, then func()) *Selector {
	s.cases = append(s.cases, selectCase{on: future, then: then, once: true})
	return s
}

// AddReceive adds a channel: the function is called whenever Select finds something in it, and takes it.
func (s *Selector) AddReceive(channel Waitable, then func()) *Selector {
	s.cases = append(s.cases, selectCase{on: channel, then: then})
	return s
}

// AddDefault says what Select does when nothing is ready, instead of waiting.
func (s *Selector) AddDefault(then func()) *Selector {
	s.otherwise = then
	return s
}

// HasPending tells whether Select would find something ready.
func (s *Selector) HasPending() bool { return s.ready() >= 0 }

func (s *Selector) ready() int {
	for i := range s.cases {
		if c := &s.cases[i]; !c.done && c.on.poll() {
			return i
		}
	}
	return -1
}

// Select waits until one of the cases is ready, and calls the function of the first that is.
func (s *Selector) Select(ctx Context) {
	r := s.run.runtime
	r.MustWrite("Selector.Select")
	found := s.ready()
	if found < 0 && s.otherwise != nil {
		s.otherwise()
		return
	}
	waits := make([]waiting, len(s.cases))
	for found < 0 {
		for i := range s.cases {
			if c := &s.cases[i]; !c.done {
				waits[i].renew(r, c.on)
			}
		}
		r.Block()
		found = s.ready()
	}
	for i := range waits {
		waits[i].leave(r)
	}
	chosen := &s.cases[found]
	chosen.done = chosen.once
	chosen.then()
}

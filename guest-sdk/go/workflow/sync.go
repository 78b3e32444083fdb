package workflow

import (
	"slices"

	"longhaul/internal/executor"
)

// Go runs a function as a task of its own, behind those that can run now.
func Go(ctx Context, f func(ctx Context)) { GoNamed(ctx, "", f) }

// GoNamed runs a function as a task of its own that stack traces name.
func GoNamed(ctx Context, name string, f func(ctx Context)) {
	r := ctx.state().run.runtime
	r.MustWrite("workflow.Go")
	r.Spawn(name, func() { f(ctx) })
}

// permits lets so many pass; whoever came first is served first.
type permits struct {
	run     *run
	free    int64
	waiting []*permitWait
	// How many of those do not wait any more.
	gone int
}

type permitWait struct {
	wait    *executor.Wait
	wants   int64
	granted bool
	// It has given up.
	gone bool
}

// acquire takes permits. The error is a *temporal.CanceledError if the context is cancelled first.
func (p *permits) acquire(c *contextState, n int64, awaits string) error {
	r := c.run.runtime
	r.MustWrite("a wait for a " + awaits)
	if !p.anyWaits() && p.free >= n {
		p.free -= n
		return nil
	}
	if c.token.Cancelled() {
		return canceled()
	}
	w := &permitWait{wait: r.Park(awaits, 0), wants: n}
	w.wait.Watch(c.token)
	p.waiting = append(p.waiting, w)
	for !w.granted && !c.token.Cancelled() {
		r.Block()
	}
	r.Leave(w.wait)
	if !w.granted {
		p.giveUp(w)
		// What was behind it may fit now.
		p.grant()
		return canceled()
	}
	return nil
}

func (p *permits) anyWaits() bool { return len(p.waiting) > p.gone }

// giveUp takes a wait out of the line, together with others: so thousands of them do not move thousands each.
func (p *permits) giveUp(w *permitWait) {
	w.gone = true
	p.gone++
	if 2*p.gone > len(p.waiting) {
		p.waiting = slices.DeleteFunc(p.waiting, func(w *permitWait) bool { return w.gone })
		p.gone = 0
	}
}

func (p *permits) tryAcquire(n int64) bool {
	p.run.runtime.Proceed()
	if p.anyWaits() || p.free < n {
		return false
	}
	p.free -= n
	return true
}

// available is how many are free.
func (p *permits) available() int64 {
	p.run.runtime.Proceed()
	return p.free
}

func (p *permits) release(n int64) {
	p.free += n
	p.grant()
}

// grant hands free permits to those who wait.
func (p *permits) grant() {
	for len(p.waiting) > 0 && (p.waiting[0].gone || p.waiting[0].wants <= p.free) {
		first := p.waiting[0]
		p.waiting[0] = nil
		p.waiting = p.waiting[1:]
		if first.gone {
			p.gone--
			continue
		}
		p.free -= first.wants
		first.granted = true
		p.run.runtime.Wake(first.wait)
	}
}

// Mutex lets one task at a time pass. Handlers run concurrently with the main routine, interleaved at waits: hold one across them.
type Mutex interface {
	// Lock waits until nobody else has it. The error is a *temporal.CanceledError if the context is cancelled first.
	Lock(ctx Context) error
	// TryLock locks it if nobody has it: true if so.
	TryLock(ctx Context) bool
	// Unlock lets the next one pass.
	Unlock()
	// IsLocked tells whether somebody has it.
	IsLocked() bool
}

type mutex struct{ permits permits }

// NewMutex is an unlocked mutex.
func NewMutex(ctx Context) Mutex { return &mutex{permits{run: ctx.state().run, free: 1}} }

func (m *mutex) Lock(ctx Context) error { return m.permits.acquire(ctx.state(), 1, "lock") }

func (m *mutex) TryLock(Context) bool { return m.permits.tryAcquire(1) }

func (m *mutex) IsLocked() bool { return m.permits.available() == 0 }

func (m *mutex) Unlock() {
	if m.permits.free != 0 {
		panic("longhaul: the mutex is not locked")
	}
	m.permits.release(1)
}

// Semaphore lets a number of tasks at a time pass.
type Semaphore interface {
	// Acquire waits for permits. The error is a *temporal.CanceledError if the context is cancelled first.
	Acquire(ctx Context, n int64) error
	// TryAcquire takes permits if they are free: true if so.
	TryAcquire(ctx Context, n int64) bool
	// Release gives permits back.
	Release(n int64)
	// AvailablePermits is how many are free.
	AvailablePermits() int64
}

type semaphore struct {
	permits permits
	size    int64
}

// NewSemaphore is a semaphore with so many permits.
func NewSemaphore(ctx Context, n int64) Semaphore {
	return &semaphore{permits{run: ctx.state().run, free: n}, n}
}

func (s *semaphore) Acquire(ctx Context, n int64) error {
	if n > s.size {
		panic("longhaul: a semaphore cannot give more permits than it has")
	}
	return s.permits.acquire(ctx.state(), n, "semaphore")
}

func (s *semaphore) TryAcquire(_ Context, n int64) bool { return s.permits.tryAcquire(n) }

func (s *semaphore) AvailablePermits() int64 { return s.permits.available() }

func (s *semaphore) Release(n int64) {
	if s.permits.free+n > s.size {
		panic("longhaul: a semaphore got more permits back than it had given")
	}
	s.permits.release(n)
}

// WaitGroup waits until a number of things are done.
type WaitGroup interface {
	// Add adds to what has to be done.
	Add(delta int)
	// Done says that one thing is done.
	Done()
	// Go runs a function as a task of its own, and waits for its end.
	Go(ctx Context, f func(ctx Context))
	// Wait waits until everything is done.
	Wait(ctx Context)
}

type waitGroup struct {
	run     *run
	count   int
	waiters executor.Waiters
}

// NewWaitGroup is a group of nothing.
func NewWaitGroup(ctx Context) WaitGroup { return &waitGroup{run: ctx.state().run} }

func (g *waitGroup) Add(delta int) {
	g.count += delta
	if g.count < 0 {
		panic("longhaul: more was done than a WaitGroup had")
	}
	if g.count == 0 {
		g.waiters.Wake(g.run.runtime)
	}
}

func (g *waitGroup) Done() { g.Add(-1) }

func (g *waitGroup) Go(ctx Context, f func(ctx Context)) {
	g.Add(1)
	Go(ctx, func(ctx Context) {
		f(ctx)
		g.Done()
	})
}

func (g *waitGroup) Wait(Context) { until(g.run.runtime, g) }

func (g *waitGroup) poll() bool { return g.count == 0 }

func (g *waitGroup) pending() (string, uint32, source) { return "wait group", 0, &g.waiters }

package workflow

import (
	"fmt"
	"testing"
	"time"
)

func TestAWaitGroupWaitsForWhatItRuns(t *testing.T) {
	j := &journal{}
	d := begin(t, journaled(j, nil, func(ctx Context) (int, error) {
		var group WaitGroup = NewWaitGroup(ctx)
		for i := range 3 {
			group.Go(ctx, func(ctx Context) {
				_ = Sleep(ctx, time.Duration(i)*time.Second)
				j.note(fmt.Sprint(i))
			})
		}
		group.Wait(ctx)
		return len(j.lines), nil
	}))
	d.expect(d.advance(), "timer 1 1s", "timer 2 2s")
	d.done(2)
	d.expect(d.advance())
	d.done(1)
	d.expect(d.advance(), "complete [3]")
	if j.text() != "0 2 1" {
		t.Error(j.text())
	}
}

func TestASemaphoreTellsWhatIsFree(t *testing.T) {
	j := &journal{}
	begin(t, journaled(j, nil, func(ctx Context) (int, error) {
		var semaphore Semaphore = NewSemaphore(ctx, 3)
		j.note(fmt.Sprint(semaphore.TryAcquire(ctx, 2), semaphore.AvailablePermits(), semaphore.TryAcquire(ctx, 2)))
		semaphore.Release(1)
		j.note(fmt.Sprint(semaphore.AvailablePermits()))
		var mutex Mutex = NewMutex(ctx)
		j.note(fmt.Sprint(mutex.TryLock(ctx), mutex.IsLocked(), mutex.TryLock(ctx)))
		return 0, nil
	})).advance()
	if j.text() != "true 1 false 2 true true false" {
		t.Error(j.text())
	}
}

func TestToReceiveWithATimeoutIsATimerThatEnds(t *testing.T) {
	j := &journal{}
	d := begin(t, journaled(j, nil, func(ctx Context) (int, error) {
		channel := NewNamedBufferedChannel[string](ctx, "orders", 2)
		receive := func(ctx Context) {
			value, ok, more := channel.ReceiveWithTimeout(ctx, time.Minute)
			j.note(fmt.Sprint(value, ok, more))
		}
		channel.SendAsync("there")
		receive(ctx)
		Go(ctx, func(ctx Context) {
			_ = Sleep(ctx, time.Second)
			channel.Send(ctx, "in time")
		})
		receive(ctx)
		receive(ctx)
		cancelled, cancel := WithCancel(ctx)
		cancel()
		receive(cancelled)
		channel.SendAsync("last")
		channel.Close()
		for range 2 {
			value, ok, more := channel.ReceiveAsyncWithMoreFlag()
			j.note(fmt.Sprint(value, ok, more))
		}
		receive(ctx)
		return 0, nil
	}))
	d.expect(d.advance(), "timer 1 60s", "timer 2 1s")
	d.done(2)
	d.expect(d.advance(), "cancel-timer 1", "timer 3 60s")
	d.done(3)
	d.expect(d.advance(), "complete [0]")
	want := "theretrue true in timetrue true false true false true lasttrue true false false false false"
	if j.text() != want {
		t.Errorf("%q", j.text())
	}
}

func TestStackTracesNameSelectorsAndChannels(t *testing.T) {
	d := begin(t, journaled(&journal{}, nil, func(ctx Context) (int, error) {
		orders := NewNamedBufferedChannel[int](ctx, "orders", 1)
		Go(ctx, func(ctx Context) { NewNamedSelector(ctx, "next").AddReceive(orders, func() {}).Select(ctx) })
		NewNamedSelector(ctx, "nothing").Select(ctx)
		return 0, nil
	}))
	d.advance()
	waits := map[string]bool{}
	for _, task := range d.guest.Waiting() {
		waits[task.Awaits] = true
	}
	if !waits["selector next: channel orders"] || !waits["selector nothing: a case of a Selector"] {
		t.Error(waits)
	}
}

// What Go programs do without a thought: goroutines, channels, select, maps, locks, the clock and random numbers. In a workflow all of it
// is the same in every replay. It is a test subject.
package main

import (
	"fmt"
	"math/rand"
	"strings"
	"sync"
	"time"

	"longhaul/workflow"
)

// diary is what has happened, in the order in which it did.
type diary struct{ lines []string }

func newDiary(ctx workflow.Context, _ workflow.None) (*diary, error) {
	d := &diary{}
	workflow.HandleQuery(ctx, "lines", func() ([]string, error) { return d.lines, nil })
	workflow.HandleSignal(ctx, "again", func(workflow.Context, workflow.None) { d.write() })
	workflow.HandleSignal(ctx, "end", func(workflow.Context, workflow.None) { d.lines = append(d.lines, "end") })
	return d, nil
}

func (d *diary) Run(ctx workflow.Context) ([]string, error) {
	d.write()
	// A replay does not run it, and goes on as if it had.
	workflow.SideEffect(ctx, draw)
	if err := workflow.Sleep(ctx, time.Second); err != nil {
		return nil, err
	}
	d.write()
	err := workflow.Await(ctx, func() bool { return len(d.lines) > 0 && d.lines[len(d.lines)-1] == "end" })
	return d.lines, err
}

// draw takes from the random numbers of the order of maps, and from those of math/rand.
func draw(workflow.Context) string {
	var order []string
	for word := range map[string]bool{"a": true, "b": true, "c": true, "d": true} {
		order = append(order, word)
	}
	return fmt.Sprint(order, rand.Int63())
}

// write notes what differs from run to run in a Go program.
func (d *diary) write() {
	words := map[string]int{}
	for i := range 20 {
		words[fmt.Sprint("key", i)] = i
	}
	var order []string
	for word := range words {
		order = append(order, word)
	}

	results := make(chan int)
	var lock sync.Mutex
	var group sync.WaitGroup
	total := 0
	for i := range 5 {
		group.Add(1)
		go func() {
			defer group.Done()
			lock.Lock()
			total += i
			lock.Unlock()
			results <- i
		}()
	}
	go func() {
		group.Wait()
		close(results)
	}()
	var came []string
	for result := range results {
		came = append(came, fmt.Sprint(result))
	}

	ready := [3]chan int{make(chan int, 8), make(chan int, 8), make(chan int, 8)}
	for i := range 8 {
		for _, channel := range ready {
			channel <- i
		}
	}
	var chosen strings.Builder
	for range 12 {
		select {
		case <-ready[0]:
			chosen.WriteByte('a')
		case <-ready[1]:
			chosen.WriteByte('b')
		case <-ready[2]:
			chosen.WriteByte('c')
		}
	}
	d.lines = append(d.lines, fmt.Sprintf("%s | %s = %d | %s | %d | %s", strings.Join(order, " "), strings.Join(came, " "), total, &chosen,
		rand.Int63(), time.Now().UTC().Format(time.RFC3339Nano)))
}

func main() {
	workflow.RegisterWithInit("Habits", newDiary, workflow.Run)
	registerGoroutines()
	registerDeep()
}

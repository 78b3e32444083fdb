package executor

import "slices"

// A run may have thousands of tasks that wait. What they are kept in gives each of them up without a look at all others.

// list keeps things in the order of their numbers, which is that in which they are added.
type list[T any] struct {
	entries []entry[T]
	// Of those at the beginning nothing is left, and of some behind them neither: they are nil.
	begin, gone int
	// steps counts the entries that were looked at or moved to add and to remove: for tests.
	steps int
}

type entry[T any] struct {
	number uint64
	value  *T
}

// len is how many there are.
func (l *list[T]) len() int { return len(l.entries) - l.begin - l.gone }

// add adds a thing whose number is larger than those of all before.
func (l *list[T]) add(number uint64, value *T) {
	l.entries = append(l.entries, entry[T]{number, value})
	l.steps++
}

// find is where the thing with a number is, or would be.
func (l *list[T]) find(number uint64) int {
	low, high := l.begin, len(l.entries)
	for low < high {
		l.steps++
		middle := low + (high-low)/2
		if l.entries[middle].number < number {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// get is the thing with a number, or nil.
func (l *list[T]) get(number uint64) *T {
	if at := l.find(number); at < len(l.entries) && l.entries[at].number == number {
		return l.entries[at].value
	}
	return nil
}

// remove removes the thing with a number, if it is there.
func (l *list[T]) remove(number uint64) {
	at := l.find(number)
	if at == len(l.entries) || l.entries[at].number != number || l.entries[at].value == nil {
		return
	}
	l.entries[at].value = nil
	l.gone++
	for l.begin < len(l.entries) && l.entries[l.begin].value == nil {
		l.begin++
		l.gone--
		l.steps++
	}
	switch left := l.len(); {
	case left == 0:
		l.entries, l.begin, l.gone = emptied(l.entries), 0, 0
	case l.begin+l.gone > left && l.begin+l.gone >= compactMin:
		entries := make([]entry[T], 0, left+left/2)
		for _, e := range l.entries[l.begin:] {
			l.steps++
			if e.value != nil {
				entries = append(entries, e)
			}
		}
		l.entries, l.begin, l.gone = entries, 0, 0
	}
}

// kept is how much room is kept of something that is empty: most of what a run has is empty and not empty in turn, and a run that lives on
// must not get new memory each time.
const kept = 16

// emptied is a slice of which nothing is left, whose room is kept if it is small. What was in it was overwritten before.
func emptied[T any](s []T) []T {
	if cap(s) > kept {
		return nil
	}
	return s[:0]
}

// compactMin is how many entries of which nothing is left are worth a copy of those that are.
const compactMin = 16

// all calls a function with each, in order, until it returns false. Nothing may be removed meanwhile.
func (l *list[T]) all(yield func(*T) bool) {
	for _, e := range l.entries[l.begin:] {
		if e.value != nil && !yield(e.value) {
			return
		}
	}
}

// waitSet keeps waits in no order: who wakes them does so in the order of their numbers.
type waitSet struct {
	waits []*Wait
	// one is room for the only wait that most have.
	one [1]*Wait
	// places are where the waits are; nil where there are only a few.
	places map[*Wait]int
	// steps counts the waits that were looked at to add and to remove: for tests.
	steps int
}

// fewWaits are found without a map. Most things have one wait, or none.
const fewWaits = 16

func (s *waitSet) add(wait *Wait) {
	if s.waits == nil {
		s.waits = s.one[:0]
	}
	s.waits = append(s.waits, wait)
	if len(s.waits) > 1 {
		// They have moved.
		s.one[0] = nil
	}
	s.steps++
	switch {
	case s.places != nil:
		s.places[wait] = len(s.waits) - 1
	case len(s.waits) > fewWaits:
		s.places = make(map[*Wait]int, 2*len(s.waits))
		for place, wait := range s.waits {
			s.places[wait] = place
			s.steps++
		}
	}
}

func (s *waitSet) remove(wait *Wait) {
	place, found := s.places[wait]
	if s.places == nil {
		place = slices.Index(s.waits, wait)
		found = place >= 0
		s.steps += place
	}
	s.steps++
	if !found {
		return
	}
	last := len(s.waits) - 1
	moved := s.waits[last]
	s.waits[place], s.waits[last] = moved, nil
	s.waits = s.waits[:last]
	if s.places != nil {
		s.places[moved] = place
		delete(s.places, wait)
	}
	if last == 0 {
		s.waits, s.places = emptied(s.waits), nil
	}
}

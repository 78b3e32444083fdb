package executor

import (
	"cmp"
	"slices"
)

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

// remove removes the thing with a number, if it is there.
func (l *list[T]) remove(number uint64) {
	at, found := slices.BinarySearchFunc(l.entries[l.begin:], number, func(e entry[T], number uint64) int {
		l.steps++
		return cmp.Compare(e.number, number)
	})
	at += l.begin
	if !found || l.entries[at].value == nil {
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
		l.entries, l.begin, l.gone = nil, 0, 0
	case l.begin+l.gone > left && l.begin+l.gone >= compactMin:
		kept := make([]entry[T], 0, left+left/2)
		for _, e := range l.entries[l.begin:] {
			l.steps++
			if e.value != nil {
				kept = append(kept, e)
			}
		}
		l.entries, l.begin, l.gone = kept, 0, 0
	}
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
	// places are where the waits are; nil where there are only a few.
	places map[*Wait]int
	// steps counts the waits that were looked at to add and to remove: for tests.
	steps int
}

// fewWaits are found without a map. Most things have one wait, or none.
const fewWaits = 16

func (s *waitSet) add(wait *Wait) {
	s.waits = append(s.waits, wait)
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
		s.waits, s.places = nil, nil
	}
}

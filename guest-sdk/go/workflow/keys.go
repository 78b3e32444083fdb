package workflow

import (
	"cmp"
	"slices"
)

// DeterministicKeys are the keys of a map in ascending order. Here a plain loop over a map is the same in every replay too, but not in
// an order that means something.
func DeterministicKeys[K cmp.Ordered, V any](m map[K]V) []K {
	return DeterministicKeysFunc(m, cmp.Compare[K])
}

// DeterministicKeysFunc are the keys of a map, sorted by a function.
func DeterministicKeysFunc[K comparable, V any](m map[K]V, compare func(a, b K) int) []K {
	keys := make([]K, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, compare)
	return keys
}

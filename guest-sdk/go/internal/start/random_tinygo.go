//go:build wasip2

package start

import _ "unsafe" // for go:linkname

// Seed seeds the runtime's random numbers from the run: those of math/rand, of the order of maps, and of select. Before a run begins
// they are the same in every instance.
//
//go:linkname Seed runtime.initRand
func Seed()

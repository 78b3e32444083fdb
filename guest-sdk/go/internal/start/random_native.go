//go:build !wasip2

package start

// Seed does nothing: elsewhere random numbers are not the run's.
func Seed() {}

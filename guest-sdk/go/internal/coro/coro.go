// Package coro runs goroutines as coroutines: one at a time, each until it pauses.
//
// In a component it is TinyGo's own scheduler, called from outside of it: the host's calls come in on the system stack, resume one
// goroutine and whatever that makes runnable, and return when all of them wait. Elsewhere, in tests of the SDK, goroutines of
// ordinary Go hand a baton on.
package coro

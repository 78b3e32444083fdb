// Package poll lets a goroutine of an activity wait for the host while the others run.
//
// TinyGo's scheduler knows of sleeps and timers only: with nothing else to run it lets the whole instance wait for the next of them, and
// without any it gives up. So, as long as some goroutine waits here, one more goroutine runs that is always ready; when it is the only
// one, it waits for the host and for the next timer at once.
package poll

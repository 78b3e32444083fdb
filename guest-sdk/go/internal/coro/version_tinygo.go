//go:build wasip2

package coro

import "runtime"

// MustFit panics if the component was built by a TinyGo that this package is not made for. Where a component describes itself is the
// place for it: it is refused then, before anything runs.
func MustFit() {
	if text := refusal(runtime.Version()); text != "" {
		panic(text)
	}
}

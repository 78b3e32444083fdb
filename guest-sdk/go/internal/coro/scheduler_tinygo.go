//go:build wasip2 && !scheduler.asyncify

package coro

// It does not compile, so that the compiler says it.
const _ uint = "longhaul needs TinyGo's default scheduler: build without -scheduler, or with -scheduler=asyncify"

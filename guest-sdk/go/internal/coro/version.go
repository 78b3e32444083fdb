package coro

import "strings"

// minor is the release of TinyGo whose scheduler this package calls from outside, and whose memory it reads and writes: another one may
// have other names and other offsets. A change of it needs a look at what is declared here of packages `runtime` and `internal/task`.
const minor = "0.41"

// refusal is why a component that a version of TinyGo has built is not to be relied on; empty if it is.
func refusal(version string) string {
	if version == minor || strings.HasPrefix(version, minor+".") {
		return ""
	}
	return "longhaul: this component was built by TinyGo " + version + ", and the Go SDK is made for TinyGo " + minor +
		": build it again with a release of that"
}

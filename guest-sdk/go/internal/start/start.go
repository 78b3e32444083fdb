// Package start runs what has to run before the host's first call.
package start

import (
	"os"

	"longhaul/internal/wit/types"
)

// Version of this SDK.
const Version = "0.1.0"

// SDK says what a component was built with.
func SDK() types.SDK { return types.SDK{Name: "longhaul-go", Version: Version} }

var done bool

// Main calls the program's main function, which registers what the component defines. A component's start does not call it.
func Main() {
	if !done {
		done = true
		main()
	}
}

// OpenStreams opens standard output and standard error, so that the instance's table of host resources does not change any more. The
// host drops the lines.
func OpenStreams() {
	println("prepared")
	_, _ = os.Stderr.WriteString("prepared\n")
}

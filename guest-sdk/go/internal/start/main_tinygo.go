//go:build wasip2

package start

import _ "unsafe" // for go:linkname

//go:linkname main main.main
func main()

//go:build !wasip2

package start

// main does nothing: elsewhere the program calls its main function itself.
func main() {}

// RefuseFiles does nothing: elsewhere there are files.
func RefuseFiles() {}

// NameFileErrors does nothing: elsewhere they are named.
func NameFileErrors() {}

//go:build wasip2

package start

import (
	"errors"
	"os"
)

var errNoFiles = errors.New("a workflow has no files: read and write them in an activity")

// RefuseFiles makes package os say what to use instead. Without it, an absolute path would just not be there, as a relative one is.
func RefuseFiles() { os.Mount("/", noFiles{}) }

type noFiles struct{}

func (noFiles) OpenFile(string, int, os.FileMode) (uintptr, error) { return 0, errNoFiles }

func (noFiles) Mkdir(string, os.FileMode) error { return errNoFiles }

func (noFiles) Remove(string) error { return errNoFiles }

//go:build wasip2

package start

import (
	"errors"
	"os"
	"syscall"
	_ "unsafe" // for go:extern
)

// mounts are package os's own file systems. The first is the one of all paths, also of relative ones, which os.Mount cannot replace.
//
//go:extern os.mounts
var mounts []mount

// mount is `os.mountPoint`.
type mount struct {
	_          string
	filesystem os.Filesystem
}

var errNoFiles = errors.New("a workflow has no files: read and write them in an activity")

// RefuseFiles makes package os say what to use instead; without it, a file would just not be there. What does not open a file, such as
// os.Stat, does not ask a file system, and says no more than that.
func RefuseFiles() { mounts[0].filesystem = noFiles{} }

type noFiles struct{}

func (noFiles) OpenFile(string, int, os.FileMode) (uintptr, error) { return 0, errNoFiles }

func (noFiles) Mkdir(string, os.FileMode) error { return errNoFiles }

func (noFiles) Remove(string) error { return errNoFiles }

// NameFileErrors makes package os say in words what is wrong with a file: those of the runtime are numbers.
func NameFileErrors() { mounts[0].filesystem = files{} }

// files is what TinyGo's own file system does.
type files struct{}

func (files) OpenFile(path string, flag int, perm os.FileMode) (uintptr, error) {
	handle, err := syscall.Open(path, flag, uint32(perm))
	return uintptr(handle), named(err)
}

func (files) Mkdir(path string, perm os.FileMode) error {
	return named(syscall.Mkdir(path, uint32(perm)))
}

func (files) Remove(path string) error {
	// It is a file or a folder; if it is neither, a folder's error tells nothing about a file.
	err := syscall.Unlink(path)
	if err == nil {
		return nil
	}
	other := syscall.Rmdir(path)
	if other == nil {
		return nil
	}
	if other != syscall.ENOTDIR {
		err = other
	}
	return &os.PathError{Op: "remove", Path: path, Err: named(err)}
}

// fileError is an error of a file in words.
type fileError struct {
	number syscall.Errno
	text   string
}

func (e *fileError) Error() string { return e.text }

func (e *fileError) Unwrap() error { return e.number }

func named(err error) error {
	number, ok := err.(syscall.Errno)
	if !ok {
		return err
	}
	switch number {
	case syscall.EEXIST:
		return os.ErrExist
	case syscall.ENOENT:
		return os.ErrNotExist
	case syscall.EACCES, syscall.EPERM:
		// Of a path that is below no granted folder too.
		return os.ErrPermission
	}
	if text, ok := fileTexts[number]; ok {
		return &fileError{number, text}
	}
	return err
}

var fileTexts = map[syscall.Errno]string{
	syscall.EBUSY:        "device or resource busy",
	syscall.EDQUOT:       "quota exceeded",
	syscall.EFBIG:        "file too large",
	syscall.EINVAL:       "invalid argument",
	syscall.EIO:          "input/output error",
	syscall.EISDIR:       "is a directory",
	syscall.ELOOP:        "too many levels of symbolic links",
	syscall.EMFILE:       "too many open files",
	syscall.ENAMETOOLONG: "file name too long",
	syscall.ENOSPC:       "no space left on device",
	syscall.ENOSYS:       "not supported",
	syscall.ENOTDIR:      "not a directory",
	syscall.ENOTEMPTY:    "directory not empty",
	syscall.EROFS:        "read-only file system",
}

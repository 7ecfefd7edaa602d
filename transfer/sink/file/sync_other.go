//go:build !linux

package file

import "os"

// syncFile makes a file's bytes and length durable.
func syncFile(f *os.File) error { return f.Sync() }

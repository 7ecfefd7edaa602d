//go:build !linux

package disk

import "io/fs"

// Reserve does nothing here.
func (f realFile) Reserve(position, size int64) error { return ErrNoReserve }

// Reserved is not known here.
func Reserved(info fs.FileInfo) int64 { return 0 }

// Package disk is where the broker's files live: the operating system's file system, behind a seam in which a test puts
// a disk that fails, forgets and fills up on request.
package disk

import (
	"io"
	"io/fs"
	"os"
	"time"
)

// FS is a file system. Paths are the operating system's own. Real is the one to use; package crashdisk has one for tests.
type FS interface {
	Open(path string, flag int, mode fs.FileMode) (File, error) // as os.OpenFile
	Stat(path string) (fs.FileInfo, error)
	ReadDir(dir string) ([]fs.DirEntry, error)
	Mkdir(dir string, mode fs.FileMode) error
	Rename(from, to string) error
	Remove(path string) error // a file or an empty folder
	SyncDir(dir string) error // names in dir that were made, changed or removed are on the disk
	Chtimes(path string, t time.Time) error
}

// File is one open file of an FS.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
	Sync() error  // data and size are on the disk (fdatasync)
	OS() *os.File // what sendfile reads from
}

// Real is the operating system's file system.
type Real struct{}

// Or is fsys, or the real one for nil.
func Or(fsys FS) FS {
	if fsys == nil {
		return Real{}
	}
	return fsys
}

// realFile is an open file of Real.
type realFile struct{ *os.File }

// Sync makes data and size durable.
func (f realFile) Sync() error { return syncData(f.File) }

// OS is the file itself.
func (f realFile) OS() *os.File { return f.File }

// Open opens a file as os.OpenFile does.
func (Real) Open(path string, flag int, mode fs.FileMode) (File, error) {
	f, err := os.OpenFile(path, flag, mode)
	if err != nil {
		return nil, err
	}
	return realFile{f}, nil
}

// Stat says what lies under a name.
func (Real) Stat(path string) (fs.FileInfo, error) { return os.Stat(path) }

// ReadDir lists a folder by name.
func (Real) ReadDir(dir string) ([]fs.DirEntry, error) { return os.ReadDir(dir) }

// Mkdir makes one folder.
func (Real) Mkdir(dir string, mode fs.FileMode) error { return os.Mkdir(dir, mode) }

// Rename gives a file or folder another name.
func (Real) Rename(from, to string) error { return os.Rename(from, to) }

// Remove takes a name away.
func (Real) Remove(path string) error { return os.Remove(path) }

// Chtimes sets the time of the last write.
func (Real) Chtimes(path string, t time.Time) error { return os.Chtimes(path, t, t) }

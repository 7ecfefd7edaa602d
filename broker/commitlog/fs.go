package commitlog

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/loghaul/loghaul/internal/durable"
)

// fileSystem is where a log's files live. The real one is disk; tests put one in
// between that fails and forgets on request.
type fileSystem interface {
	open(path string, flag int) (file, error)
	readDir(dir string) ([]fs.DirEntry, error)
	rename(from, to string) error
	remove(path string) error
	syncDir(dir string) error
	chtimes(path string, t time.Time) error
}

// file is one open file of a fileSystem.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
	sync() error  // data and size are on the disk (fdatasync)
	os() *os.File // what sendfile reads from
}

// disk is the operating system's file system.
type disk struct{}

type diskFile struct{ *os.File }

func (f diskFile) sync() error  { return syncData(f.File) }
func (f diskFile) os() *os.File { return f.File }

func (disk) open(path string, flag int) (file, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (disk) readDir(dir string) ([]fs.DirEntry, error) { return os.ReadDir(dir) }
func (disk) rename(from, to string) error              { return os.Rename(from, to) }
func (disk) remove(path string) error                  { return os.Remove(path) }
func (disk) chtimes(path string, t time.Time) error    { return os.Chtimes(path, t, t) }
func (disk) syncDir(dir string) error                  { return durable.SyncFolder(dir) }

// readAll reads a small file whole, up to limit bytes.
func readAll(fsys fileSystem, path string, limit int64) ([]byte, error) {
	f, err := fsys.open(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s has %d bytes, more than %d", path, info.Size(), limit)
	}
	b := make([]byte, info.Size())
	n, err := f.ReadAt(b, 0)
	if err == io.EOF {
		err = nil
	}
	return b[:n], err
}

// replace makes path hold b: either the old content or the new one is there after
// a crash, never a mix, because the new bytes are synced before they get the name.
// The name itself is durable after the next syncDir.
func replace(fsys fileSystem, path string, b []byte) error {
	tmp := path + tmpSuffix
	f, err := fsys.open(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return fmt.Errorf("creating %s: %w", tmp, err)
	}
	_, err = f.WriteAt(b, 0)
	if err == nil {
		err = f.sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = fsys.rename(tmp, path)
	}
	if err != nil {
		_ = fsys.remove(tmp)
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// tmpSuffix ends the name of a file that has not got its real name yet; Open
// removes what a crash left of them.
const tmpSuffix = ".tmp"

// makeFolder creates dir if it is missing and makes its name durable.
func makeFolder(fsys fileSystem, dir string) error {
	switch err := os.Mkdir(dir, 0o700); {
	case os.IsExist(err):
		return nil
	case err != nil:
		return err
	}
	// Without this a power cut could forget the whole partition.
	return fsys.syncDir(filepath.Dir(dir))
}

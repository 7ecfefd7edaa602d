// Package datadir holds a folder for one process: others are told who has it, and
// nobody but the owner may look into it.
package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// lockName is the file that carries the lock. It is never removed: a second file of
// that name would carry a second lock.
const lockName = ".lock"

// Held is a folder that is ours until Close or the end of the process.
type Held struct{ file *os.File }

// Hold makes dir with mode 0700 if it is missing, and takes it for this process.
// If another process has it, the error names the folder, that process, and --data as
// the way out. The kernel lets go of the lock when the process ends, however it ends.
// An empty folder is closed to others too; one that holds files already keeps its
// mode, for it may be more than ours, and is refused if everybody may write to it:
// a slip in --data must not close /tmp.
func Hold(dir string) (*Held, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder %s: %w", dir, mend(err))
	}
	if err := closeToOthers(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the data folder %s: %w", dir, mend(err))
	}
	if err := tryLock(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("data folder %s is in use%s: stop that process, or choose another folder with --data", dir, owner(path))
	}
	if err := f.Truncate(0); err == nil {
		fmt.Fprintf(f, "pid %d (%s)\n", os.Getpid(), filepath.Base(os.Args[0])) // only for the message above
	}
	return &Held{f}, nil
}

// mend adds what to do about a folder that nothing can be written to.
func mend(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: make it writable for this user, or choose another folder with --data", err)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: free some space on that disk, or choose another folder with --data", err)
	}
	return err
}

// closeToOthers gives an empty folder mode 0700, and refuses one that is not empty and
// that everybody may write to.
func closeToOthers(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("looking at the data folder %s: %w", dir, err)
	}
	if runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return nil // Windows has no such modes
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("looking at the data folder %s: %w", dir, err)
	}
	for _, e := range entries {
		switch {
		case e.Name() == "lost+found", e.Name() == lockName: // a disk of its own; our own
		case info.Mode().Perm()&0o002 != 0:
			return fmt.Errorf("the data folder %s may be written to by everybody and is not empty: choose another with --data", dir)
		default:
			return nil
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("closing the data folder %s to others: %w: choose one that is yours with --data", dir, err)
	}
	return nil
}

// owner is who wrote the lock file last, as part of a sentence.
func owner(path string) string {
	b, err := os.ReadFile(path)
	if err != nil || len(b) == 0 {
		return ""
	}
	return " by " + strings.TrimSpace(string(b))
}

// Close gives the folder back.
func (h *Held) Close() error { return h.file.Close() }

// InUse says whether a process holds the folder now. Nothing is made and nothing is
// changed.
func InUse(dir string) bool {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer f.Close() // which lets go of the lock again
	return tryLock(f) != nil
}

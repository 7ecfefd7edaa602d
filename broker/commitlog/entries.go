package commitlog

import (
	"errors"
	"fmt"
	"os"
	"sort"
	"sync"
)

// maxTail is how many bytes of entries wait in memory before one write; it bounds
// what an index costs a log at rest.
const maxTail = 6 << 10

// entries is a file of sorted entries of one width, whose newest ones wait in
// memory. The file is opened when it is first needed. Safe for concurrent use.
type entries struct {
	fs    fileSystem
	path  string
	width int
	mu    struct {
		sync.Mutex
		f      file   // nil: not open
		opened bool   // onDisk is known
		onDisk int64  // bytes of whole entries in the file
		tail   []byte // entries that follow them
		gone   bool   // unlinked or closed; never opened again
	}
}

// open makes file and length known; a file that is missing is empty, and made
// only to write to it, so that a full disk can still be read. The caller holds mu.
func (e *entries) open(flag int) error {
	if e.mu.f != nil {
		return nil
	}
	if e.mu.gone {
		return errGone
	}
	f, err := e.fs.open(e.path, os.O_RDWR|flag)
	if flag == 0 && errors.Is(err, os.ErrNotExist) {
		e.mu.opened = true
		return nil
	} else if err != nil {
		return fmt.Errorf("opening index %s: %w", e.path, err)
	}
	if !e.mu.opened {
		info, err := f.Stat()
		if err != nil {
			f.Close()
			return fmt.Errorf("opening index %s: %w", e.path, err)
		}
		// A cut entry at the end is none; the next write goes over it.
		e.mu.onDisk = info.Size() - info.Size()%int64(e.width)
		e.mu.opened = true
	}
	e.mu.f = f
	return nil
}

// add appends one entry. When the disk has no room for a full tail the entry is
// left out: a sparser index is slower, never wrong.
func (e *entries) add(entry []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.mu.tail)+len(entry) > maxTail && e.flush() != nil {
		return
	}
	e.mu.tail = append(e.mu.tail, entry...)
}

// flush writes the tail; the caller holds mu.
func (e *entries) flush() error {
	if len(e.mu.tail) == 0 {
		return nil
	}
	if err := e.open(os.O_CREATE); err != nil {
		return err
	}
	if _, err := e.mu.f.WriteAt(e.mu.tail, e.mu.onDisk); err != nil {
		return &StorageError{Op: "writing", Path: e.path, Position: e.mu.onDisk, Err: err}
	}
	e.mu.onDisk += int64(len(e.mu.tail))
	e.mu.tail = e.mu.tail[:0]
	return nil
}

// sync makes every entry durable, so that a recovery point may stand behind them.
func (e *entries) sync() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.open(os.O_CREATE); err != nil {
		return err
	}
	if err := e.flush(); err != nil {
		return err
	}
	if err := e.mu.f.sync(); err != nil {
		return &StorageError{Op: "syncing", Path: e.path, Position: e.mu.onDisk, Err: err}
	}
	return nil
}

// count is the number of entries; the caller holds mu and has opened the file.
func (e *entries) count() int { return int(e.mu.onDisk/int64(e.width)) + len(e.mu.tail)/e.width }

// read fills entry with the i-th; the caller holds mu and has opened the file.
func (e *entries) read(i int, entry []byte) error {
	at := int64(i) * int64(e.width)
	if at >= e.mu.onDisk {
		copy(entry, e.mu.tail[at-e.mu.onDisk:])
		return nil
	}
	if _, err := e.mu.f.ReadAt(entry, at); err != nil {
		return &StorageError{Op: "reading", Path: e.path, Position: at, Err: err}
	}
	return nil
}

// last copies into entry the last entry for which low holds, where low is true
// for a first run of entries and false behind it; false: there is none. It reads
// log2 of their number.
func (e *entries) last(entry []byte, low func(entry []byte) bool) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.open(0); err != nil {
		return false, err
	}
	var failed error
	from := int(e.mu.onDisk / int64(e.width))
	if len(e.mu.tail) == 0 || !low(e.mu.tail[:e.width]) {
		from = 0 // what is asked for at the log's end is in memory, this is not
	}
	i := from + sort.Search(e.count()-from, func(i int) bool {
		i += from
		if failed != nil {
			return true
		}
		if failed = e.read(i, entry); failed != nil {
			return true
		}
		return !low(entry)
	})
	if failed != nil || i == 0 {
		return false, failed
	}
	return true, e.read(i-1, entry)
}

// truncate keeps the first run of entries for which keep holds.
func (e *entries) truncate(keep func(entry []byte) bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.open(0); err != nil {
		return err
	}
	entry := make([]byte, e.width)
	var failed error
	n := sort.Search(e.count(), func(i int) bool {
		if failed == nil {
			failed = e.read(i, entry)
		}
		return failed != nil || !keep(entry)
	})
	if failed != nil {
		return failed
	}
	return e.cut(int64(n) * int64(e.width))
}

// cut keeps the first size bytes; the caller holds mu and has opened the file.
func (e *entries) cut(size int64) error {
	if size >= e.mu.onDisk {
		e.mu.tail = e.mu.tail[:size-e.mu.onDisk]
		return nil
	}
	e.mu.tail = e.mu.tail[:0]
	if err := e.mu.f.Truncate(size); err != nil {
		return &StorageError{Op: "truncating", Path: e.path, Position: size, Err: err}
	}
	e.mu.onDisk = size
	return nil
}

// rewrite puts built in place of the leading entries; those for which keep holds
// stay behind it.
func (e *entries) rewrite(built []byte, keep func(entry []byte) bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.open(0); err != nil {
		return err
	}
	entry := make([]byte, e.width)
	for i := range e.count() {
		if err := e.read(i, entry); err != nil {
			return err
		}
		if keep(entry) {
			built = append(built, entry...)
		}
	}
	if err := e.cut(0); err != nil {
		return err
	}
	e.mu.tail = append(e.mu.tail, built...)
	_ = e.flush() // without room it serves from memory
	return nil
}

// rest writes what waits and closes the file until it is needed again.
func (e *entries) rest() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	err := e.flush()
	if e.mu.f != nil {
		e.mu.f.Close()
		e.mu.f = nil
	}
	return err
}

// forget closes the file for good.
func (e *entries) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.f != nil {
		e.mu.f.Close()
		e.mu.f = nil
	}
	e.mu.tail, e.mu.gone = nil, true
}

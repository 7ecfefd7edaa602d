package commitlog

import (
	"errors"
	"fmt"
	"os"
	"sort"
	"sync"

	"github.com/loghaul/loghaul/internal/disk"
)

// maxTail is how many bytes of entries wait in memory before one write; it bounds
// what an index costs a log at rest.
const maxTail = 6 << 10

// entries is a file of sorted entries of one width, whose newest ones wait in
// memory. The file is opened when it is first needed. Safe for concurrent use.
type entries struct {
	fs       disk.FS
	path     string
	width    int
	optional bool // an empty one has no file
	mu       struct {
		sync.Mutex
		f      disk.File // nil: not open
		opened bool      // onDisk is known
		onDisk int64     // bytes of whole entries in the file
		cut    bool      // shortened since the last sync
		cuts   int       // how often it was shortened
		held   bool      // the file's name is another's still; entries wait in memory
		tail   []byte    // entries that follow them
		gone   bool      // unlinked or closed; never opened again
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
	if flag == 0 && e.mu.opened && e.mu.onDisk == 0 {
		return nil // nothing to read there
	}
	f, err := e.fs.Open(e.path, os.O_RDWR|flag, 0o600)
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

// keep writes one entry that may not be left out, at once, for Kafka's tools and
// copies of the folder; while the disk has no room it waits in memory.
func (e *entries) keep(entry []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.tail = append(e.mu.tail, entry...)
	_ = e.flush()
}

// empty says that there is no file and none is wanted; called before the entries
// are shared.
func (e *entries) empty() { e.mu.opened = true }

// adopt takes over entries whose file has not got room for them yet, because its
// name belongs to others until settle.
func (e *entries) adopt(built []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.opened, e.mu.held, e.mu.tail = true, true, built
}

// settle says that the file's name is free.
func (e *entries) settle() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.held = false
}

// any says whether there are entries; called after sync.
func (e *entries) any() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.mu.onDisk > 0 || len(e.mu.tail) > 0
}

// flush writes the tail; the caller holds mu.
func (e *entries) flush() error {
	if len(e.mu.tail) == 0 || e.mu.held {
		return nil
	}
	defer e.shutUnless(e.mu.f != nil)
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

// shutUnless closes a file that was opened for one write or sync only: ten thousand
// logs that are written to have no descriptor to spare for each index. The caller holds
// mu.
func (e *entries) shutUnless(was bool) {
	if !was && e.mu.f != nil {
		e.mu.f.Close()
		e.mu.f = nil
	}
}

// sync makes every entry durable, so that a recovery point may stand behind them. It
// has a descriptor of its own for that: entries are added meanwhile, and whoever appends
// does not wait for the disk.
func (e *entries) sync() error {
	there, position, cuts, err := e.written()
	if err != nil || !there {
		return err
	}
	f, err := e.fs.Open(e.path, os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("opening index %s: %w", e.path, err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return &StorageError{Op: "syncing", Path: e.path, Position: position, Err: err, Fatal: true}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.cuts == cuts {
		e.mu.cut = false
	}
	return nil
}

// written writes what waits in memory; there says whether there is a file to sync.
func (e *entries) written() (there bool, position int64, cuts int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.shutUnless(e.mu.f != nil)
	if e.optional && len(e.mu.tail) == 0 && !e.mu.cut {
		if err := e.open(0); err != nil || e.mu.f == nil {
			return false, 0, 0, err
		}
	}
	if err := e.open(os.O_CREATE); err != nil {
		return false, 0, 0, err
	}
	err = e.flush()
	return true, e.mu.onDisk, e.mu.cuts, err
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
	e.mu.cuts++
	if size >= e.mu.onDisk {
		e.mu.tail = e.mu.tail[:size-e.mu.onDisk]
		return nil
	}
	e.mu.tail = e.mu.tail[:0]
	if err := e.mu.f.Truncate(size); err != nil {
		return &StorageError{Op: "truncating", Path: e.path, Position: size, Err: err}
	}
	e.mu.onDisk, e.mu.cut = size, true
	return nil
}

// from calls f with each entry from the first for which low does not hold, where
// low is as for last, until f returns errFound. Entries that come meanwhile may be
// among them; when some go it is errGone.
func (e *entries) from(low func(entry []byte) bool, f func(entry []byte) error) error {
	i, n, cuts, err := e.seek(low)
	if err != nil || n == 0 {
		return err
	}
	b := make([]byte, min(n, 4096/e.width)*e.width)
	for {
		n, err := e.chunk(i, cuts, b)
		if err != nil || n == 0 {
			return err
		}
		for j := range n {
			if err := f(b[j*e.width : (j+1)*e.width]); err == errFound {
				return nil
			} else if err != nil {
				return err
			}
		}
		i += n
	}
}

// seek is the first entry for which low does not hold, and how many follow with it.
func (e *entries) seek(low func(entry []byte) bool) (i, n, cuts int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.open(0); err != nil {
		return 0, 0, 0, err
	}
	entry := make([]byte, e.width)
	i = sort.Search(e.count(), func(i int) bool {
		if err == nil {
			err = e.read(i, entry)
		}
		return err != nil || !low(entry)
	})
	return i, e.count() - i, e.mu.cuts, err
}

// chunk fills b with entries from the i-th on and says how many there were.
func (e *entries) chunk(i, cuts int, b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.open(0); err != nil {
		return 0, err
	}
	if e.mu.cuts != cuts {
		return 0, errGone
	}
	at, n := int64(i)*int64(e.width), min(len(b), (e.count()-i)*e.width)
	disk := min(max(int(e.mu.onDisk-at), 0), n)
	if disk > 0 {
		if _, err := e.mu.f.ReadAt(b[:disk], at); err != nil {
			return 0, &StorageError{Op: "reading", Path: e.path, Position: at, Err: err}
		}
	}
	if disk < n {
		copy(b[disk:n], e.mu.tail[at+int64(disk)-e.mu.onDisk:])
	}
	return n / e.width, nil
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

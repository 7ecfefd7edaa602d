package file

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer/sink"
)

var errNotAssigned = errors.New("the partition was not assigned")

// book is one sidecar with the files it speaks of. Whoever holds it is their only writer, over all processes of the
// host. A book belongs to one partition, or to all partitions of a sink whose path does not tell them apart.
type book struct {
	s    *Sink
	name string
	lock *os.File
	// filled are the files that a Write in progress has appended to and not synced; mu guards it.
	filled []*entry

	// mu is held over a whole Write: one writer.
	mu struct {
		sync.Mutex
		ledger   *ledger
		next     map[string]record.Offset // as stored, by topic/partition
		assigned map[string]bool
		live     bool // ledger and files agree; false after an error: recover before the next Write
	}
}

// openBook takes the lock of a sidecar and reads it.
func openBook(s *Sink, name string) (*book, error) {
	lock, err := s.root.OpenFile(name+".lock", os.O_CREATE|os.O_RDWR, fileMode)
	if err != nil {
		return nil, err
	}
	if err := lockFile(lock); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	b := &book{s: s, name: name, lock: lock}
	b.mu.assigned = map[string]bool{}
	return b, nil
}

// assign makes the partition ours. The sidecar's offset wins over the group's, unless another owner has committed
// meanwhile: then the files are cut to where our own commit stood, and the group's offset is right.
func (b *book) assign(a sink.Assignment) (record.Offset, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	tp := key(a.Topic, a.Partition)
	if len(b.mu.assigned) == 0 || !b.mu.live {
		if err := b.recover(tp, a.Left); err != nil {
			return 0, err
		}
	}
	from := a.Start
	next, known := b.mu.next[tp]
	same := a.Incarnation == "" || b.mu.ledger.Topics[tp] == "" || b.mu.ledger.Topics[tp] == a.Incarnation
	if known && same && a.Left == sink.NoOffset && !a.Reset {
		from = next
	}
	if known && same && a.Left != sink.NoOffset && next > a.Left {
		b.s.cfg.Logger.Warn("lines of a partition that another owner went on with could not be cut away",
			"sink", b.s.cfg.Name, "partition", tp, "from", a.Left, "to", next)
	}
	b.mu.next[tp] = from
	if b.mu.ledger.Topics == nil {
		b.mu.ledger.Topics = map[string]string{}
	}
	if a.Incarnation != "" {
		b.mu.ledger.Topics[tp] = a.Incarnation
	}
	// The first point: where our own commits begin, and what a cut falls back to.
	if err := b.record(nil); err != nil {
		return 0, err
	}
	b.mu.assigned[tp] = true
	return from, nil
}

// recover reads the sidecar, finishes a roll that a kill interrupted, and cuts every file to the newest point, or to
// the one at left when another owner went on from there.
func (b *book) recover(tp string, left record.Offset) error {
	b.closeFiles()
	b.mu.live = false
	l, err := readLedger(b.s.root, b.name)
	if err != nil {
		return err
	}
	// The save that an error interrupted may have got as far as the rename.
	if err := syncFolder(b.s.folder); err != nil {
		return fmt.Errorf("syncing the out root: %w", err)
	}
	b.mu.ledger, b.mu.next = l, map[string]record.Offset{}
	if err := b.finishRolling(); err != nil {
		return err
	}
	stored, _ := l.newest()
	l.rewind(tp, left, b.own())
	p, _ := l.newest()
	for _, e := range l.Files {
		if over := e.lengthAt(stored) - e.lengthAt(p); e.Packed && over > 0 {
			b.s.cfg.Logger.Warn("a compressed file holds lines that another owner has too: it cannot be cut", "file", e.Path, "bytes", over)
		}
		if err := b.cut(e, e.lengthAt(p)); err != nil {
			return fmt.Errorf("cutting %s to what the sidecar says: %w", e.Path, err)
		}
	}
	maps.Copy(b.mu.next, p.Next)
	l.forgetMissing()
	b.mu.live = true
	return nil
}

// own says that the book belongs to one partition alone.
func (b *book) own() bool { return b.name != "."+b.s.cfg.Name }

// cut shortens a file to a length and makes that durable. A file that is gone was taken away by somebody: it is
// begun anew.
func (b *book) cut(e *entry, length int64) error {
	if e.Packed {
		return nil
	}
	f, err := b.s.root.OpenFile(e.Path, os.O_RDWR, fileMode)
	if errors.Is(err, fs.ErrNotExist) {
		e.length = -1
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	e.length = min(length, st.Size())
	if st.Size() <= length {
		if st.Size() < length {
			b.s.cfg.Logger.Warn("a file is shorter than what was stored in it", "file", e.Path, "stored", length, "found", st.Size())
		}
		return nil
	}
	b.s.cfg.Logger.Info("cut a file to its last stored line", "file", e.Path, "bytes", st.Size()-length)
	if err := f.Truncate(length); err != nil {
		return err
	}
	// The cut must not come back after a power cut once lines are appended behind it.
	return syncFile(f)
}

// record adds a point with what is stored now and replaces the sidecar; first has to be done before that.
func (b *book) record(first func() error) error {
	l := b.mu.ledger
	points, files := slices.Clone(l.Points), slices.Clone(l.Files)
	l.push(maps.Clone(b.mu.next), b.s.keep())
	if err := b.save(first); err != nil {
		l.Points, l.Files = points, files
		b.mu.live = false
		return err
	}
	return nil
}

// save makes the ledger durable in place of the one before, as seen in its drawing. first runs beside the writing of
// the temporary file, for both wait for the disk, and must be done before the rename.
func (b *book) save(first func() error) error {
	done := make(chan error, 1) // gets first's answer
	if first == nil {
		done <- nil
	} else {
		go func() { done <- first() }()
	}
	temp, err := b.mu.ledger.writeTemp(b.s.root, b.name)
	if err = errors.Join(<-done, err); err != nil {
		return err
	}
	step := b.s.cfg.step
	if err := step("temp"); err != nil {
		return err
	}
	if err := b.s.root.Rename(temp, b.name); err != nil {
		return fmt.Errorf("replacing the sidecar: %w", err)
	}
	if err := step("renamed"); err != nil {
		return err
	}
	// The folder holds the name; without this a power cut could bring the old sidecar back behind a commit.
	if err := syncFolder(b.s.folder); err != nil {
		return fmt.Errorf("syncing the folder of the sidecar %s: %w", b.name, err)
	}
	return nil
}

// release takes a partition out of the book and says how many are left.
func (b *book) release(tp string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.mu.assigned, tp)
	return len(b.mu.assigned)
}

// idleHands says that no partition is left in the book.
func (b *book) idleHands() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.mu.assigned) == 0
}

// close lets go of the files and of the lock.
func (b *book) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closeFiles()
	return b.lock.Close()
}

// closeFiles closes every output file; what was stored in them has been fsynced.
func (b *book) closeFiles() {
	if b.mu.ledger == nil {
		return
	}
	for _, e := range b.mu.ledger.Files {
		b.closeFile(e)
	}
}

func (b *book) closeFile(e *entry) {
	if e.file != nil {
		e.file.Close() // read-only from here: every byte that counts has been fsynced
		e.file = nil
		b.s.open.Add(-1)
	}
}

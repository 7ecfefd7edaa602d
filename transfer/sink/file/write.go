package file

import (
	"errors"
	"fmt"
	"os"
	"path"
	"time"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer/sink"
)

// bufferSize is how much is handed to the system in one write(2): the more, the fewer and larger the pages it makes.
const bufferSize = 1 << 20

// write stores one batch: rolls what is due, writes the names of new files into the sidecar, appends, fsyncs, and
// replaces the sidecar. After an error nothing of the batch counts: what was appended is cut away now, or, when even
// that fails, before the next Write.
func (b *book) write(batch sink.Batch) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	tp := key(batch.Topic, batch.Partition)
	if !b.mu.assigned[tp] {
		return fmt.Errorf("writing %s: %w", tp, errNotAssigned)
	}
	if !b.mu.live {
		if err := b.again(); err != nil {
			return err
		}
	}
	next := b.mu.next[tp]
	if next >= batch.Next {
		return nil // the sidecar of an earlier try got through
	}
	err := b.append(batch, next)
	if err == nil {
		b.mu.next[tp] = batch.Next
		if err = b.record(b.syncFilled); err != nil {
			b.mu.next[tp] = next
		}
	}
	if err != nil && !errors.Is(err, errKilled) {
		b.mu.live = false
		if cutErr := b.again(); cutErr != nil {
			err = errors.Join(err, cutErr)
		}
	}
	return err
}

// errKilled is what a test's step returns to leave everything as a kill would.
var errKilled = errors.New("killed")

// again brings files and memory back to the sidecar on disk after an error.
func (b *book) again() error {
	if err := b.recover("", sink.NoOffset); err != nil {
		return fmt.Errorf("going back to what is stored: %w", err)
	}
	return nil
}

// append writes the batch's lines behind what is stored, file by file.
func (b *book) append(batch sink.Batch, next record.Offset) error {
	groups := b.split(batch, next)
	b.filled = b.filled[:0]
	if err := b.prepare(groups); err != nil {
		return err
	}
	for _, g := range groups {
		if err := b.fill(g, batch); err != nil {
			return fmt.Errorf("writing %s: %w", g.path, err)
		}
	}
	return nil
}

// group is the records of a batch that go to one file, and that file.
type group struct {
	path    string
	start   record.Offset
	records []sink.Record // when they follow each other in the batch
	picked  []*sink.Record
	entry   *entry
}

// split finds the file of each record. Almost always all go to one, and nothing is copied.
func (b *book) split(batch sink.Batch, next record.Offset) []*group {
	records := batch.Records
	for len(records) > 0 && records[0].Offset < next {
		records = records[1:]
	}
	if len(records) == 0 {
		return nil
	}
	set := &b.s.cfg.Settings
	byHost, byDate := set.path.has("host"), set.path.has("date")
	day := func(r *sink.Record) int64 {
		if byDate {
			return dayOf(r.Time)
		}
		return 0
	}
	same := !byHost
	for i := 1; same && i < len(records); i++ {
		same = day(&records[i]) == day(&records[0])
	}
	if first := &records[0]; same {
		return []*group{{path: b.openPath(batch, day(first), ""), start: first.Offset, records: records}}
	}
	type place struct {
		day  int64
		host string
	}
	var groups []*group
	byPlace, byPath := map[place]*group{}, map[string]*group{}
	for i := range records {
		r := &records[i]
		at := place{day: day(r)}
		if byHost {
			at.host = string(hostOf(r))
		}
		g := byPlace[at]
		if g == nil {
			p := b.openPath(batch, at.day, at.host)
			if g = byPath[p]; g == nil {
				g = &group{path: p, start: r.Offset}
				byPath[p] = g
				groups = append(groups, g)
			}
			byPlace[at] = g
		}
		g.picked = append(g.picked, r)
	}
	return groups
}

// openPath is where lines are written: the file's own path, or its hidden twin when it only appears once compressed.
func (b *book) openPath(batch sink.Batch, day int64, host string) string {
	p := b.s.cfg.Settings.path.render(batch.Topic, batch.Partition, day, host)
	if b.s.cfg.Settings.compression != "none" {
		return hidden(p)
	}
	return p
}

// prepare rolls files that are full and makes sure that the sidecar on disk knows every file the batch will touch:
// a file it did not know could not be cut after a kill.
func (b *book) prepare(groups []*group) error {
	if err := b.roll(b.s.cfg.now()); err != nil {
		return err
	}
	fresh := false
	for _, g := range groups {
		if g.entry = b.mu.ledger.find(g.path); g.entry != nil {
			continue
		}
		e := &entry{Path: g.path, Start: g.start, Opened: b.s.cfg.now().UnixMilli()}
		if err := b.create(e); err != nil {
			return fmt.Errorf("opening %s: %w", g.path, err)
		}
		b.mu.ledger.Files = append(b.mu.ledger.Files, e)
		g.entry, fresh = e, true
	}
	if !fresh {
		return nil
	}
	if err := b.s.cfg.step("opened"); err != nil {
		return err
	}
	return b.save(nil)
}

// create opens a file that the sidecar does not know yet, with its folders, and makes its name durable.
func (b *book) create(e *entry) error {
	dir := path.Dir(e.Path)
	if err := b.s.root.MkdirAll(dir, folderMode); err != nil {
		return err
	}
	if err := b.open(e); err != nil {
		return err
	}
	st, err := e.file.Stat()
	if err != nil {
		return err
	}
	e.Base, e.length = st.Size(), st.Size()
	// A name that a power cut takes would take the lines behind it; the folders above may be new too.
	for ; ; dir = path.Dir(dir) {
		if err := b.syncFolder(dir); err != nil || dir == "." {
			return err
		}
	}
}

func (b *book) syncFolder(dir string) error {
	f, err := b.s.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(syncFolder(f), f.Close())
}

// open opens an entry's file for writing, if it is not open.
func (b *book) open(e *entry) error {
	if e.file != nil {
		return nil
	}
	f, err := b.s.root.OpenFile(e.Path, os.O_CREATE|os.O_RDWR, fileMode)
	if err != nil {
		return err
	}
	e.file = f
	b.s.open.Add(1)
	return nil
}

// fill appends a group's lines to its file.
func (b *book) fill(g *group, batch sink.Batch) error {
	if err := b.open(g.entry); err != nil {
		return err
	}
	if err := b.s.cfg.step("append"); err != nil {
		return err
	}
	buf := <-b.s.buffers // one of a few; returned below
	if buf == nil {
		buf = make([]byte, 0, bufferSize)
	}
	w := appender{file: g.entry.file, at: g.entry.length, buf: buf[:0]}
	for i := range g.records {
		w.add(&g.records[i], &batch, b.s.cfg.Settings.json)
	}
	for _, r := range g.picked {
		w.add(r, &batch, b.s.cfg.Settings.json)
	}
	w.flush()
	if cap(w.buf) > 2*bufferSize {
		w.buf = nil // one huge record must not stay in memory
	}
	b.s.buffers <- w.buf
	if w.err != nil {
		return w.err
	}
	if err := b.s.cfg.step("appended"); err != nil {
		return err
	}
	g.entry.length = w.at
	if b.s.open.Load() <= int64(b.s.cfg.MaxOpen) {
		b.filled = append(b.filled, g.entry)
		return nil
	}
	err := syncFile(g.entry.file) // what is closed here cannot be synced later
	b.closeFile(g.entry)
	return err
}

// syncFilled makes what append wrote durable. Write returns nil for what survives a power cut, and the commit follows
// at once; so this comes before the rename that puts the sidecar in force.
func (b *book) syncFilled() error {
	for _, e := range b.filled {
		if err := syncFile(e.file); err != nil {
			return fmt.Errorf("writing %s: %w", e.Path, err)
		}
	}
	return nil
}

// idle does what is due while nothing comes.
func (b *book) idle(now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.mu.live || !b.due(now) {
		return nil
	}
	if err := b.roll(now); err != nil {
		b.mu.live = false
		return err
	}
	return b.record(nil)
}

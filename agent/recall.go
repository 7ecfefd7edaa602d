package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/loghaul/loghaul/agent/batch"
	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/agent/produce"
	"github.com/loghaul/loghaul/agent/spool"
	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

const (
	// clockSlack is how far the clock of a file system or of a broker may be off.
	clockSlack = 10 * time.Minute
	// findWait is for how long an input that has not found its files yet is waited for.
	findWait = 30 * time.Second
	// lookMost is how many paths have the files beside them looked at too.
	lookMost = 200
)

// recall is what a topic has of this host's files, read back because the journal is new
// and an earlier one may have been lost (agent/DESIGN.md, rule 7).
type recall struct {
	t      *topic
	finder batch.Finder
	anew   bool      // the journal has never sent anything to the topic
	born   time.Time // of the journal: later files cannot have been sent before it
	from   time.Time // no file is older; zero: not known

	files []follow.Checkpoint      // that are there now, in their first lives
	lives map[line.Generation]int  // which of files a generation was seen to be
	paths map[string][]int         // files by path
	found map[int]*stored          // by file: its latest life
	plain map[string]bool          // paths whose lines are sent as they were written
	done  map[line.Generation]bool // generations that are none of files
	gone  map[string]bool          // paths of such generations that are wanted
}

// stored is what a topic has of one file's latest life.
type stored struct {
	life      follow.Checkpoint
	path      string        // the first one, which the key keeps
	partition int32         // of the newest record
	seen      []int32       // partitions with records of it
	sent      time.Time     // when the newest was
	runs      []batch.Run   // of records without a key, which lie in any partition
	keyed     line.Position // the end of the newest record with a key; 0: none has one
	end       line.Position
	last      []byte // source bytes just before end
}

// recall takes over what the topic has and the journal does not know, before any of the
// topic's streams starts.
func (t *topic) recall(ctx context.Context, d journal.Doubt) (err error) {
	strays := t.strays.take()
	defer func() {
		if err != nil { // it is tried again, and the partitions are not asked twice
			t.strays.put(strays)
		}
	}()
	if !d.New && len(strays) == 0 {
		return nil
	}
	r := &recall{t: t, anew: d.New, born: d.Born, finder: batch.Finder{Host: t.a.cfg.Host}, lives: map[line.Generation]int{}, paths: map[string][]int{},
		found: map[int]*stored{}, plain: map[string]bool{}, done: map[line.Generation]bool{}, gone: map[string]bool{}}
	if !d.New {
		r.born = time.Now()
	}
	if err := r.look(ctx); err != nil || len(r.files) == 0 {
		return err
	}
	for _, run := range strays {
		if i, ok := r.file(run.Run); ok && run.ours {
			r.note(i, spread, run.Run, time.Now())
		} else if ok {
			t.a.client.MayDouble(run.Records)
		}
	}
	if d.New {
		t.a.log.Info("the journal is new: the topic is asked what it has of this host", "topic", t.name, "files", len(r.files), "since", r.from)
		if err := r.readBack(ctx); errors.Is(err, produce.ErrMayNotRead) {
			t.a.log.Warn("the journal is new and the topic may not be read: files begin as if nothing of them had been sent", "topic", t.name, "err", err, "mend", "allow this agent's user READ on the topic")
			return nil
		} else if err != nil {
			return fmt.Errorf("reading back what topic %s has of this host: %w", t.name, err)
		}
		r.tellOfArchives()
	}
	return r.keep()
}

// readBack looks through the partitions, up to the time when the journal was begun. An
// input may have sent a file to one partition and, edited, to another: once each file was
// seen somewhere, the others are read as far as anything newer of it may lie.
func (r *recall) readBack(ctx context.Context) error {
	t, left := r.t, r.t.a.cfg.RecallBytes
	least := max(left/int64(t.info.Partitions), 1) // whatever was read of those before
	for n := range t.info.Partitions {
		share := max(left/int64(t.info.Partitions-n), least)
		span := produce.Span{From: r.newerThan(), To: r.born.Add(clockSlack), Bytes: share}
		enough := func() bool { return r.enough(n) }
		read, all, err := t.a.client.ReadBack(ctx, journal.Partition{Topic: t.name, Number: n}, span, func(sealed []byte) error { return r.take(n, sealed) }, enough)
		if err != nil {
			return err
		}
		if left = max(left-read, 0); !all {
			t.a.log.Warn("the topic holds more of the time of these files than is read back: a file that was sent only before that is sent again", "topic", t.name, "partition", n, "read_bytes", read)
		}
	}
	return nil
}

// look lists the files that may have been sent before this journal was begun. It waits
// until each input of the topic has looked for its files.
func (r *recall) look(ctx context.Context) error {
	var paths []string
	for deadline := time.Now().Add(findWait); ; {
		var all bool
		if paths, all = r.wanted(); all {
			break
		}
		if time.Now().After(deadline) {
			r.t.a.log.Warn("an input has not found its files yet and is not waited for: what was sent of them before is sent again", "topic", r.t.name, "waited", findWait)
			break
		}
		if pause(ctx, 20*time.Millisecond); ctx.Err() != nil {
			return ctx.Err()
		}
	}
	slices.Sort(paths)
	for _, path := range slices.Compact(paths) {
		found, err := follow.Identify(path, len(paths) <= lookMost, r.t.a.access.Check)
		if err != nil {
			return err
		}
		for _, cp := range found {
			birth := time.Unix(0, cp.ID.Birth)
			if cp.ID.Birth != 0 && birth.After(r.born.Add(clockSlack)) {
				continue
			}
			if len(r.files) == 0 || birth.Before(r.from) {
				r.from = birth
			}
			r.paths[path] = append(r.paths[path], len(r.files))
			r.lives[cp.ID.Generation()] = len(r.files)
			r.files = append(r.files, cp)
		}
	}
	if r.from = r.from.Add(-clockSlack); r.from.Before(time.Unix(0, 0)) {
		r.from = time.Time{}
	}
	return nil
}

// wanted are the paths that inputs send to the topic; all says that every one of these
// inputs has looked.
func (r *recall) wanted() (paths []string, all bool) {
	a := r.t.a
	a.mu.Lock()
	defer a.mu.Unlock()
	all = a.mu.applied
	for _, in := range a.mu.inputs {
		if in.Topic != r.t.name || in.broken != nil {
			continue
		}
		if in.set == nil {
			all = false
			continue
		}
		for path := range in.set.Files {
			paths = append(paths, path)
			r.plain[path] = len(in.Redact) == 0
		}
	}
	return paths, all
}

// enough says whether a partition has nothing newer of any file: each was seen in it, and
// the newest is read first.
func (r *recall) enough(partition int32) bool {
	for i := range r.files {
		if f := r.found[i]; f == nil || f.runs != nil || !slices.Contains(f.seen, partition) {
			return false
		}
	}
	return true
}

// newerThan is from when on a partition is read: nothing newer of any file was sent
// earlier.
func (r *recall) newerThan() time.Time {
	oldest := time.Time{}
	for i := range r.files {
		f := r.found[i]
		if f == nil || f.runs != nil {
			return r.from
		}
		if oldest.IsZero() || f.sent.Before(oldest) {
			oldest = f.sent
		}
	}
	if oldest = oldest.Add(-clockSlack); oldest.Before(r.from) {
		return r.from
	}
	return oldest
}

// take notes which of the files a stored batch holds.
func (r *recall) take(partition int32, sealed []byte) error {
	runs, err := r.finder.Find(sealed)
	if err != nil {
		r.t.a.log.Warn("a batch of the topic cannot be read and is passed over", "topic", r.t.name, "partition", partition, "err", err)
		return nil
	}
	h, err := record.ParseHeader(sealed)
	if err != nil {
		return err
	}
	for _, run := range runs {
		if i, ok := r.file(run); ok {
			r.note(i, partition, run, time.UnixMilli(h.MaxTimestamp))
		}
	}
	return nil
}

// file says which of the files a run is of.
func (r *recall) file(run batch.Run) (int, bool) {
	if i, ok := r.lives[run.Generation]; ok {
		return i, true
	}
	if r.done[run.Generation] || run.Path == "" {
		return 0, false
	}
	for _, i := range r.paths[run.Path] { // it may have been truncated
		if _, ok := r.files[i].Lives(run.Generation); ok {
			r.lives[run.Generation] = i
			return i, true
		}
	}
	r.done[run.Generation] = true
	if _, wanted := r.plain[run.Path]; wanted {
		r.gone[run.Path] = true
	}
	return 0, false
}

// note takes a run of a file up; of several lives of the file the latest counts.
func (r *recall) note(i int, partition int32, run batch.Run, sent time.Time) {
	f := r.found[i]
	if f == nil || f.life.ID.Generation() != run.Generation {
		life, ok := r.files[i].Lives(run.Generation)
		if ok && f != nil && life.ID.Cut < f.life.ID.Cut {
			f.see(partition)
			return
		}
		if !ok {
			return
		}
		f = &stored{life: life, path: run.Path}
		r.found[i] = f
	}
	f.see(partition)
	if run.Path == "" {
		f.path, partition = r.files[i].Path, spread
		f.runs = append(f.runs, batch.Run{From: run.From, To: run.To, Records: run.Records})
	} else {
		f.path, f.keyed = run.Path, max(f.keyed, run.To)
	}
	if run.To > f.end {
		f.end, f.last = run.To, append(f.last[:0], run.Last...)
		f.partition, f.sent = partition, sent
	}
}

// see takes over that a partition has records of the file, or of an earlier life of it.
func (f *stored) see(partition int32) {
	if !slices.Contains(f.seen, partition) {
		f.seen = append(f.seen, partition)
	}
}

// upTo is up to where all of the file is stored. With a key that is the end of the
// newest record. Without one, batches of several partitions were on the way at once, and
// it is the first gap behind what is stored; what came before has been cut away. Where an
// edit gave it a key or took it, all before a record with one is stored.
func (f *stored) upTo() line.Position {
	if len(f.runs) == 0 {
		return f.end
	}
	slices.SortFunc(f.runs, func(a, b batch.Run) int { return int(max(-1, min(1, a.From-b.From))) })
	to := f.keyed
	if to == 0 {
		to = f.runs[0].To
	}
	for _, run := range f.runs {
		if run.From > to {
			break
		}
		to = max(to, run.To)
	}
	return to
}

// keep journals how far each file is stored. What the journal was told of these files
// before it knew that is forgotten: where they begin follows from what was sent.
func (r *recall) keep() error {
	bytes, sent := int64(0), map[string]bool{}
	for i, f := range r.found {
		to := f.upTo()
		bytes += int64(to)
		sent[r.files[i].Path] = true
		if err := r.keepOne(i, f, to); err != nil {
			return err
		}
	}
	for path := range sent {
		for _, i := range r.paths[path] {
			// Nothing of it was sent, and it is younger than what was: it is found as any
			// file is that was rotated away unseen. What was deleted meanwhile the
			// journal alone leads to.
			if _, kept := r.t.a.spool.Find(spool.Key{Topic: r.t.name, ID: r.files[i].ID}); r.found[i] == nil && !kept {
				r.forget(r.files[i].ID)
			}
		}
	}
	if len(r.found) > 0 {
		r.t.a.log.Warn("what the topic has of this host and the journal did not know is not sent again", "topic", r.t.name, "files", len(r.found), "bytes", bytes)
	}
	return nil
}

func (r *recall) keepOne(i int, f *stored, to line.Position) error {
	f.life.Path = r.files[i].Path
	cp, err := f.life.At(to)
	if err != nil && !errors.Is(err, follow.ErrShorter) && !errors.Is(err, follow.ErrGone) {
		return fmt.Errorf("looking at what was sent of %s: %w", f.life.Path, err)
	}
	if f.last != nil && to == f.end && r.plain[f.life.Path] {
		// The topic itself says what stood there: a file that was truncated and has
		// grown again is refuted by it.
		cp.Tail, cp.TailLength = follow.Tail(f.last)
	}
	r.forget(cp.ID)
	g, err := r.t.a.journal.Register(journal.Generation{
		Topic: r.t.name, ID: journalID(cp.ID), Name: cp.ID.Generation(), Path: f.path,
		Began: cp.Began, Head: cp.Head, HeadLength: cp.HeadLength, Tail: cp.Tail, TailLength: cp.TailLength, Partition: f.partition, Position: to, From: journal.Unknown,
	})
	if err != nil {
		return err
	}
	for _, run := range f.runs {
		if run.From > to { // what lies between is not stored, and reading goes on before it
			r.t.a.client.MayDouble(run.Records)
			r.t.a.journal.Doubled(g.Ref, run.Records)
		}
	}
	return nil
}

// forget drops what a journal that has sent nothing to the topic was told of a file.
func (r *recall) forget(id follow.ID) {
	if !r.anew {
		return
	}
	if g, known := r.t.a.journal.Known(r.t.name, journalID(id)); known {
		r.t.a.journal.Forget(g.Ref)
	}
}

package commitlog

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/record"
)

// damagedFile says which offsets the log cannot give, so that a start knows what an
// earlier one found. It is replaced whole; without it, it is all found again:
//
//	commitlog-damaged 1
//	damaged 0 1234 1500 40 45 bad CRC    of the segment that begins at 0, bytes 1234 to 1499: offsets 40 to 44, and why
//	lost 0 5678 0 90 120 why             in no file: offsets 90 to 119; the segment before them (-1: none), and its size
//	crc 0a1b2c3d                         CRC32C of the lines above
const damagedFile = "commitlog-damaged"

const (
	damagedHead = "commitlog-damaged 1\n"
	maxDamages  = 1000    // what is beyond is told together with the last
	maxDamaged  = 1 << 20 // bytes of the file
)

// Damage is offsets that cannot be read: their bytes are damaged, or in no file.
type Damage struct {
	Log      string // folder name, web_log-0
	Path     string // of the damaged file; where offsets are lost, of the one before them
	Position int64
	From, To record.Offset // the offsets in doubt: from From on and before To
	Reason   string
	Lost     bool          // in no file
	Said     bool          // Open has logged it
	segment  record.Offset // the base of Path; -1: there is none before what is lost
	until    int64         // where in Path sound batches go on; 0: nowhere
}

// String is the line that the operator sees: what it is, where, and the mend.
func (d Damage) String() string {
	trim := "loghaul topic trim " + d.Log
	if dash := strings.LastIndexByte(d.Log, '-'); dash > 0 {
		trim = fmt.Sprintf("loghaul topic trim %s --partition %s --before %d --yes", d.Log[:dash], d.Log[dash+1:], d.To)
	}
	if kept := stateOf(d.Log); kept != "" {
		return fmt.Sprintf("%s is damaged or ends at position %d: %s: offsets %d to %d of %s are lost, and what the broker wrote down there is forgotten (%s); "+
			"stop the broker and put back a copy of the file: the next start takes it in again", d.Path, d.Position, d.Reason, d.From, d.To-1, d.Log, kept)
	}
	if d.Lost && d.segment < 0 {
		return fmt.Sprintf("%s is missing: %s: offsets %d to %d of %s are lost, readers begin at %d, and no new record gets them; stop the broker and put back copies of the files: "+
			"the next start takes their records in again; or give them up with %s", d.Path, d.Reason, d.From, d.To-1, d.Log, d.To, trim)
	}
	if d.Lost {
		return fmt.Sprintf("%s ends at position %d: %s: offsets %d to %d of %s are lost, and no new record gets them; stop the broker and put back a copy of the file: "+
			"the next start takes its records before offset %d in again; or give up what lies before that offset with %s",
			d.Path, d.Position, d.Reason, d.From, d.To-1, d.Log, d.To, trim)
	}
	return fmt.Sprintf("%s is damaged at position %d: %s: offsets %d to %d of %s cannot be trusted and are not served; stop the broker and put back a copy of the file, "+
		"or give up what lies before offset %d with %s", d.Path, d.Position, d.Reason, d.From, d.To-1, d.Log, d.To, trim)
}

// stateOf is what is lost with records of the broker's own logs, which nobody can trim;
// empty: it is none of them.
func stateOf(log string) string {
	switch {
	case strings.HasPrefix(log, "__consumer_offsets-"):
		return "what groups had committed: they read again from an earlier commit, or as a new group does"
	case strings.HasPrefix(log, "__transaction_state-"):
		return "transactions: one that was being committed may be taken back in some partitions"
	}
	return ""
}

// damages is what is known of them, ordered by their first offsets.
type damages struct {
	mu   sync.Mutex // held by who changes the list
	list atomic.Pointer[[]Damage]
}

// all are those that are known, not to be changed.
func (t *damages) all() []Damage {
	if list := t.list.Load(); list != nil {
		return *list
	}
	return nil
}

// change puts what f makes of the list in its place, and says whether it is another.
func (t *damages) change(f func([]Damage) []Damage) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.all()
	now := f(slices.Clone(was))
	slices.SortFunc(now, func(a, b Damage) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Position, b.Position))
	})
	now = slices.Compact(now)
	for n := len(now) - 1; n >= maxDamages; n-- {
		now[n-1].To = max(now[n-1].To, now[n].To)
		now = now[:n]
	}
	if slices.Equal(was, now) {
		return false
	}
	if t.list.Store(&now); len(now) == 0 {
		t.list.Store(nil)
	}
	return true
}

// Damages are the offsets that are known to be damaged or lost: those behind the log's
// start, and those that it begins behind because they are lost.
func (l *Log) Damages() []Damage {
	start := l.Start()
	return slices.DeleteFunc(slices.Clone(l.damages.all()), func(d Damage) bool { return d.past(start) })
}

// Hole says whether offsets behind the log's start are known to be damaged or lost.
func (l *Log) Hole() bool {
	start := l.Start()
	return slices.ContainsFunc(l.damages.all(), func(d Damage) bool { return d.To > start })
}

// damageOf makes one of segment s.
func (l *Log) damageOf(s *segment, pos int64, from, to record.Offset, reason string) Damage {
	return Damage{Log: l.name, Path: s.path(logSuffix), Position: pos, From: from, To: max(to, from+1), Reason: reason, segment: s.base}
}

// lostBehind is the offsets between the end of s, nil: there is no file before them, and
// the next segment.
func (l *Log) lostBehind(s *segment, from, to record.Offset, reason string) Damage {
	if s == nil {
		return Damage{Log: l.name, Path: filepath.Join(l.dir, segmentName(from, logSuffix)), From: from, To: to, Reason: reason, Lost: true, segment: -1}
	}
	d := l.damageOf(s, s.size, from, to, reason)
	d.Lost = true
	return d
}

// noteDamages has a change of what is known last beyond the next start.
func (l *Log) noteDamages(change func([]Damage) []Damage) {
	start := l.Start()
	first := l.firstBase()
	if !l.damages.change(func(list []Damage) []Damage {
		return slices.DeleteFunc(change(list), func(d Damage) bool { return d.past(start) && !d.stays(first) })
	}) {
		return
	}
	l.keeping.Lock() // the folder is not removed meanwhile
	defer l.keeping.Unlock()
	if l.Err() == ErrClosed {
		return
	}
	if err := l.writeDamages(); err != nil { // what a start does not know it finds again
		l.logger().Warn("writing down what is damaged", "log", l.name, "error", err)
	}
}

// past says that nobody reads those offsets any more: the log begins behind them. What is
// lost from its beginning may be put back as long as the log begins right behind it.
func (d Damage) past(start record.Offset) bool {
	return d.To < start || d.To == start && !d.Lost
}

// writeDamages writes the file, or removes it when there is nothing to say.
func (l *Log) writeDamages() error {
	path := filepath.Join(l.dir, damagedFile)
	list := l.damages.all()
	if len(list) == 0 {
		return l.fs.Remove(path)
	}
	b := []byte(damagedHead)
	for _, d := range list {
		kind := "damaged"
		if d.Lost {
			kind = "lost"
		}
		b = fmt.Appendf(b, "%s %d %d %d %d %d %s\n", kind, d.segment, d.Position, d.until, d.From, d.To, strings.ReplaceAll(d.Reason, "\n", " "))
	}
	return replace(l.fs, path, withCRC(b))
}

// loadDamages reads the file; one that cannot be read is as good as none, but for the
// word about it.
func (l *Log) loadDamages() {
	b, err := disk.ReadUpTo(l.fs, filepath.Join(l.dir, damagedFile), maxDamaged)
	var list []Damage
	if err == nil {
		list, err = l.parseDamages(b)
	}
	if err != nil {
		l.mu.cfg.Logger.Warn("what was known of damage cannot be read, it is looked for again", "log", l.name, "error", err)
		return
	}
	l.damages.change(func([]Damage) []Damage { return list })
}

func (l *Log) parseDamages(b []byte) ([]Damage, error) {
	i := bytes.LastIndex(b, []byte("crc "))
	if i < 0 || !bytes.Equal(withCRC(slices.Clip(b[:i])), b) || !bytes.HasPrefix(b, []byte(damagedHead)) {
		return nil, fmt.Errorf("reading %s: %w", filepath.Join(l.dir, damagedFile), errors.New("bad CRC or another version"))
	}
	var list []Damage
	for line := range strings.Lines(string(b[len(damagedHead):i])) {
		var d Damage
		var kind string
		words := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 7)
		if _, err := fmt.Sscan(strings.Join(words[:min(6, len(words))], " "), &kind, &d.segment, &d.Position, &d.until, &d.From, &d.To); err != nil {
			return nil, fmt.Errorf("reading %s: %q: %w", filepath.Join(l.dir, damagedFile), line, err)
		}
		if d.Log, d.Lost = l.name, kind == "lost"; len(words) > 6 {
			d.Reason = words[6]
		}
		d.Path = filepath.Join(l.dir, segmentName(max(d.segment, 0), logSuffix))
		if d.segment < 0 {
			d.Path = filepath.Join(l.dir, segmentName(d.From, logSuffix))
		}
		list = append(list, d)
	}
	return list, nil
}

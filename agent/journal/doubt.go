package journal

import (
	"maps"
	"slices"
	"time"

	"github.com/loghaul/loghaul/internal/line"
)

// Doubt says what a journal may be missing about a topic, and since when.
type Doubt struct {
	Why string
	// New says that this journal has not asked the topic yet, and that an earlier one
	// may have been lost: what was written to a file before Born may be stored.
	New  bool
	Born time.Time
	// Since is when the journal last began a batch; the zero time: it never did. What it
	// does not know was sent after that.
	Since time.Time
	// Behind says that batches may have been sent which the journal does not know: it lost
	// its end, or it was put back.
	Behind bool
	// Moved says that the journal was written elsewhere: another copy of it may have
	// gone on under the same producer id.
	Moved bool
}

// doubt is what became of the journal's own word: since something put it in doubt, the
// brokers are asked, topic by topic, and then it is trusted again.
type doubt struct {
	why     string // "": it never was
	moved   bool
	trusted map[string]bool // topics taken over since
	asked   map[string]bool // topics taken over ever
}

func newDoubt() doubt { return doubt{trusted: map[string]bool{}, asked: map[string]bool{}} }

// arise takes over that the journal's word is doubted from now on.
func (d *doubt) arise(why string, moved bool) {
	// A move stays one until every topic was asked about it.
	d.why, d.moved = why, moved || d.moved && !d.calm()
	clear(d.trusted)
}

// calm says whether nothing is doubted any more.
func (d *doubt) calm() bool {
	for topic := range d.asked {
		if !d.trusted[topic] {
			return false
		}
	}
	return true
}

// trust takes over that a topic was asked; now: since the last doubt.
func (d *doubt) trust(topic string, now bool) {
	d.asked[topic] = true
	if now {
		d.trusted[topic] = true
	}
}

func (d *doubt) append(b []byte) []byte { return putBool(putString(b, d.why), d.moved) }

func (s *state) readDoubt(p *parser) {
	why, moved := p.string(), p.bool()
	if !p.bad {
		s.doubt.arise(why, moved)
	}
}

// snapshot writes the frames that say the same.
func (d *doubt) snapshot(b []byte) []byte {
	if d.why != "" {
		b = appendFrame(b, kindDoubt, d.append)
	}
	for _, topic := range slices.Sorted(maps.Keys(d.asked)) {
		b = appendFrame(b, kindTrust, func(b []byte) []byte { return putBool(putString(b, topic), d.trusted[topic]) })
	}
	return b
}

// Doubted says what the journal may be missing about a topic; ok is false when it may
// be taken at its word.
func (j *Journal) Doubted(topic string) (d Doubt, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	d = Doubt{Why: j.mu.doubt.why, Moved: j.mu.doubt.moved, Since: j.mu.lastBegun(), Behind: j.mu.doubt.why != ""}
	if m := j.mu.meta; m.born > 0 && !j.mu.doubt.asked[topic] {
		if d.New, d.Born = true, time.UnixMilli(m.born); d.Why != "" {
			d.Born = j.cfg.Now() // it may have asked the topic, and sent to it, in a life that it does not know
		} else {
			d.Why = "the topic was never asked what it has of this host"
		}
		return d, true
	}
	if d.Why != "" && !j.mu.doubt.trusted[topic] {
		return d, true
	}
	return Doubt{}, false
}

// lastBegun is when the last batch was begun, wherever it went.
func (s *state) lastBegun() (last time.Time) {
	for _, st := range s.parts {
		if st.Begun.After(last) {
			last = st.Begun
		}
	}
	return last
}

// Trust writes down that all a topic has of this host has been taken over.
func (j *Journal) Trust(topic string) error {
	j.mu.Lock()
	frame := appendFrame(nil, kindTrust, func(b []byte) []byte { return putBool(putString(b, topic), true) })
	err := j.write(frame)
	if err == nil {
		j.mu.doubt.trust(topic, true)
	}
	j.mu.Unlock()
	if err != nil {
		return err
	}
	// What is sent from now on may be much younger than the journal, and a topic that
	// was never asked is asked for what is older.
	return j.Sync()
}

// Found writes down that the bytes from..to of a generation are stored, though no
// batch here says so: they were sent in a life that this journal does not remember.
// Reading goes on behind them where nothing before them is missing. tail is the hash of
// the length bytes just before to, where it is known; length 0: it is not.
func (j *Journal) Found(ref Ref, from, to line.Position, tail uint64, length int) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	g := j.mu.gens[ref]
	if g == nil || from < 0 || from >= to || to <= g.Position {
		return nil
	}
	frame := appendFrame(nil, kindFound, func(b []byte) []byte {
		b = putInt(putInt(putUint(b, uint64(ref)), int64(from)), int64(to))
		return putUint(putUint(b, tail), uint64(length))
	})
	if err := j.write(frame); err != nil {
		return err
	}
	j.mu.found(ref, span{from, to}, tail, length)
	return nil
}

// found takes over bytes that are stored. What was skipped before them on purpose is
// not read again either, so nothing is carried.
func (s *state) found(ref Ref, x span, tail uint64, length int) {
	g := s.gens[ref]
	if g == nil {
		return
	}
	before := g.Begun
	g.acknowledge(x)
	if g.Begun == before {
		return
	}
	if g.Carry, g.Tail, g.TailLength = 0, 0, 0; g.Begun == x.to {
		g.Tail, g.TailLength = tail, length
	}
}

// distrust writes down that the journal's word is doubted from now on.
func (j *Journal) distrust(why string, moved bool) {
	j.mu.why = why
	j.mu.doubt.arise(why, moved)
	j.fact(appendFrame(nil, kindDoubt, j.mu.doubt.append))
}

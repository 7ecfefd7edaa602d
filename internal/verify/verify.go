// Package verify holds what agents say of their files (internal/ledger) against the
// records in the topics: header pos of each record says which bytes of which generation
// it is, and what was left out on purpose before it, so a byte that neither a record nor
// the account explains is a gap, and one that two records hold is a double.
//
// The entries are read first, then the ends of the topics, then the records: every byte
// that an entry calls acknowledged is then below the end.
package verify

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"github.com/loghaul/loghaul/internal/ledger"
	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

// Topic gathers what one topic holds of files. It is for one goroutine.
type Topic struct {
	name    string
	keyed   map[place]*seen           // by key and generation
	keyless map[line.Generation]*seen // records without a key: anybody's
	cut     map[int32]bool            // partitions whose oldest records are gone
	id      string                    // as Kafka writes it; "": not known
	entries []ledger.Entry
	wanted  func(host, path string) bool
	strange int64 // records that carry no pos
	apart   int   // runs of bytes that are kept, over all generations
	most    int   // of them
}

// mostApart bounds the runs of bytes that are kept: 16 bytes each. Records of one file that
// follow each other are one run; a line that was left out on purpose begins another.
const mostApart = 16 << 20

// place is the key of a record and the generation it names.
type place struct {
	key        string
	generation line.Generation
}

// seen is what records say of one generation.
type seen struct {
	lines   spans           // bytes that became records
	skipped spans           // bytes that were left out before one
	doubled spans           // bytes that became a record more than once
	first   map[int32]int64 // by partition: the lowest byte that a record there is of
	records int64
}

// NewTopic begins to verify one topic, of which entries are the account. Only files that
// wanted says yes to are judged; nil: all.
func NewTopic(name string, entries []ledger.Entry, wanted func(host, path string) bool) *Topic {
	return &Topic{name: name, keyed: map[place]*seen{}, keyless: map[line.Generation]*seen{}, cut: map[int32]bool{}, entries: entries, wanted: wanted, most: mostApart}
}

// Full says that there was more than is kept in memory, so that there is no result.
func (t *Topic) Full() bool { return t.apart > t.most }

// Cut says that the oldest records of a partition are gone: what is missing before the
// first that is left has expired.
func (t *Topic) Cut(partition int32) { t.cut[partition] = true }

// ID says which topic of its name it is: what went to another one has expired with it.
func (t *Topic) ID(id string) { t.id = id }

// Gone says that the topic is not there any more: all of it has expired.
func (t *Topic) Gone() {
	for _, e := range t.entries {
		t.cut[max(0, e.Partition)] = true
	}
}

// Strange is how many records carry no pos: somebody else's, or a reader's that knows no
// positions. They are not judged.
func (t *Topic) Strange() int64 { return t.strange }

// Take takes up one record, of which nothing is kept.
func (t *Topic) Take(partition int32, r *record.Record) {
	for i := range r.Headers {
		if string(r.Headers[i].Key) != line.HeaderPos {
			continue
		}
		pos, err := line.ParsePos(r.Headers[i].Value)
		if err != nil {
			break
		}
		if s := t.at(r.Key, pos.Generation); s != nil && !t.Full() {
			before := len(s.lines) + len(s.skipped) + len(s.doubled)
			s.take(partition, pos)
			t.apart += len(s.lines) + len(s.skipped) + len(s.doubled) - before
		}
		return
	}
	t.strange++
}

// at is what was seen of a generation, nil where nobody asked for it.
func (t *Topic) at(key []byte, g line.Generation) *seen {
	if key == nil {
		if t.keyless[g] == nil {
			t.keyless[g] = &seen{first: map[int32]int64{}}
		}
		return t.keyless[g]
	}
	s, known := t.keyed[place{string(key), g}]
	if !known {
		host, path, _ := bytes.Cut(key, []byte{':'})
		if t.wanted == nil || t.wanted(string(host), string(path)) {
			s = &seen{first: map[int32]int64{}}
		}
		t.keyed[place{string(key), g}] = s
	}
	return s
}

func (s *seen) take(partition int32, pos line.Pos) {
	from := int64(pos.Start)
	had := spans(nil)
	s.lines, had = s.lines.add(span{from, int64(pos.End())})
	for _, x := range had {
		s.doubled, _ = s.doubled.add(x)
	}
	if pos.Skipped > 0 {
		s.skipped, _ = s.skipped.add(span{max(0, from-pos.Skipped), from})
	}
	if first, ok := s.first[partition]; !ok || from < first {
		s.first[partition] = from
	}
	s.records++
}

// File is what came out about one generation on its way to one topic.
type File struct {
	Host       string         `json:"host"`
	Path       string         `json:"path"`
	Generation string         `json:"generation"`
	Topic      string         `json:"topic"`
	Read       int64          `json:"read"`
	Acked      int64          `json:"acked"`
	Delivered  int64          `json:"delivered"` // bytes that records in the topic are of
	Skipped    int64          `json:"skipped"`   // bytes left out on purpose
	SkippedFor ledger.Skipped `json:"skipped_for"`
	Expired    int64          `json:"expired"` // bytes whose records may have gone with the topic's oldest
	Waiting    int64          `json:"waiting"` // not acknowledged yet
	Lost       []Range        `json:"lost"`
	Doubled    []Range        `json:"doubled"`
	Doubtful   int64          `json:"possible_doubles"` // records sent again without proof
	Unjudged   int64          `json:"unjudged"`         // bytes of Acked of which nothing can be said; Note says why
	Note       string         `json:"note,omitempty"`   // what could not be judged, and what looks odd and is not
}

// note adds a sentence to the notes.
func (f *File) note(sentence string) {
	if f.Note != "" {
		f.Note += "; "
	}
	f.Note += sentence
}

// Range is a run of a generation's bytes.
type Range struct {
	From    int64 `json:"from"`
	To      int64 `json:"to"`
	Known   bool  `json:"known,omitempty"`    // the agent itself says that it is lost
	AtLeast bool  `json:"at_least,omitempty"` // there may have been more behind it
}

// Whole says whether every byte is explained and none is there twice.
func (f *File) Whole() bool { return len(f.Lost)+len(f.Doubled) == 0 }

// Result is what came out about each generation, by host and path. Generations that are
// in the topic and in no entry are judged by themselves.
func (t *Topic) Result() []File {
	var out []File
	keyed, keyless, names := maps.Clone(t.keyed), maps.Clone(t.keyless), t.shared()
	for i := range t.entries {
		e := &t.entries[i]
		g := generation(e.Generation)
		key := place{string(line.AppendKey(nil, e.Host, e.Path)), g}
		s := t.keyed[key]
		delete(keyed, key)
		f := t.judge(e, together(s, t.keyless[g]))
		if t.keyless[g] != nil && names[g] > 1 {
			f.Lost, f.Doubled, f.Expired, f.Unjudged = []Range{}, []Range{}, 0, f.Acked
			f.note("several files have this generation's digits and their records no key: none of them is judged")
		}
		delete(keyless, g)
		out = append(out, f)
	}
	for key, s := range keyed {
		if s == nil {
			continue // not asked for
		}
		host, path, _ := bytes.Cut([]byte(key.key), []byte{':'})
		out = append(out, t.alone(string(host), string(path), key.generation, s))
	}
	for g, s := range keyless {
		out = append(out, t.alone("", "", g, s))
	}
	slices.SortFunc(out, func(a, b File) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Generation, b.Generation))
	})
	return out
}

// shared counts the entries by their generation.
func (t *Topic) shared() map[line.Generation]int {
	n := map[line.Generation]int{}
	for i := range t.entries {
		n[generation(t.entries[i].Generation)]++
	}
	return n
}

// generation reads the eight digits of an entry; what is none is nobody's.
func generation(digits string) line.Generation {
	pos, err := line.ParsePos([]byte(digits + ":0+0"))
	if err != nil {
		return 0
	}
	return pos.Generation
}

// together is what was seen of one generation with a key and, after an edit of its
// input, without.
func together(a, b *seen) *seen {
	if a == nil || b == nil {
		return cmp.Or(a, b, &seen{})
	}
	out := &seen{first: maps.Clone(a.first), records: a.records + b.records, skipped: slices.Clone(a.skipped), doubled: slices.Clone(a.doubled), lines: slices.Clone(a.lines)}
	for _, x := range b.lines {
		var had spans
		out.lines, had = out.lines.add(x)
		for _, y := range had {
			out.doubled, _ = out.doubled.add(y)
		}
	}
	for _, x := range b.skipped {
		out.skipped, _ = out.skipped.add(x)
	}
	for _, x := range b.doubled {
		out.doubled, _ = out.doubled.add(x)
	}
	for p, first := range b.first {
		if have, ok := out.first[p]; !ok || first < have {
			out.first[p] = first
		}
	}
	return out
}

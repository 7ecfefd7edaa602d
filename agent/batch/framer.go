package batch

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

// Framer is how the lines of one input become records. It never changes and is safe
// for concurrent use.
type Framer struct {
	Codec record.Codec
	Bytes int           // a batch is full with this much, before compression
	Age   time.Duration // a line waits no longer than this for others

	host    string
	keyed   bool
	labels  []byte // as record headers
	nLabels int
	include []*regexp.Regexp
	drop    []*regexp.Regexp
	redact  []redaction
	plain   bool // nothing is dropped and nothing is changed
}

type redaction struct {
	pattern *regexp.Regexp
	with    []byte
}

// NewFramer reads an input's settings. host is what the key begins with.
func NewFramer(host string, in etcdconf.Input) (*Framer, error) {
	f := &Framer{host: host, keyed: in.KeyBy != etcdconf.KeyNone, Bytes: int(in.Batch.Bytes), Age: in.Batch.Age.Std()}
	var err error
	if f.Codec, err = record.ParseCodec(in.Compression); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(in.Labels)) {
		f.labels = record.AppendHeader(f.labels, name, []byte(in.Labels[name]))
		f.nLabels++
	}
	if f.include, err = compile("include", in.Include); err != nil {
		return nil, err
	}
	if f.drop, err = compile("drop", in.Drop); err != nil {
		return nil, err
	}
	for _, r := range in.Redact {
		re, err := compile("redact", []string{r.Pattern})
		if err != nil {
			return nil, err
		}
		f.redact = append(f.redact, redaction{re[0], []byte(r.With)})
	}
	f.plain = len(f.include)+len(f.drop)+len(f.redact) == 0
	return f, nil
}

// ReadFramer reads the settings of an input from a value that the journal kept.
func ReadFramer(host string, kept []byte) (*Framer, error) {
	var in etcdconf.Input
	if err := json.Unmarshal(kept, &in); err != nil {
		return nil, fmt.Errorf("reading the kept value of an input: %w", err)
	}
	return NewFramer(host, in)
}

func compile(field string, patterns []string) ([]*regexp.Regexp, error) {
	var out []*regexp.Regexp
	for _, p := range patterns {
		re, err := regexp.Compile(p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", field, err)
		}
		out = append(out, re)
	}
	return out, nil
}

// keeps says whether a line is sent at all: drop wins over include.
func (f *Framer) keeps(value []byte) bool {
	return !matches(f.drop, value) && (len(f.include) == 0 || matches(f.include, value))
}

func matches(patterns []*regexp.Regexp, value []byte) bool {
	for _, re := range patterns {
		if re.Match(value) {
			return true
		}
	}
	return false
}

// redacted is the value as it may leave the host; it aliases value when nothing had
// to be changed.
func (f *Framer) redacted(value []byte) []byte {
	for _, r := range f.redact {
		if r.pattern.Match(value) {
			value = r.pattern.ReplaceAll(value, r.with)
		}
	}
	return value
}

// Source is one generation on its way through one Framer: what every record of it
// has in common, and where the next one begins. It is for one goroutine.
type Source struct {
	Ref   journal.Ref
	End   line.Position // of the last line taken
	Carry int64         // bytes skipped since the last record
	Sent  line.Position // of the last record's end: what lies between it and End is skipped

	Left  journal.Skips // left out on purpose in this life of the source
	Noted journal.Skips // of Left: counted by a range or a skip

	framer *Framer
	key    []byte
	gen    line.Generation
	head   []byte // labels and the beginning of header pos; room for its end
	fixed  int    // where the length of pos stands in head
	start  counter
	gap    bool // the next record begins a range of its own
}

// Source begins at position at of a generation, with carry bytes skipped just before
// it. path is the generation's first one.
func (f *Framer) Source(ref journal.Ref, gen line.Generation, path string, at line.Position, carry int64) *Source {
	s := &Source{Ref: ref, End: at, Sent: at, Carry: carry, framer: f, gen: gen, gap: true}
	if f.keyed {
		s.key = line.AppendKey(nil, f.host, path)
	}
	// A header is varint length, name, varint length, value; 3 is 6 as a varint.
	s.head = append(slices.Clone(f.labels), 6)
	s.head = append(s.head, line.HeaderPos...)
	s.fixed = len(s.head)
	s.head = append(s.head, 0)
	s.head = append(s.head, gen.String()...)
	s.head = slices.Grow(append(s.head, ':'), 64)
	return s
}

// Key is what the records carry as their key, nil for none.
func (s *Source) Key() []byte { return s.key }

// Keep is an input as the journal keeps it for ReadFramer.
func Keep(in etcdconf.Input) ([]byte, error) { return json.Marshal(in) }

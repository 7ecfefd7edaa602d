package batch

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

var journalAt = journal.Partition{Topic: "web_log", Number: 3}

func seal2(t testing.TB, b *Batch, dst []byte) []byte {
	sealed, err := b.Seal(dst, record.NoProducer, time.UnixMilli(1000))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestAnyBatchIsRebuiltFromItsRanges(t *testing.T) {
	f := framer(t, func(in *etcdconf.Input) {
		in.Drop, in.Redact = []string{"drop"}, []etcdconf.Redact{{Pattern: "secret", With: "***"}}
		in.Batch.Bytes = 3000
	})
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 2))
		var text strings.Builder
		for range 200 {
			text.WriteString([]string{"plain %d", "drop %d", "a secret %d", "%d\r", ""}[r.IntN(5)])
			text.WriteString("\n")
		}
		src := file(text.String())
		b, s, at := New(0), f.Source(1, gen, "/var/log/a.log", 0, 0), 0
		for at < len(src) {
			n := min(r.IntN(300)+1, len(src)-at)
			n = strings.LastIndexByte(string(src[:at+n]), '\n') + 1 - at
			if n <= 0 {
				n = strings.IndexByte(string(src[at:]), '\n') + 1
			}
			c := chunk(line.Position(at), string(src[at:at+n]))
			at += n
			if r.IntN(5) == 0 && at < len(src) { // the follower left out a line
				n := strings.IndexByte(string(src[at:]), '\n') + 1
				took := b.Add(s, c)
				c = Rest(c, took)
				if len(c.Data) == 0 {
					c = follow.Chunk{Generation: gen, Start: line.Position(at + n), Skipped: int64(n)}
					b.Add(s, c)
					at += n
				}
			}
			for len(c.Data) > 0 {
				took := b.Add(s, c)
				c = Rest(c, took)
				if len(c.Data) > 0 {
					checkRebuilt(t, f, b, src)
					b.Reset()
				}
			}
		}
		if !b.Empty() {
			checkRebuilt(t, f, b, src)
		}
	}
}

func checkRebuilt(t *testing.T, f *Framer, b *Batch, src file) {
	t.Helper()
	p := record.Producer{ID: 4, Epoch: 1, Sequence: 9}
	e := b.Entry(journalAt, journal.TopicID{}, p, 1)
	again, err := f.Rebuild(e, src.fetch)
	if err != nil {
		t.Fatalf("rebuilding %+v: %v", e, err)
	}
	got, want := shown(t, again), shown(t, seal(t, b))
	wantLines(t, got, want...)
	if h, _ := record.ParseHeader(again); h.BaseSequence != 9 || h.ProducerID != 4 {
		t.Errorf("rebuilt under %+v", h)
	}
}

func TestAChangedFileIsNeverTakenForTheSame(t *testing.T) {
	f := framer(t, nil)
	src := "one\ntwo\nthree\n"
	b, s := New(0), f.Source(1, gen, "/var/log/a.log", 0, 0)
	b.Add(s, chunk(0, src))
	e := b.Entry(journalAt, journal.TopicID{}, record.NoProducer, 1)
	for _, changed := range []string{"one\ntwo\nthrEe\n", "onetwo\n\nthree\n", "one\n"} {
		if _, err := f.Rebuild(e, file(changed).fetch); !errors.Is(err, ErrDiffers) {
			t.Errorf("rebuilt from %q: %v, want ErrDiffers", changed, err)
		}
	}
	fresh, sealed, lost, err := f.Reframe(e, file("one\ntwo\nthrEe\n").fetch)
	if err != nil || lost != 0 || fresh.Count != 3 {
		t.Fatalf("reframed: %+v, %d lost, %v", fresh, lost, err)
	}
	wantLines(t, shown(t, sealed)[2:], "web-1:/var/log/a.log|thrEe|pos=1f0c9a3e:8+6")
	if fresh, _, lost, err := f.Reframe(e, file("").fetch); fresh != nil || lost != 14 || err != nil {
		t.Errorf("reframed from nothing: %+v, %d lost, %v", fresh, lost, err)
	}
}

func TestAKeptInputFramesTheSame(t *testing.T) {
	in := etcdconf.Input{KeyBy: etcdconf.KeyNone, Compression: "zstd", Drop: []string{"x"}, Labels: map[string]string{"a": "b"},
		Batch: etcdconf.InputBatch{Bytes: 1000, Age: etcdconf.Duration(time.Second)}}
	kept, err := Keep(in)
	if err != nil {
		t.Fatal(err)
	}
	f, err := ReadFramer("web-1", kept)
	if err != nil {
		t.Fatal(err)
	}
	b, s := New(0), f.Source(1, gen, "/p", 0, 0)
	b.Add(s, chunk(0, "x\ny\n"))
	wantLines(t, shown(t, seal(t, b)), "|y|a=b|pos=1f0c9a3e:2+2-2")
	if f.Age != time.Second || f.Codec != record.Zstd {
		t.Errorf("framer %+v", f)
	}
}

func TestHalvesOfABatchRebuildThemselves(t *testing.T) {
	f := framer(t, func(in *etcdconf.Input) { in.Drop = []string{"drop"} })
	var text strings.Builder
	for i := range 31 {
		fmt.Fprintf(&text, "line %d\n", i)
		if i%3 == 0 {
			text.WriteString("drop\n")
		}
	}
	src := file(text.String())
	b, s := New(0), f.Source(1, gen, "/var/log/a.log", 0, 0)
	b.Add(s, chunk(0, string(src)))
	whole := shown(t, seal(t, b))
	halves, err := Split(b.Entry(journalAt, journal.TopicID{}, record.NoProducer, 1), seal(t, b))
	if err != nil || len(halves) != 2 {
		t.Fatalf("%d halves, %v", len(halves), err)
	}
	var got []string
	for _, h := range halves {
		got = append(got, shown(t, h.Sealed)...)
		again, err := f.Rebuild(h.Entry, src.fetch)
		if err != nil {
			t.Fatalf("rebuilding a half: %v", err)
		}
		if !bytes.Equal(body(again), body(h.Sealed)) {
			t.Error("a half rebuilt from the file has other bytes")
		}
	}
	wantLines(t, got, whole...)
	for e, sealed := halves[0].Entry, halves[0].Sealed; ; {
		smaller, err := Split(e, sealed)
		if errors.Is(err, ErrTooSmall) && e.Count == 1 {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		e, sealed = smaller[1].Entry, smaller[1].Sealed
		if _, err := f.Rebuild(e, src.fetch); err != nil {
			t.Fatalf("rebuilding a part of %d records: %v", e.Count, err)
		}
	}
}

// body is a batch without its header.
func body(sealed []byte) []byte { return sealed[record.HeaderSize:] }

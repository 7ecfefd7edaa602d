package batch

import (
	"bytes"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

func TestARecordIsTheLineWithKeyPosAndLabels(t *testing.T) {
	f := framer(t, func(in *etcdconf.Input) { in.Labels = map[string]string{"app": "nginx", "env": "prod"} })
	b, s := New(0), f.Source(1, gen, "/var/log/a.log", 4096, 0)
	data := "first\r\n\nthird\n"
	if n := b.Add(s, chunk(4096, data)); n != len(data) {
		t.Fatalf("took %d of %d bytes", n, len(data))
	}
	sealed := seal(t, b)
	wantLines(t, shown(t, sealed),
		"web-1:/var/log/a.log|first|app=nginx|env=prod|pos=1f0c9a3e:4096+7",
		"web-1:/var/log/a.log||app=nginx|env=prod|pos=1f0c9a3e:4103+1",
		"web-1:/var/log/a.log|third|app=nginx|env=prod|pos=1f0c9a3e:4104+6")
	h, _ := record.ParseHeader(sealed)
	if h.ProducerID != 4 || h.ProducerEpoch != 1 || h.BaseSequence != 7 || h.Codec() != record.Snappy || h.FirstTimestamp != 1000 || h.MaxTimestamp != 1000 {
		t.Errorf("header %+v", h)
	}
	if len(b.ranges) != 1 || b.ranges[0].Start != 4096 || b.ranges[0].End != 4110 || b.ranges[0].Count != 3 {
		t.Errorf("ranges %+v, want one from 4096 to 4110", b.ranges)
	}
	if tail, n := follow.Tail([]byte(data)); b.ranges[0].Tail != tail || b.ranges[0].TailLength != n {
		t.Error("the range does not know the bytes before its end")
	}
}

func TestAPosOfManyDigitsIsStillRight(t *testing.T) {
	f := framer(t, nil)
	const start, carry = line.Position(1 << 60), int64(1 << 61)
	b, s := New(0), f.Source(1, gen, "/p", start, carry)
	long := strings.Repeat("x", 999_999) + "\n"
	b.Add(s, chunk(start, long))
	want := line.Pos{Generation: gen, Start: start, Length: 1_000_000, Skipped: carry}
	if got := shown(t, seal(t, b))[0]; !strings.HasSuffix(got, "|pos="+want.String()) {
		t.Errorf("record ends in %q, want %s", got[len(got)-60:], want)
	}
}

func TestWithoutAKeyTheKeyIsNull(t *testing.T) {
	f := framer(t, func(in *etcdconf.Input) { in.KeyBy = etcdconf.KeyNone })
	b, s := New(0), f.Source(1, gen, "/p", 0, 0)
	b.Add(s, chunk(0, "a\n"))
	var r record.Reader
	if err := r.Read(seal(t, b), 1000, func(rec *record.Record) error {
		if rec.Key != nil {
			t.Errorf("key %q, want null", rec.Key)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsFilteredIsSkippedInTheNextPos(t *testing.T) {
	f := framer(t, func(in *etcdconf.Input) {
		in.Include, in.Drop = []string{"keep", "secret"}, []string{"DEBUG"}
		in.Redact = []etcdconf.Redact{{Pattern: `\d{4}`, With: "****"}}
	})
	b, s := New(0), f.Source(1, gen, "/p", 0, 0)
	b.Add(s, chunk(0, "noise\nkeep 1\nkeep DEBUG\nother\nsecret 1234\nnoise\n"))
	wantLines(t, shown(t, seal(t, b)),
		"web-1:/p|keep 1|pos=1f0c9a3e:6+7-6",
		"web-1:/p|secret ****|pos=1f0c9a3e:30+12-17")
	if s.Carry != 6 || s.End != 48 || s.Sent != 42 {
		t.Errorf("carry %d, end %d, sent %d: want 6 skipped bytes for the next record", s.Carry, s.End, s.Sent)
	}
	if len(b.ranges) != 1 || b.ranges[0].Carry != 6 || b.ranges[0].Start != 6 || b.ranges[0].End != 42 {
		t.Errorf("ranges %+v", b.ranges)
	}
	b.Reset()
	b.Add(s, chunk(48, "keep 2\n"))
	wantLines(t, shown(t, seal(t, b)), "web-1:/p|keep 2|pos=1f0c9a3e:48+7-6")
}

func TestPiecesOfALongLineAreFlagged(t *testing.T) {
	f := framer(t, nil)
	b, s := New(0), f.Source(1, gen, "/p", 0, 0)
	for i, data := range []string{"0123456789", "abcdefghij", "end\n"} {
		c := chunk(line.Position(i*10), data)
		c.Part, c.PartLast = i+1, i == 2
		b.Add(s, c)
	}
	b.Add(s, chunk(24, "next\n"))
	wantLines(t, shown(t, seal(t, b)),
		"web-1:/p|0123456789|pos=1f0c9a3e:0+10|part=1",
		"web-1:/p|abcdefghij|pos=1f0c9a3e:10+10|part=2",
		"web-1:/p|end|pos=1f0c9a3e:20+4|part=3/last",
		"web-1:/p|next|pos=1f0c9a3e:24+5")
}

func TestAFullBatchLeavesTheRestOfTheChunk(t *testing.T) {
	f := framer(t, func(in *etcdconf.Input) { in.Batch.Bytes = 400 })
	data := strings.Repeat("0123456789012345678\n", 40)
	b, s, c := New(0), f.Source(1, gen, "/p", 0, 0), chunk(0, data)
	var got []string
	for batches := 0; len(c.Data) > 0; batches++ {
		b.Reset()
		n := b.Add(s, c)
		if n == 0 || b.Len() > 400 || batches > 20 {
			t.Fatalf("batch %d took %d bytes and holds %d", batches, n, b.Len())
		}
		got = append(got, shown(t, seal(t, b))...)
		c = Rest(c, n)
	}
	if len(got) != 40 || !strings.HasSuffix(got[39], "pos=1f0c9a3e:780+20") {
		t.Errorf("%d records, the last %q", len(got), got[len(got)-1])
	}
}

func TestABatchIsFullWithWhatItsLaneMayHold(t *testing.T) {
	f := framer(t, nil)
	b := New(0)
	b.AtMost(300)
	c := chunk(0, strings.Repeat("a line of some length\n", 100))
	if n := b.Add(f.Source(1, gen, "/p", 0, 0), c); n == 0 || n == len(c.Data) || b.Len() > 300 {
		t.Errorf("%d of %d bytes were taken, %d are held, want at most 300", n, len(c.Data), b.Len())
	}
}

func TestALineLargerThanABatchTravelsAlone(t *testing.T) {
	f := framer(t, func(in *etcdconf.Input) { in.Batch.Bytes = 100 })
	b, s := New(0), f.Source(1, gen, "/p", 0, 0)
	data := strings.Repeat("x", 500) + "\nshort\n"
	if n := b.Add(s, chunk(0, data)); n != 501 || b.Count() != 1 {
		t.Errorf("took %d bytes in %d records, want the long line alone", n, b.Count())
	}
}

func TestAddAllocatesNothing(t *testing.T) {
	f := framer(t, nil)
	b, s := New(1<<20), f.Source(1, gen, "/var/log/nginx/access.log", 0, 0)
	data := bytes.Repeat([]byte(strings.Repeat("x", 169)+"\n"), 1000)
	c := follow.Chunk{Generation: gen, Data: data}
	if n := testing.AllocsPerRun(20, func() { b.Reset(); s.End, s.Sent = 0, 0; b.Add(s, c) }); n > 1 {
		t.Errorf("%v allocations for 1000 lines", n)
	}
}

func BenchmarkAddAndSeal(b *testing.B) {
	for _, codec := range []string{"none", "snappy"} {
		b.Run(codec, func(b *testing.B) {
			f := framer(b, func(in *etcdconf.Input) { in.Compression, in.Batch.Bytes = codec, 262144 })
			batch, s := New(300_000), f.Source(1, gen, "/var/log/nginx/access.log", 0, 0)
			line := `203.0.113.7 - - [21/Nov/2026:11:02:33 +0000] "GET /index.html?id=123456 HTTP/1.1" 200 5316 "https://example.org/start" "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101"` + "\n"
			data := []byte(strings.Repeat(line, 262144/(len(line)+60)))
			b.SetBytes(int64(len(data)))
			var sealed []byte
			for b.Loop() {
				batch.Reset()
				batch.Add(s, follow.Chunk{Generation: gen, Start: s.End, Data: data})
				batch.Entry(journalAt, [16]byte{}, record.NoProducer, 1)
				sealed = seal2(b, batch, sealed[:0])
			}
		})
	}
}

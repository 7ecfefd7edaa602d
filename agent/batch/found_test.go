package batch

import (
	"fmt"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

func TestAStoredBatchTellsWhichBytesItHolds(t *testing.T) {
	const other = line.Generation(7)
	for name, c := range map[string]struct {
		change func(*etcdconf.Input)
		path   string
	}{
		"with keys":    {nil, "/var/log/a.log"},
		"without keys": {func(in *etcdconf.Input) { in.KeyBy = etcdconf.KeyNone }, ""},
	} {
		f := framer(t, func(in *etcdconf.Input) {
			in.Drop = []string{"drop"}
			if c.change != nil {
				c.change(in)
			}
		})
		b, s, s2 := New(0), f.Source(1, gen, "/var/log/a.log", 100, 40), f.Source(2, other, "/var/log/b.log", 0, 0)
		b.Add(s, chunk(100, "one\ndrop\ntwo\r\n"))
		b.Add(s2, chunk(0, "three\n"))
		b.Add(s, chunk(114, "four\n"))
		runs, err := (&Finder{Host: "web-1"}).Find(seal(t, b))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range runs {
			got = append(got, fmt.Sprintf("%s %s %d-%d %d %q", r.Generation, r.Path, r.From, r.To, r.Records, r.Last))
		}
		a, bp := c.path, strings.Replace(c.path, "a.log", "b.log", 1)
		wantLines(t, got,
			fmt.Sprintf("1f0c9a3e %s 60-114 2 %q", a, "two\r\n"),
			fmt.Sprintf("00000007 %s 0-6 1 %q", bp, "three\n"),
			fmt.Sprintf("1f0c9a3e %s 114-119 1 %q", a, "four\n"))
		if runs, err = (&Finder{Host: "web-10"}).Find(seal(t, b)); err != nil || c.path != "" && len(runs) != 0 {
			t.Errorf("%s: of another host %+v, %v", name, runs, err)
		}
	}
}

func TestRecordsOfOthersTellNothing(t *testing.T) {
	b := record.NewBuilder(0)
	b.Append(0, []byte("web-1:/a"), []byte("no header"), 0, nil)
	b.Append(0, []byte("web-1:/a"), []byte("another header"), 1, record.AppendHeader(nil, line.HeaderPos, []byte("north")))
	b.Append(0, nil, nil, 1, record.AppendHeader(nil, "x", nil))
	sealed, err := b.Seal(nil, record.NoProducer, record.Zstd, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if runs, err := (&Finder{Host: "web-1"}).Find(sealed); err != nil || len(runs) != 0 {
		t.Errorf("%+v, %v", runs, err)
	}
}

func FuzzFindNeverPanics(f *testing.F) {
	b := record.NewBuilder(0)
	p := line.Pos{Generation: gen, Start: 5, Length: 4, Skipped: 2}
	b.Append(0, []byte("web-1:/a"), []byte("abc"), 1, record.AppendHeader(nil, line.HeaderPos, p.Append(nil)))
	sealed, err := b.Seal(nil, record.NoProducer, record.None, 0, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Fuzz(func(t *testing.T, sealed []byte) {
		runs, err := (&Finder{Host: "web-1"}).Find(sealed)
		if err != nil {
			return
		}
		for _, r := range runs {
			if r.Records < 1 {
				t.Errorf("a run of %d records", r.Records)
			}
		}
	})
}

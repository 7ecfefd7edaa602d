package batch

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

const gen = line.Generation(0x1f0c9a3e)

// framer makes one from an input's settings, with a limit of 1 MiB.
func framer(t testing.TB, change func(*etcdconf.Input)) *Framer {
	t.Helper()
	in := etcdconf.Input{KeyBy: etcdconf.KeyPath, Compression: "snappy", Batch: etcdconf.InputBatch{Bytes: 1 << 20, Age: etcdconf.Duration(5 * time.Millisecond)}}
	if change != nil {
		change(&in)
	}
	f, err := NewFramer("web-1", in)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func chunk(start line.Position, data string) follow.Chunk {
	return follow.Chunk{Generation: gen, Path: "/var/log/a.log", Start: start, Data: []byte(data)}
}

// shown is one record as a test reads it: key|value|name=value...
func shown(t testing.TB, sealed []byte) []string {
	t.Helper()
	if !record.CheckCRC(sealed) {
		t.Fatal("the batch's checksum is wrong")
	}
	var out []string
	var r record.Reader
	err := r.Read(sealed, 64<<20, func(rec *record.Record) error {
		s := fmt.Sprintf("%s|%s", rec.Key, rec.Value)
		for _, h := range rec.Headers {
			s += fmt.Sprintf("|%s=%s", h.Key, h.Value)
		}
		out = append(out, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func seal(t testing.TB, b *Batch) []byte {
	t.Helper()
	sealed, err := b.Seal(nil, record.Producer{ID: 4, Epoch: 1, Sequence: 7}, time.UnixMilli(1000))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func wantLines(t testing.TB, got []string, want ...string) {
	t.Helper()
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("records:\n%s\nwant:\n%s", g, w)
	}
}

// file is the source of a test: the bytes of one generation.
type file string

func (f file) fetch(r journal.Range) (Origin, error) {
	if int(r.End) > len(f) {
		return Origin{}, follow.ErrGone
	}
	return Origin{Generation: gen, Path: "/var/log/a.log", Data: []byte(f[r.Start:r.End])}, nil
}

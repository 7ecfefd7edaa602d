package commitlog

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/loghaul/loghaul/internal/record"
)

// behind is the offset behind the last batch of a span.
func behind(t testing.TB, s *Span) record.Offset {
	t.Helper()
	b, err := s.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	next := record.Offset(-1)
	for len(b) > 0 {
		h, err := record.ParseHeader(b)
		if err != nil {
			t.Fatal(err)
		}
		b, next = b[h.Size():], h.NextOffset()
	}
	return next
}

// A span says where the next one begins, whatever ended it: the bytes asked for, the segment, the first open transaction,
// or the log.
func TestASpanSaysWhereTheNextOneBegins(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "web_log-0"), Config{SegmentBytes: 2000, IndexInterval: 200})
	for i := range 60 {
		var values []string
		for j := range 1 + i%4 {
			values = append(values, fmt.Sprintf("line %d of batch %d", j, i))
		}
		if _, err := l.Append(plain(t, values...)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Append(txnBatch(t, 7, 0, "open")); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(plain(t, "behind it")); err != nil {
		t.Fatal(err)
	}
	m := l.Marks()
	if m.Start != 0 || m.High != l.HighWatermark() || m.Stable != l.LastStable() || m.Stable >= m.High || m.Err != nil {
		t.Fatalf("the marks are %+v", m)
	}
	for name, c := range map[string]struct {
		read func(record.Offset, int) (*Span, error)
		end  record.Offset
	}{"all": {l.Read, m.High}, "committed": {l.ReadCommitted, m.Stable}} {
		for from := record.Offset(0); from <= c.end; from++ {
			for _, most := range []int{0, 1, 150, 500, 1000, 1 << 20} {
				s, err := c.read(from, most)
				if err != nil {
					t.Fatal(err)
				}
				if s.Length == 0 && (from < c.end || s.Next != from) || s.Length > 0 && s.Next != behind(t, s) {
					t.Fatalf("%s, at most %d bytes from %d: %d bytes, next %d, want %d", name, most, from, s.Length, s.Next, behind(t, s))
				}
				s.Release()
			}
		}
	}
}

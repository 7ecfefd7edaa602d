package campaign

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// tally is what a topic holds of one site's lines.
type tally struct {
	s        *site
	seen     []uint8 // how often each line is there
	pieces   map[int]int64
	strange  []string // records that are no line of the site
	disorder int      // lines behind a later one
	highest  int
}

// add counts one record, which must be a line as it was written.
func (c *tally) add(value string) {
	f := strings.SplitN(value, "/", 5)
	if len(f) >= 2 && f[0] == c.s.style.name {
		if n, err := strconv.Atoi(f[1]); err == nil && len(f[1]) == 8 && n < c.s.n {
			want := text(f[0], n)
			if value == want {
				c.seen[n] = min(c.seen[n]+1, 200)
				if n < c.highest {
					c.disorder++
				}
				c.highest = max(c.highest, n)
				return
			}
			if c.s.style.gap && strings.HasPrefix(want, value) { // a copy may end within a line
				c.pieces[n] = int64(len(value))
				return
			}
		}
	}
	if len(c.strange) < 10 {
		c.strange = append(c.strange, value)
	}
}

func (c *tally) missing() (ns []int) {
	for n, times := range c.seen {
		if times == 0 {
			ns = append(ns, n)
		}
	}
	return ns
}

func (c *tally) double() (ns []int) {
	for n, times := range c.seen {
		if times > 1 || times == 1 && c.pieces[n] > 0 {
			ns = append(ns, n)
		}
	}
	return ns
}

// missingBytes is how long what is missing is.
func (c *tally) missingBytes() (all int64) {
	for _, n := range c.missing() {
		all += int64(len(text(c.s.style.name, n))) + 1 - c.pieces[n]
	}
	return all
}

// count reads all that lies in a site's topic, with a client that is not ours.
func count(t *testing.T, brokers string, s *site) *tally {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(brokers, ",")...), kgo.ConsumeTopics(s.style.name), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, s.style.name)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		t.Fatalf("asking where topic %s ends: %v", s.style.name, err)
	}
	want, got := 0, 0
	ends.Each(func(o kadm.ListedOffset) { want += int(o.Offset) })
	c := &tally{s: s, seen: make([]uint8, s.n), pieces: map[int]int64{}, highest: -1}
	for got < want {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("reading topic %s after %d of %d records: %v", s.style.name, got, want, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { got++; c.add(string(r.Value)) })
	}
	return c
}

// ranges writes sorted numbers as first-last pairs, the first few of them.
func ranges(ns []int) []string {
	var out []string
	for len(ns) > 0 {
		i := 1
		for i < len(ns) && ns[i] == ns[i-1]+1 {
			i++
		}
		if out, ns = append(out, fmt.Sprintf("%d-%d", ns[0], ns[i-1])), ns[i:]; len(out) == 12 && len(ns) > 0 {
			return append(out, fmt.Sprintf("and %d more", len(ns)))
		}
	}
	return out
}

// edges are a few of the lines to ask about.
func edges(lists ...[]int) (ns []int) {
	for _, l := range lists {
		if len(l) > 0 {
			ns = append(ns, l[0], l[len(l)-1])
		}
	}
	return slices.Compact(ns)
}

// contents calls f with what each file of a site holds at the end, archives unpacked.
func contents(s *site, f func(name string, b []byte)) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(s.dir, e.Name()))
		if err != nil {
			return err
		}
		switch filepath.Ext(e.Name()) {
		case ".gz":
			if r, bad := gzip.NewReader(bytes.NewReader(b)); bad == nil {
				b, err = io.ReadAll(r)
			}
		case ".zst":
			if r, bad := zstd.NewReader(bytes.NewReader(b)); bad == nil {
				b, err = io.ReadAll(r)
				r.Close()
			}
		}
		if err != nil {
			return fmt.Errorf("unpacking %s: %w", e.Name(), err)
		}
		f(e.Name(), b)
	}
	return nil
}

// span is a range of bytes of a source file.
type span struct{ from, to int64 }

// onDisk are those of the lines ns that lie in a file of the site, where none of counted
// is: an agent that misses one cannot say that nobody could see it. What was in doubt when the file was
// truncated and reaches beyond its copy is counted as lost as a whole.
func onDisk(s *site, ns []int, counted []span) (there []int, err error) {
	all := map[string]span{}
	err = contents(s, func(_ string, b []byte) {
		at := int64(0)
		for l := range bytes.Lines(b) {
			all[string(l)] = span{at, at + int64(len(l))}
			at += int64(len(l))
		}
	})
	for _, n := range ns {
		at, found := all[text(s.style.name, n)+"\n"]
		if found && !slices.ContainsFunc(counted, func(c span) bool { return c.from <= at.from && at.to <= c.to }) {
			there = append(there, n)
		}
	}
	return there, err
}

// where names the files of a site in which a line lies, for whoever looks into a failure.
func where(s *site, n int) string {
	var found []string
	err := contents(s, func(name string, b []byte) {
		if at := bytes.Index(b, []byte(text(s.style.name, n)+"\n")); at >= 0 {
			found = append(found, fmt.Sprintf("%s at byte %d of %d", name, at, len(b)))
		}
	})
	if err != nil {
		return err.Error()
	}
	if found == nil {
		return "no file"
	}
	return strings.Join(found, ", ")
}

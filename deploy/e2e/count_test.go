package e2e

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// tally counts lines by the writer that wrote them.
type tally struct {
	seen     map[string]map[int]int // writer, line, how often
	disorder int                    // lines that came before an earlier one, where that is not a double
	highest  map[string]int
	total    int
}

func newTally() *tally {
	return &tally{seen: map[string]map[int]int{}, highest: map[string]int{}}
}

// add counts one line, which must be whole and as it was written.
func (c *tally) add(t *testing.T, line string) {
	t.Helper()
	f := strings.SplitN(line, " ", 3)
	if len(f) != 3 {
		t.Errorf("a line that nobody wrote: %q", line)
		return
	}
	n, err := strconv.Atoi(f[1])
	if err != nil || line != text(f[0], n) {
		t.Errorf("a line that nobody wrote: %q", line)
		return
	}
	if c.seen[f[0]] == nil {
		c.seen[f[0]], c.highest[f[0]] = map[int]int{}, -1
	}
	if c.seen[f[0]][n]++; c.seen[f[0]][n] == 1 && n < c.highest[f[0]] {
		c.disorder++
	}
	c.highest[f[0]] = max(c.highest[f[0]], n)
	c.total++
}

// check wants each line of each writer once and in order.
func (c *tally) check(t *testing.T, place string, writers ...*writer) {
	t.Helper()
	for _, w := range writers {
		var missing, double []int
		for n := range w.written {
			switch got := c.seen[w.name()][n]; {
			case got == 0:
				missing = append(missing, n)
			case got > 1:
				double = append(double, n)
			}
		}
		t.Logf("%s: %s: %d lines written, %d missing, %d doubled", place, w.name(), w.written, len(missing), len(double))
		if len(missing) > 0 || len(double) > 0 {
			t.Errorf("%s: %s: missing %v, doubled %v", place, w.name(), ranges(missing), ranges(double))
		}
	}
	if c.disorder > 0 {
		t.Errorf("%s: %d lines came before an earlier one", place, c.disorder)
	}
}

// ranges writes sorted numbers as first-last pairs, the first few of them.
func ranges(ns []int) []string {
	var out []string
	for len(ns) > 0 && len(out) < 20 {
		i := 1
		for i < len(ns) && ns[i] == ns[i-1]+1 {
			i++
		}
		out, ns = append(out, strconv.Itoa(ns[0])+"-"+strconv.Itoa(ns[i-1])), ns[i:]
	}
	return out
}

// topic reads all that lies in a topic, with a client that is not ours.
func topic(t *testing.T, broker, name string) *tally {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics(name), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, name)
	if err != nil {
		t.Fatalf("asking where topic %s ends: %v", name, err)
	}
	want := 0
	ends.Each(func(o kadm.ListedOffset) { want += int(o.Offset) })
	c := newTally()
	for c.total < want {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("reading topic %s after %d of %d records: %v", name, c.total, want, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { c.add(t, string(r.Value)) })
	}
	return c
}

// files reads all that a file sink has written below dir, in the order of its names.
func files(t *testing.T, dir string) *tally {
	t.Helper()
	c := newTally()
	for _, path := range outputs(t, dir) {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			c.add(t, lines.Text())
		}
		f.Close()
	}
	return c
}

// outputs are the files below dir whose names do not begin with a dot.
func outputs(t *testing.T, dir string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasPrefix(d.Name(), ".") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	slices.Sort(paths)
	return paths
}

// delivered counts the line endings that a file sink has written below dir.
func delivered(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	for _, path := range outputs(t, dir) {
		b, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		n += strings.Count(string(b), "\n")
	}
	return n
}

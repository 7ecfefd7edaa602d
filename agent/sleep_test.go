package agent

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/loghaul/loghaul/etcdconf"
)

// bedroom is a host with more files than descriptors are kept for, all sent by an earlier
// life of the agent.
type bedroom struct {
	*house
	r    *running
	sent []string
}

func newBedroom(t *testing.T, patterns string, topics map[string]int32) *bedroom {
	t.Helper()
	b := &bedroom{house: newHouse(t, topics)}
	b.input("web", "web_log", patterns, "")
	for i := range idleFiles + 40 {
		b.add(bedName(i), 0, 10)
	}
	if err := b.once(); err != nil {
		t.Fatal(err)
	}
	b.r = b.start()
	b.until(func() bool { return len(b.asleep()) >= 30 }, func() string { return fmt.Sprintf("%d files are asleep", len(b.asleep())) })
	return b
}

// bedName has a first line long enough to know a copy of the file by.
func bedName(i int) string { return fmt.Sprintf("a-service-of-a-rather-long-name-%03d.log", i) }

func (b *bedroom) add(name string, from, n int) {
	b.lines(name, from, n)
	b.sent = append(b.sent, numbered(name, from, n)...)
}

// each calls f for every stream, in its lane's goroutine.
func (b *bedroom) each(f func(*lane, *stream)) {
	var lanes []*lane
	b.r.mu.Lock()
	for _, t := range b.r.mu.topics {
		lanes = slices.AppendSeq(lanes, maps.Values(t.lanes))
	}
	b.r.mu.Unlock()
	for _, l := range lanes {
		done := make(chan struct{})
		l.tell(func(context.Context) {
			defer close(done)
			for s := range l.streams {
				f(l, s)
			}
		})
		<-done
	}
}

// asleep are the names of the streams that are no more than a record, none before all
// were looked at.
func (b *bedroom) asleep() (names []string) {
	b.each(func(l *lane, s *stream) {
		if s.awake == nil && l.unseen.first == nil {
			names = append(names, filepath.Base(s.id.path))
		}
	})
	slices.Sort(names)
	return names
}

// all waits for what was written, each line once.
func (b *bedroom) all() {
	b.t.Helper()
	b.want("web_log", b.sent)
	b.contiguous("web_log")
}

func (b *bedroom) path(name string) string { return filepath.Join(b.logs, name) }

func TestAFileThatIsAsleepWakesUpWithTheNextLine(t *testing.T) {
	b := newBedroom(t, "*.log", map[string]int32{"web_log": 3})
	asleep := b.asleep()
	for i := range idleFiles + 40 {
		b.add(bedName(i), 10, 3)
	}
	b.all()
	b.until(func() bool {
		now := b.asleep()
		return !slices.ContainsFunc(asleep, func(name string) bool { return slices.Contains(now, name) })
	}, func() string { return "a file is asleep of which something was read a moment ago" })
	b.until(func() bool {
		st := b.r.Status().Totals
		return st.Streams == idleFiles+40 && st.LagBytes == 0
	}, func() string {
		st := b.r.Status().Totals
		return fmt.Sprintf("%d files are followed and %d bytes behind, want %d and none", st.Streams, st.LagBytes, idleFiles+40)
	})
}

func TestAStatusShowsFilesThatAreAsleep(t *testing.T) {
	b := newBedroom(t, "*.log", oneTopic)
	asleep := b.asleep()
	var odd []etcdconf.StreamStatus
	b.until(func() bool {
		shown := 0
		odd = nil
		for _, s := range b.r.Status().Streams {
			if !slices.Contains(asleep, filepath.Base(s.Path)) {
				continue
			}
			shown++
			if s.Size == 0 || s.Position != s.Size || s.Lag != 0 || s.Generation == "00000000" || s.Input != "web" {
				odd = append(odd, s)
			}
		}
		return shown == len(asleep) && len(odd) == 0
	}, func() string { return fmt.Sprintf("files that are asleep are not shown, or as %+v", odd) })
}

func TestWhatBecomesOfAFileThatIsAsleep(t *testing.T) {
	b := newBedroom(t, "*.log*", oneTopic) // wide: the old names are followed as well
	names := b.asleep()
	is := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	renamed, twice, copied, replaced, recreated, linked := names[0], names[1], names[2], names[3], names[4], names[5]
	b.add(renamed, 10, 2)
	b.rename(renamed, renamed+".1")
	b.add(renamed, 20, 2)
	for n := range 2 {
		b.rename(twice, fmt.Sprintf("%s.%d", twice, 2-n))
		b.add(twice, 30+10*n, 2)
	}
	b.add(copied, 10, 2)
	text, err := os.ReadFile(b.path(copied))
	is(err)
	is(os.WriteFile(filepath.Join(filepath.Dir(b.logs), "aside"), text, 0o644))
	is(os.Rename(filepath.Join(filepath.Dir(b.logs), "aside"), b.path("copy-of-"+copied+".done"))) // a name of its own: other lines
	b.sent = append(b.sent, numbered(copied, 0, 12)...)
	is(os.WriteFile(b.path(replaced)+".tmp-not-followed", nil, 0o644))
	b.lines(replaced+".new", 40, 5)
	is(os.Rename(b.path(replaced+".new"), b.path(replaced)))
	b.sent = append(b.sent, numbered(replaced+".new", 40, 5)...)
	is(os.Remove(b.path(recreated)))
	b.add(recreated, 50, 4)
	is(os.Link(b.path(linked), b.path(linked+".too")))
	b.add(linked, 60, 1)
	b.all()
}

func TestAFileThatIsTruncatedInItsSleepBeginsAnew(t *testing.T) {
	b := newBedroom(t, "*.log", oneTopic)
	name := b.asleep()[0]
	if err := os.Truncate(b.path(name), 0); err != nil {
		t.Fatal(err)
	}
	b.add(name, 100, 5)
	b.all()
}

func TestAnInputThatGoesAndComesBackFindsItsFilesWhereTheyWere(t *testing.T) {
	b := newBedroom(t, "*.log", map[string]int32{"web_log": 2})
	b.inputs.Delete("web")
	b.until(func() bool { return b.r.Status().Totals.Streams == 0 }, func() string { return "files are followed that nobody asks for" })
	name := bedName(7)
	b.add(name, 10, 5)
	b.input("web", "web_log", "*.log", `"max_line_bytes":5000`)
	b.all()
	b.input("web", "web_log", "*.log", `"max_line_bytes":6000`) // another reader, for those that are asleep as well
	b.until(func() bool { return len(b.asleep()) >= 30 }, func() string { return fmt.Sprintf("%d files are asleep", len(b.asleep())) })
	for i := range idleFiles + 40 {
		b.add(bedName(i), 20, 1)
	}
	b.all()
}

func TestAnAgentThatEndsLeavesSleepersAsTheyAre(t *testing.T) {
	b := newBedroom(t, "*.log", oneTopic)
	b.r.stop()
	b.add(bedName(3), 10, 2)
	b.r = b.start()
	b.all()
}

func TestAFileThatIsAsleepIsNotForgotten(t *testing.T) {
	b := newBedroom(t, "*.log", oneTopic)
	b.r.stop()
	var ahead atomic.Int64
	b.change = func(c *Config) { c.now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) } }
	b.r = b.start()
	b.until(func() bool { return len(b.asleep()) >= 30 }, func() string { return "no file is asleep" })
	ahead.Store(int64(8 * 24 * time.Hour))
	b.each(func(l *lane, s *stream) {
		if s.awake == nil {
			l.remember(s, time.Now().Add(8*24*time.Hour))
		}
	})
	asleep, today := b.asleep(), int32(time.Now().Add(7*24*time.Hour).Unix()/86400)
	for _, g := range b.r.journal.Generations("web_log") {
		if slices.Contains(asleep, filepath.Base(g.Path)) && g.Seen < today {
			t.Fatalf("%s was seen last on day %d, a week later it is day %d", g.Path, g.Seen, today)
		}
	}
}

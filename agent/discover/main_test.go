package discover

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// place is a folder for a test's files, with the paths relative to it.
type place struct {
	t   *testing.T
	dir string
}

func newPlace(t *testing.T) place {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	return place{t, dir}
}

func (p place) path(rel string) string { return filepath.Join(p.dir, rel) }

func (p place) write(rels ...string) {
	p.t.Helper()
	for _, rel := range rels {
		must(p.t, os.MkdirAll(filepath.Dir(p.path(rel)), 0o755))
		must(p.t, os.WriteFile(p.path(rel), []byte("a line\n"), 0o644))
	}
}

func (p place) link(to, rel string) {
	p.t.Helper()
	must(p.t, os.MkdirAll(filepath.Dir(p.path(rel)), 0o755))
	must(p.t, os.Symlink(p.path(to), p.path(rel)))
}

func (p place) patterns(rels ...string) []string {
	var all []string
	for _, rel := range rels {
		all = append(all, p.path(rel))
	}
	return all
}

// found gives the paths of a Set relative to the place.
func (p place) found(s Set) string {
	var rels []string
	for _, name := range slices.Sorted(maps.Keys(s.Files)) {
		rels = append(rels, strings.TrimPrefix(name, p.dir+"/"))
	}
	return strings.Join(rels, " ")
}

func (p place) want(s Set, rels ...string) {
	p.t.Helper()
	if got, want := p.found(s), strings.Join(rels, " "); got != want {
		p.t.Fatalf("found %q, want %q (refused: %v)", got, want, s.Refused)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func finder(t *testing.T, cfg Config) *Finder {
	t.Helper()
	f, err := New(cfg)
	must(t, err)
	return f
}

// running is a Finder under Run, with every Set and hint it gave.
type running struct {
	place
	sets  chan Set
	hints chan string
}

func (p place) run(cfg Config) running {
	p.t.Helper()
	r := running{place: p, sets: make(chan Set, 1000), hints: make(chan string, 10_000)}
	cfg.Hint = func(path string) {
		select {
		case r.hints <- path:
		default:
		}
	}
	f := finder(p.t, cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- f.Run(ctx, func(s Set) { r.sets <- s }) }()
	n := 1
	if cfg.Events != nil {
		n++
		go func() { done <- cfg.Events.Run(ctx) }()
		eventually(p.t, "events are heard", cfg.Events.Healthy)
	}
	p.t.Cleanup(func() {
		cancel()
		for range n {
			if err := <-done; err != nil {
				p.t.Error(err)
			}
		}
	})
	return r
}

// until waits for a Set with these files.
func (r running) until(rels ...string) Set {
	r.t.Helper()
	want := strings.Join(rels, " ")
	timeout := time.After(20 * time.Second)
	got := "nothing"
	for {
		select {
		case s := <-r.sets:
			if got = r.found(s); got == want {
				return s
			}
		case <-timeout:
			r.t.Fatalf("found %q at last, want %q", got, want)
		}
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

func refusal(t *testing.T, s Set, path string, words ...string) {
	t.Helper()
	err := s.Refused[path]
	if err == nil {
		t.Fatalf("%s is not refused; refused are %v", path, s.Refused)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the refusal of %s says %q, not %q", path, err, w)
		}
	}
}

func name(i int) string { return fmt.Sprintf("%05d.log", i) }

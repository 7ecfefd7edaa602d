package follow

import (
	"os"
	"testing"
	"time"
)

// lie lets a tailer's Stream come to rest, and answers what it saw.
func lie(tl *tailer) Seen {
	tl.t.Helper()
	tl.s.Release()
	seen, _, _, ok := tl.s.Rest()
	if !ok {
		tl.t.Fatal("a Stream does not rest that has nothing to do")
	}
	return seen
}

// rise goes on with another Stream.
func (tl *tailer) rise(cfg Config, seen Seen) {
	tl.t.Helper()
	cfg.Resume, cfg.Rested = tl.checkpoints(), seen
	tl.s = tl.clock.set(New(cfg))
}

func TestAStreamRestsOnlyWhenItHasNothingToDo(t *testing.T) {
	path := pathIn(t, "app.log")
	rests := func(tl *tailer, why string, want bool) {
		t.Helper()
		if _, _, _, ok := tl.s.Rest(); ok != want {
			t.Fatalf("%s: it rests: %t, want %t", why, ok, want)
		}
	}
	cfg := Config{Path: path, Owners: NewOwners(nil)}
	tl := tail(t, cfg)
	rests(tl, "nothing was looked at", false)
	tl.poll()
	rests(tl, "the path leads nowhere", false)
	appendTo(t, path, "1\n")
	tl.want(tl.poll(), "1\n")
	rests(tl, "the file is open", false)
	tl.s.Release()
	appendTo(t, path, "a fragm")
	tl.want(tl.poll(), "")
	tl.s.Release()
	rests(tl, "a fragment waits", false)
	appendTo(t, path, "ent\n")
	_, err := tl.s.Look()
	must(t, err)
	rests(tl, "there is something to read", false)
	tl.want(tl.poll(), "a fragment\n")
	tl.s.Release()
	must(t, os.Rename(path, path+".1"))
	tick(t, path)
	appendTo(t, path, "2\n")
	tl.want(tl.quiet(), "2\n")
	tl.s.Release()
	rests(tl, "the old file may still grow", false)
	tl.clock.forward(2 * time.Hour)
	tl.poll()
	tl.s.Release()
	rests(tl, "all is over but the file at the path", true)
}

func TestWhatASleeperSawTellsOfEveryChange(t *testing.T) {
	for what, change := range map[string]func(path string) error{
		"a line":        func(path string) error { appendTo(t, path, "2\n"); return nil },
		"a truncation":  func(path string) error { return os.Truncate(path, 0) },
		"a replacement": func(path string) error { appendTo(t, path+"x", "1\n"); return os.Rename(path+"x", path) },
		"other bytes": func(path string) error {
			tick(t, path)
			return os.WriteFile(path, []byte("2\n"), 0o644)
		},
	} {
		path := pathIn(t, "app.log")
		appendTo(t, path, "1\n")
		tl := tail(t, Config{Path: path})
		tl.poll()
		seen := lie(tl)
		if now, err := See(path); err != nil || now != seen || now.Size() != 2 {
			t.Errorf("nothing has changed, and %+v is seen, was %+v (%v)", now, seen, err)
		}
		must(t, change(path))
		if now, err := See(path); err != nil || now == seen {
			t.Errorf("%s is not seen (%v)", what, err)
		}
		must(t, os.Remove(path))
		if _, err := See(path); err == nil {
			t.Error("a file that is gone is seen")
		}
	}
}

func TestAFileAtRestIsNobodyElses(t *testing.T) {
	path := pathIn(t, "app.log")
	owners := NewOwners(nil)
	appendTo(t, path, "1\n")
	cfg := Config{Path: path, Owners: owners}
	a := tail(t, cfg)
	b := tail(t, Config{Path: path + ".1", Owners: owners}) // a wide pattern follows the old names too
	a.want(a.poll(), "1\n")
	seen := lie(a)
	appendTo(t, path, "2\n")
	must(t, os.Rename(path, path+".1"))
	b.want(b.quiet(), "")
	if !owners.home(path) {
		t.Error("a path at rest counts as nobody's")
	}
	a.rise(cfg, seen)
	a.want(a.quiet(), "2\n")
	appendTo(t, path, "3\n")
	a.want(a.quiet(), "3\n")
	b.want(b.quiet(), "")
	a.s.Close()
	appendTo(t, path+".1", "late\n")
	b.want(b.quiet(), "late\n") // from where the other left it
	if owners.home(path) {
		t.Error("a path stays taken that nobody follows any more")
	}
}

func TestAPathThatIsExpectedKeepsItsFile(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "1\n")
	a := tail(t, Config{Path: path})
	a.poll()
	a.s.Close()
	appendTo(t, path, "2\n")
	must(t, os.Rename(path, path+".1"))
	owners := NewOwners(a.checkpoints())
	owners.Expect(path)
	b := tail(t, Config{Path: path + ".1", Owners: owners})
	b.want(b.quiet(), "") // though the other's Stream is not made yet
	a.restart(Config{Path: path, Owners: owners})
	a.want(a.quiet(), "2\n")
	b.want(b.quiet(), "")
}

func TestOwnersDoNotGrowWithEachRest(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "1\n")
	owners := NewOwners(nil)
	cfg := Config{Path: path, Owners: owners}
	tl := tail(t, cfg)
	tl.poll()
	for range 500 {
		seen := lie(tl)
		tl.rise(cfg, seen)
		tl.poll()
	}
	if n := len(owners.mu.order) + len(owners.mu.known) + len(owners.mu.files) + len(owners.mu.homes); n > 80 {
		t.Errorf("%d things are remembered of one file", n)
	}
}

func TestAStreamWhosePathHasAnotherDoesNotRest(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "1\n")
	owners := NewOwners(nil)
	a := tail(t, Config{Path: path, Owners: owners})
	a.poll()
	a.s.Release()
	b := tail(t, Config{Path: path, Owners: owners}) // whatever made it: the file must not stay taken by nobody
	if _, _, _, ok := a.s.Rest(); ok {
		t.Fatal("it rests, and nobody gives its file back")
	}
	a.s.Close()
	b.want(b.poll(), "")
	appendTo(t, path, "2\n")
	b.want(b.poll(), "2\n")
}

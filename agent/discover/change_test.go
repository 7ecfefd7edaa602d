package discover

import (
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Every change must be found with events and by the sweep alone.
func eachWay(t *testing.T, story func(t *testing.T, p place, cfg Config)) {
	t.Run("events", func(t *testing.T) {
		story(t, newPlace(t), Config{Events: NewEvents(nil), Interval: time.Hour})
	})
	t.Run("sweep", func(t *testing.T) {
		story(t, newPlace(t), Config{Interval: 5 * time.Millisecond})
	})
}

func TestFilesAndFoldersThatAppearAndGo(t *testing.T) {
	eachWay(t, func(t *testing.T, p place, cfg Config) {
		p.write("log/a.log")
		cfg.Include = p.patterns("log/**/*.log")
		r := p.run(cfg)
		r.until("log/a.log")
		p.write("log/b.log")
		r.until("log/a.log", "log/b.log")
		p.write("log/new/folder/deep/c.log")
		r.until("log/a.log", "log/b.log", "log/new/folder/deep/c.log")
		p.write("log/new/folder/deep/d.log")
		r.until("log/a.log", "log/b.log", "log/new/folder/deep/c.log", "log/new/folder/deep/d.log")
		must(t, os.Rename(p.path("log/b.log"), p.path("log/b.log.1")))
		r.until("log/a.log", "log/new/folder/deep/c.log", "log/new/folder/deep/d.log")
		must(t, os.RemoveAll(p.path("log/new")))
		r.until("log/a.log")
		p.write("log/new/folder/deep/e.log")
		r.until("log/a.log", "log/new/folder/deep/e.log")
	})
}

func TestAFolderThatIsNotThereYet(t *testing.T) {
	eachWay(t, func(t *testing.T, p place, cfg Config) {
		cfg.Include = p.patterns("not/yet/here/*.log", "nor/this.log")
		r := p.run(cfg)
		set := r.until()
		if len(set.Refused) != 0 {
			t.Errorf("what is not there yet is refused: %v", set.Refused)
		}
		p.write("not/yet/here/a.log")
		r.until("not/yet/here/a.log")
		p.write("nor/this.log")
		r.until("nor/this.log", "not/yet/here/a.log")
		must(t, os.RemoveAll(p.path("not")))
		r.until("nor/this.log")
		p.write("not/yet/here/b.log")
		r.until("nor/this.log", "not/yet/here/b.log")
	})
}

func TestAFolderRenamedIntoPlace(t *testing.T) {
	eachWay(t, func(t *testing.T, p place, cfg Config) {
		p.write("staging/app/x.log", "log/app/old.log")
		cfg.Include = p.patterns("log/*/*.log")
		r := p.run(cfg)
		r.until("log/app/old.log")
		must(t, os.Rename(p.path("log/app"), p.path("log/gone")))
		r.until("log/gone/old.log")
		must(t, os.Rename(p.path("staging/app"), p.path("log/app")))
		r.until("log/app/x.log", "log/gone/old.log")
		p.write("log/app/y.log")
		r.until("log/app/x.log", "log/app/y.log", "log/gone/old.log")
	})
}

func TestALinkThatIsTurned(t *testing.T) {
	p := newPlace(t)
	p.write("1/app.log", "2/app.log")
	p.link("1/app.log", "log/current.log")
	r := p.run(Config{Include: p.patterns("log/*.log"), Interval: 5 * time.Millisecond})
	set := r.until("log/current.log")
	if got := set.Files[p.path("log/current.log")].Real; got != p.path("1/app.log") {
		t.Errorf("the link leads to %s", got)
	}
	p.link("2/app.log", "log/tmp")
	must(t, os.Rename(p.path("log/tmp"), p.path("log/current.log")))
	for set = r.until("log/current.log"); set.Files[p.path("log/current.log")].Real != p.path("2/app.log"); {
		set = r.until("log/current.log")
	}
}

func TestAWriteIsHintedAtOnce(t *testing.T) {
	p := newPlace(t)
	p.write("log/a.log", "log/other", "far/b.log")
	p.link("far/b.log", "log/b.log")
	r := p.run(Config{Include: p.patterns("log/*.log"), Events: NewEvents(nil), Interval: time.Hour})
	r.until("log/a.log", "log/b.log")
	for rel, path := range map[string]string{"log/a.log": "log/a.log", "log/b.log": "far/b.log"} {
		drain(r.hints)
		f, err := os.OpenFile(p.path(path), os.O_APPEND|os.O_WRONLY, 0)
		must(t, err)
		_, err = f.WriteString("another line\n")
		must(t, err)
		must(t, f.Close())
		select {
		case got := <-r.hints:
			if got != p.path(rel) {
				t.Errorf("hinted at %s, want %s", got, rel)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("a write to %s was not hinted at", rel)
		}
	}
}

func TestANameThatIsGoneIsToldAtOnceThoughNobodyFollowsIt(t *testing.T) {
	p := newPlace(t)
	p.write("log/a.log", "log/a.log.1", "log/b.log.1")
	gone := make(chan string, 16)
	cfg := Config{Include: p.patterns("log/*.log"), Events: NewEvents(nil), Interval: time.Hour, Removed: func(name string) { gone <- name }}
	r := p.run(cfg)
	r.until("log/a.log")
	must(t, os.Remove(p.path("log/a.log.1")))
	must(t, os.Rename(p.path("log/b.log.1"), p.path("log/b.log.2")))
	must(t, os.Remove(p.path("log/a.log")))
	for _, want := range []string{"log/a.log.1", "log/b.log.1", "log/a.log"} {
		select {
		case got := <-gone:
			if got != p.path(want) {
				t.Fatalf("told of %s, want %s", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("nobody told that %s is gone", want)
		}
	}
}

func TestMatchesIsAboutNamesThatNeedNotBeThere(t *testing.T) {
	p := newPlace(t)
	f := finder(t, Config{Include: p.patterns("log/**/*.log"), Exclude: []string{"secret*"}})
	for rel, want := range map[string]bool{"log/a.log": true, "log/x/y/a.log": true, "log/a.log.1": false, "other/a.log": false, "log/secret.log": false} {
		if got := f.Matches(p.path(rel)); got != want {
			t.Errorf("Matches(%s) is %t, want %t", rel, got, want)
		}
	}
}

func drain(c chan string) {
	for {
		select {
		case <-c:
		default:
			return
		}
	}
}

func TestLostEventsMeanASweep(t *testing.T) {
	p := newPlace(t)
	p.write("log/a.log")
	events := NewEvents(nil)
	r := p.run(Config{Include: p.patterns("log/*.log"), Events: events, Interval: time.Hour})
	r.until("log/a.log")
	events.mu.Lock()
	must(t, events.mu.watcher.Remove(p.path("log"))) // from now on nothing is heard
	events.mu.Unlock()
	p.write("log/b.log")
	events.tellAll()
	r.until("log/a.log", "log/b.log")
}

func TestFindersShareOneWatcher(t *testing.T) {
	p := newPlace(t)
	p.write("log/a.log", "log/b.txt")
	events := NewEvents(nil)
	r := p.run(Config{Include: p.patterns("log/*.log"), Events: events, Interval: time.Hour})
	other := finder(t, Config{Include: p.patterns("log/*.txt"), Events: events})
	p.want(other.Once(), "log/b.txt")
	events.forget(other) // the other Finder goes: the first must still hear
	r.until("log/a.log")
	p.write("log/c.log")
	r.until("log/a.log", "log/c.log")
}

func TestWithoutWatchesTheSweepIsEnough(t *testing.T) {
	p := newPlace(t)
	p.write("log/a.log")
	var told strings.Builder
	events := NewEvents(slog.New(slog.NewTextHandler(&told, nil)))
	events.fallBack(syscall.ENOSPC) // as when the system has no watches left
	events.fallBack(syscall.ENOSPC)
	if events.Healthy() || strings.Count(told.String(), "\n") != 1 || !strings.Contains(told.String(), "max_user_watches") {
		t.Errorf("Events are healthy: %t, and told %q", events.Healthy(), told.String())
	}
	r := p.run(Config{Include: p.patterns("log/*.log"), Interval: 5 * time.Millisecond})
	r.until("log/a.log")
	p.write("log/b.log")
	r.until("log/a.log", "log/b.log")
}

func TestAnUnchangedFolderIsNotListedAgain(t *testing.T) {
	p := newPlace(t)
	for i := range 100 {
		p.write("log/" + name(i))
	}
	old := time.Now().Add(-time.Hour)
	must(t, os.Chtimes(p.path("log"), old, old))
	f := finder(t, Config{Include: p.patterns("log/*.log")})
	if n := len(f.Once().Files); n != 100 {
		t.Fatalf("%d files", n)
	}
	listed := f.tree.folders[p.path("log")].listed
	if f.tree.sweep(t.Context()) {
		t.Error("a sweep over what has not changed says it has")
	}
	if d := f.tree.folders[p.path("log")]; d.listed != listed {
		t.Error("a folder that has not changed was listed again")
	}
	p.write("log/new.log")
	if !f.tree.sweep(t.Context()) {
		t.Error("a new file was not noticed")
	}
}

func TestAFilesystemThatDoesNotTellOfEveryChangeIsNotReliedOn(t *testing.T) {
	p := newPlace(t)
	p.write("log/a.log", "far/b.log")
	real := remote
	defer func() { remote = real }()
	remote = func(folder string) bool { return folder == p.path("far") }
	events := NewEvents(nil)
	f := finder(t, Config{Include: p.patterns("*/*.log"), Events: events})
	if events.Hears(p.path("log/a.log")) {
		t.Error("events are said to tell of a folder that is not watched")
	}
	p.want(f.Once(), "far/b.log", "log/a.log")
	for rel, want := range map[string]bool{"log/a.log": true, "far/b.log": false, "else/c.log": false} {
		if got := events.Hears(p.path(rel)); got != want {
			t.Errorf("that events tell of %s is %t, want %t", rel, got, want)
		}
	}
}

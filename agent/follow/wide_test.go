package follow

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/line"
)

// wide is a reader whose pattern (app.log*) matches the rotated files too: each path has a
// Stream of its own.
type wide struct {
	t      *testing.T
	path   string
	owners *Owners
	tails  map[string]*tailer
	order  []string
}

func newWide(t *testing.T, path string) *wide {
	return &wide{t: t, path: path, owners: NewOwners(nil), tails: map[string]*tailer{}}
}

// Of and At are what the journal knows of all paths.
func (w *wide) Of(id ID) (Checkpoint, bool) { return w.all().Of(id) }

func (w *wide) At(paths []string) []Checkpoint { return w.all().At(paths) }

func (w *wide) all() memory {
	var all memory
	for _, name := range w.order {
		tl := w.tails[name]
		all = append(append(all, tl.checkpoints()...), tl.ended...)
	}
	return all
}

// poll finds new files and polls every Stream, twice over a quiet time.
func (w *wide) poll() {
	w.t.Helper()
	for range 3 {
		names, err := filepath.Glob(w.path + "*")
		must(w.t, err)
		for _, name := range names {
			if w.tails[name] == nil {
				w.tails[name] = tail(w.t, Config{Path: name, Owners: w.owners, Known: w})
				w.order = append(w.order, name)
			}
		}
		slices.Sort(w.order)
		for _, name := range slices.Backward(w.order) { // the rotated first: they must wait by themselves
			w.tails[name].poll()
			w.tails[name].clock.forward(time.Second)
		}
	}
}

// restart ends all and begins anew with what was acknowledged.
func (w *wide) restart() {
	w.t.Helper()
	all := w.all()
	w.owners = NewOwners(all)
	for _, name := range w.order {
		w.tails[name].s.Close()
	}
	for _, name := range w.order {
		tl := w.tails[name]
		cfg := Config{Path: name, Owners: w.owners, Known: w, Resume: slices.Clone(all.At([]string{name}))}
		tl.s = tl.clock.set(New(cfg))
		tl.ends = make(map[ID]line.Position)
	}
}

// want says what must have been read in all, each line once.
func (w *wide) want(text string) {
	w.t.Helper()
	var got []string
	for _, name := range w.order {
		got = append(got, strings.SplitAfter(w.tails[name].text.String(), "\n")...)
	}
	want := strings.SplitAfter(text, "\n")
	trim := func(s string) bool { return s == "" }
	got, want = slices.DeleteFunc(got, trim), slices.DeleteFunc(want, trim)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.t.Fatalf("%d lines were read, want %d: %s", len(got), len(want), differ(strings.Join(got, ""), strings.Join(want, "")))
	}
}

func TestAWidePatternReadsACopyOnce(t *testing.T) {
	path := pathIn(t, "app.log")
	w := newWide(t, path)
	want := ""
	for i := range 5 {
		text := numbered(i*100, i*100+60)
		appendTo(t, path, text)
		w.poll()
		unread := numbered(i*100+60, i*100+80) // not read when the file is truncated: the copy has it
		appendTo(t, path, unread)
		want += text + unread
		tick(t, path)
		rotateCopies(t, path)
		w.poll()
		w.want(want)
		if i == 3 {
			w.restart()
			w.poll()
			w.want(want)
		}
	}
}

// rotateCopies moves the copies of path on by one and makes the next, as logrotate does.
func rotateCopies(t *testing.T, path string) {
	t.Helper()
	for i := 8; i > 0; i-- {
		if err := os.Rename(fmt.Sprint(path, ".", i), fmt.Sprint(path, ".", i+1)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	copyTruncate(t, path, 1)
}

func TestAWidePatternWaitsForACopyThatIsBeingWritten(t *testing.T) {
	path := pathIn(t, "app.log")
	w := newWide(t, path)
	text := numbered(0, 100)
	appendTo(t, path, text)
	w.poll()
	tick(t, path)
	for _, n := range []int{0, 100, 700} {
		must(t, os.WriteFile(path+".1", []byte(text[:n]), 0o644))
		w.tails[path].poll()
		if tl := w.tails[path+".1"]; tl != nil {
			tl.poll()
			w.want(text)
			continue
		}
		w.tails[path+".1"] = tail(t, Config{Path: path + ".1", Owners: w.owners, Known: w})
		w.order = append(w.order, path+".1")
	}
	must(t, os.WriteFile(path+".1", []byte(text), 0o644))
	must(t, os.Truncate(path, 0))
	appendTo(t, path, "after\n")
	w.poll()
	w.want(text + "after\n")
}

func TestAWidePatternReadsARotatedFileThatIsNoCopy(t *testing.T) {
	path := pathIn(t, "app.log")
	w := newWide(t, path)
	appendTo(t, path+".1", numbered(500, 600)) // from before
	appendTo(t, path, numbered(0, 100))
	w.poll()
	tick(t, path)
	appendTo(t, path+".2", numbered(600, 610)) // and one that somebody puts there
	appendTo(t, path+".3", numbered(0, 50)+numbered(900, 990))
	w.poll()
	w.want(numbered(0, 100) + numbered(500, 610) + numbered(0, 50) + numbered(900, 990))
}

func TestAWidePatternKnowsAFileThatIsRenamedAgainWhileDown(t *testing.T) {
	path := pathIn(t, "app.log")
	w := newWide(t, path)
	appendTo(t, path+".1", numbered(0, 50)) // it is first known under this name
	appendTo(t, path, numbered(50, 100))
	w.poll()
	for i := range 3 {
		appendTo(t, path+".1", fmt.Sprintf("late %d\n", i))
		for n := 8; n > 0; n-- {
			if err := os.Rename(fmt.Sprint(path, ".", n), fmt.Sprint(path, ".", n+1)); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
		must(t, os.Rename(path, path+".1"))
		tick(t, path)
		appendTo(t, path, fmt.Sprintf("new %d\n", i))
		w.restart()
		w.poll()
	}
	w.want(numbered(0, 100) + "late 0\nnew 0\nlate 1\nnew 1\nlate 2\nnew 2\n")
	for name, tl := range w.tails {
		for _, c := range tl.finals {
			t.Errorf("of %s an end is told, though every file is there: %+v", name, c)
		}
	}
}

func TestAWidePatternAsksTheStreamOfWhichNothingIsJournaledYet(t *testing.T) {
	path := pathIn(t, "app.log")
	w := newWide(t, path)
	appendTo(t, path, numbered(0, 100))
	w.poll()
	w.tails[path].acks = map[ID]Checkpoint{} // it is read, and nothing of it was begun
	tick(t, path)
	rotateCopies(t, path)
	w.poll()
	w.want(numbered(0, 100))
}

func TestAnEmptyFileWithTheNameOfAnArchiveIsNotReadAsText(t *testing.T) {
	path := pathIn(t, "app.log.1.gz")
	must(t, os.WriteFile(path, nil, 0o644))
	tl := tail(t, Config{Path: path})
	tl.want(tl.poll(), "")
	b := pack(t, ".gz", numbered(0, 100))
	must(t, os.WriteFile(path, b[:2], 0o644))
	tl.want(tl.quiet(), "")
	must(t, os.WriteFile(path, b, 0o644))
	tl.want(tl.quiet(), "")
}

// Debian's logrotate itself beside a pattern that matches what it makes.
func TestRealLogrotateBesideAWidePattern(t *testing.T) {
	bin := "/usr/sbin/logrotate"
	if _, err := os.Stat(bin); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("logrotate is not installed: apt-get install logrotate")
		}
		t.Skip("logrotate is not installed")
	}
	for _, mode := range []string{"create", "copytruncate", "create\ncompress", "create\ncompress\ndelaycompress", "copytruncate\ncompress", "copytruncate\ncompress\ndelaycompress"} {
		t.Run(strings.ReplaceAll(mode, "\n", "+"), func(t *testing.T) {
			t.Parallel()
			path := pathIn(t, "app.log")
			conf, state := filepath.Join(filepath.Dir(path), "conf"), filepath.Join(filepath.Dir(path), "state")
			must(t, os.WriteFile(conf, []byte(path+" {\nrotate 8\nmissingok\n"+mode+"\n}\n"), 0o600))
			w, want := newWide(t, path), ""
			for i := range 6 {
				read, unread := numbered(i*100, i*100+40), numbered(i*100+40, i*100+60)
				appendTo(t, path, read)
				w.poll()
				appendTo(t, path, unread)
				want += read + unread
				tick(t, path)
				if out, err := exec.Command(bin, "-f", "-s", state, conf).CombinedOutput(); err != nil {
					t.Fatalf("logrotate: %v\n%s", err, out)
				}
				if i >= 3 {
					w.restart()
				}
				tick(t, path)
				w.poll()
			}
			w.poll()
			w.want(want)
		})
	}
}

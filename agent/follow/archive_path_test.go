package follow

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/loghaul/loghaul/agent/archive"
	"github.com/loghaul/loghaul/internal/line"
)

// memory is what a journal knows of all paths.
type memory []Checkpoint

func (m memory) Of(id ID) (Checkpoint, bool) {
	for _, cp := range m {
		if cp.ID == id {
			return cp, true
		}
	}
	return Checkpoint{}, false
}

func (m memory) At(paths []string) (found []Checkpoint) {
	for _, cp := range m {
		if slices.Contains(paths, cp.Path) {
			found = append(found, cp)
		}
	}
	return found
}

func TestAnArchiveAtThePathIsReadOnceAndOnlyIfAsked(t *testing.T) {
	for _, ext := range []string{".gz", ".zst"} {
		path := pathIn(t, "app.log.1"+ext)
		must(t, os.WriteFile(path, pack(t, ext, numbered(0, 100)+"frag"), 0o644))
		alone := tail(t, Config{Path: path})
		alone.want(alone.quiet(), "")
		if !alone.s.Done() && alone.s.Open() != 0 {
			t.Errorf("%d descriptors are open of an archive that is left alone", alone.s.Open())
		}
		cfg := Config{Path: path, Archives: true}
		tl := tail(t, cfg)
		tl.want(tl.quiet()+tl.quiet(), numbered(0, 100)+"frag")
		if len(tl.finals) != 1 || !tl.finals[0].Gone || tl.s.Open() != 0 {
			t.Errorf("ends told: %+v, want one; %d open", tl.finals, tl.s.Open())
		}
		cfg.Known = memory(tl.ended)
		tl.restart(cfg)
		tl.want(tl.quiet(), "")
		must(t, os.Rename(path, path[:len(path)-len(ext)-1]+"2"+ext))
		cfg.Path = path[:len(path)-len(ext)-1] + "2" + ext
		renamed := tail(t, cfg)
		renamed.want(renamed.quiet(), "")
	}
}

func TestAnArchiveAtThePathOfWhatWasReadElsewhere(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 100))
	tl := tail(t, Config{Path: path})
	tl.poll()
	known := memory(tl.checkpoints())
	appendTo(t, path, numbered(100, 110))
	rotateAll(t, path)
	compress(t, path+".1", ".gz")
	later := tail(t, Config{Path: path + ".1.gz", Archives: true, Known: known})
	later.want(later.quiet(), numbered(100, 110))
	if len(later.gens) != 1 || later.gens[0] != tl.gens[0] {
		t.Errorf("generations %v, want the file's own %v", later.gens, tl.gens)
	}
	owners := NewOwners(known) // the file's own Stream is there: it reads the rest
	tl = tail(t, Config{Path: path, Owners: owners, Resume: known})
	twice := tail(t, Config{Path: path + ".1.gz", Archives: true, Known: known, Owners: owners})
	twice.want(twice.quiet(), "")
	tl.want(tl.quiet(), numbered(100, 110))
}

func TestReadRangeInAnArchive(t *testing.T) {
	for _, ext := range []string{".gz", ".zst"} {
		path := pathIn(t, "app.log")
		appendTo(t, path, numbered(0, 3000))
		tl := tail(t, Config{Path: path})
		tl.poll()
		cp := tl.checkpoints()[0]
		rotateAll(t, path)
		appendTo(t, path, numbered(9000, 9100))
		rotateAll(t, path)
		compress(t, path+".1", ext)
		compress(t, path+".2", ext)
		want := numbered(0, 3000)[100_000:150_000]
		cp.Position = line.Position(150_000)
		cp.Tail, cp.TailLength = Tail([]byte(want))
		got, err := ReadRange(path, cp, 100_000, 150_000, []byte("kept "))
		if err != nil || string(got) != "kept "+want {
			t.Errorf("ReadRange gave %d bytes, %v", len(got), err)
		}
		cp.Tail++
		if got, err = ReadRange(path, cp, 100_000, 150_000, nil); !errors.Is(err, ErrGone) || len(got) != 0 {
			t.Errorf("ReadRange of another file gave %d bytes, %v", len(got), err)
		}
	}
}

func TestArchivesTakeTurnsForTheMemory(t *testing.T) {
	dir := t.TempDir()
	slots := archive.NewSlots(1 << 20)
	var tails []*tailer
	for i := range 5 {
		path := filepath.Join(dir, fmt.Sprint("app-", i, ".log.gz"))
		must(t, os.WriteFile(path, pack(t, ".gz", numbered(i*5000, i*5000+5000)), 0o644))
		tl := tail(t, Config{Path: path, Archives: true, Unpacking: slots})
		tl.buf = make([]byte, 16<<10)
		tails = append(tails, tl)
	}
	waited := 0
	for done := 0; done < 5; {
		done = 0
		for _, tl := range tails {
			if len(tl.finals) > 0 {
				done++
				continue
			}
			tl.s.Look()
			switch c, err := tl.s.Next(tl.buf); err {
			case nil:
				tl.take(c)
			case ErrWait:
				waited++
			case ErrFar, ErrIdle:
			default:
				t.Fatal(err)
			}
		}
	}
	for i, tl := range tails {
		tl.want(tl.text.String(), numbered(i*5000, i*5000+5000))
	}
	if waited == 0 {
		t.Error("five archives were read at once with the memory for two")
	}
}

func TestNamesTellWhatIsOlder(t *testing.T) {
	for _, c := range []struct {
		a, b        string
		older, told bool
	}{
		{"app.log.2.gz", "app.log.1", true, true}, {"app.log.2.gz", "app.log.10.gz", false, true}, {"app.log-20260130.gz", "app.log-20260131", true, true},
		{"app-2026-01-31.log.gz", "app-2026-02-01.log.zst", true, true}, {"app.log.1.gz", "app.log-20260131.gz", false, false},
		{"app.log-20260131-1769860000.gz", "app.log-20260131-1769860001.gz", true, true}, {"app.log.old.gz", "app.log.1", false, false},
		{"app.log.gz", "app.log.1", false, false}, {"app.log-1769860000.gz", "app.log-1769860001", true, true},
	} {
		if older, told := olderName("app.log", c.a, c.b); told != c.told || told && older != c.older {
			t.Errorf("%s older than %s: %t, %t; want %t, %t", c.a, c.b, older, told, c.older, c.told)
		}
	}
	for name, want := range map[string]string{"app.log.1": "app.log", "app-2026-01-31.log": "app.log", "app.log-20260131": "app.log"} {
		found := bases("/x/" + name)
		if !slices.Contains(found, "/x/"+want) || !slices.Contains(found, "/x/"+name) {
			t.Errorf("%s may have been rotated away from %v, want %s among them", name, found, want)
		}
	}
}

// What lay beside the path from the first is not news, whenever it is compressed.
func TestWhatWasThereFromTheFirstIsNoNewsWhileItRuns(t *testing.T) {
	for _, kept := range []bool{true, false} {
		path := pathIn(t, "app.log")
		must(t, os.WriteFile(path+".before", []byte(numbered(0, 10)), 0o644))
		tick(t, path)
		appendTo(t, path, numbered(10, 20))
		tick(t, path)
		if kept { // the archive says when the file was written last
			must(t, os.Rename(path+".before", path+".1"))
		} else {
			must(t, os.WriteFile(path+".1.gz", pack(t, ".gz", numbered(0, 10)), 0o644))
			must(t, os.Remove(path+".before"))
			tick(t, path)
		}
		tl := tail(t, Config{Path: path})
		tl.want(tl.poll(), numbered(10, 20))
		tick(t, path)
		if kept {
			compress(t, path+".1", ".gz")
		}
		rotateAll(t, path)
		appendTo(t, path, numbered(20, 30))
		tl.want(tl.quiet(), numbered(20, 30))
	}
}

// A file that was read and let go of hours ago, and is compressed only then.
func TestALateArchiveOfWhatWasReadIsNoNews(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 10))
	tl := tail(t, Config{Path: path})
	tl.poll()
	rotateAll(t, path)
	appendTo(t, path, numbered(10, 20))
	tl.quiet()
	tl.clock.forward(2 * time.Hour)
	tl.want(tl.quiet(), "")
	if n := len(tl.s.Checkpoints()); n != 1 {
		t.Fatalf("%d files are watched, want that at the path alone", n)
	}
	must(t, os.WriteFile(path+".2.gz", pack(t, ".gz", numbered(0, 10)), 0o644)) // with a new time
	must(t, os.Remove(path+".1"))
	rotateAll(t, path)
	appendTo(t, path, numbered(20, 30))
	tl.want(tl.quiet(), numbered(20, 30))
}

// A file that is still waiting for its turn, read through its descriptor.
func TestTheArchiveOfAFileInTheQueueIsNotReadBesideIt(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 10))
	tl := tail(t, Config{Path: path})
	tl.poll()
	appendTo(t, path, numbered(10, 20))
	rotateAll(t, path)
	appendTo(t, path, numbered(20, 30))
	tl.s.Look()
	rotateAll(t, path)
	appendTo(t, path, numbered(30, 40))
	tl.s.Look()
	tick(t, path)
	must(t, os.WriteFile(path+".1.gz", pack(t, ".gz", numbered(20, 30)), 0o644)) // with a new time
	must(t, os.Remove(path+".1"))
	rotateAll(t, path)
	appendTo(t, path, numbered(40, 50))
	tl.want(tl.quiet(), numbered(10, 50))
}

// An archive beside the very file that it is being made from.
func TestAFileThatIsBeingCompressedIsReadOnce(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 10))
	cfg := Config{Path: path}
	tl := tail(t, cfg)
	tl.poll()
	for i := 1; i < 3; i++ {
		rotateAll(t, path)
		appendTo(t, path, numbered(i*10, i*10+10))
	}
	must(t, os.WriteFile(path+".1.gz", pack(t, ".gz", numbered(10, 20)), 0o644))
	tl.restart(cfg)
	tl.want(tl.quiet(), numbered(10, 30))
	must(t, os.Remove(path+".1"))
	tl.restart(cfg)
	rotateAll(t, path)
	appendTo(t, path, numbered(30, 40))
	tl.want(tl.quiet(), numbered(30, 40))
}

func TestRule10WhatCouldNotBeKeptIsReadFromTheArchive(t *testing.T) {
	for _, holds := range []bool{true, false} {
		path, sp := pathIn(t, "app.log"), newMemorySpool()
		appendTo(t, path, numbered(0, 40))
		cfg := Config{Path: path, Spool: sp}
		tl := tail(t, cfg)
		tl.poll()
		id := tl.gens[0]
		sp.needed[id] = tl.acks[id].Position
		appendTo(t, path, numbered(40, 100))
		sp.room = len(numbered(40, 50))
		rotateAll(t, path)
		tl.s.Look()
		if holds {
			compress(t, path+".1", ".gz")
		} else { // it begins alike, and goes on as another one
			must(t, os.WriteFile(path+".1.gz", pack(t, ".gz", numbered(0, 20)+numbered(500, 600)), 0o644))
			must(t, os.Remove(path+".1"))
		}
		tl.s.Look() // as much is kept as there is room for
		tl.die(cfg)
		if want := numbered(40, 100); holds {
			tl.want(tl.quiet(), want)
		} else {
			tl.want(tl.quiet(), numbered(0, 20)+numbered(500, 600)+numbered(40, 50))
		}
	}
}

package follow

import (
	"fmt"
	"os"
	"testing"
)

// rotateWide renames path's rotated files and archives on by one, as logrotate does.
func rotateWide(t *testing.T, path string) {
	t.Helper()
	for i := 9; i >= 0; i-- {
		for _, ext := range []string{"", ".gz"} {
			from := fmt.Sprint(path, ".", i, ext)
			if i == 0 && ext == "" {
				from = path
			}
			if err := os.Rename(from, fmt.Sprint(path, ".", i+1, ext)); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
	}
	tick(t, path)
}

// A rotated file was first seen under its rotated name, and lies in an archive of another
// number when its reader is back.
func TestAWidePatternFindsTheArchiveOfAFileFirstSeenRotated(t *testing.T) {
	for _, late := range []string{"", numbered(900, 930)} {
		for _, moves := range []int{0, 1, 3} {
			t.Run(fmt.Sprint(len(late), "late", moves, "moves"), func(t *testing.T) {
				path := pathIn(t, "app.log")
				w := newWide(t, path)
				appendTo(t, path, numbered(0, 50))
				w.poll()
				want := numbered(0, 50)
				for i := 1; i < 3; i++ { // nobody looks
					rotateWide(t, path)
					appendTo(t, path, numbered(i*100, i*100+50))
					want += numbered(i*100, i*100+50)
				}
				w.restart()
				w.poll()
				w.want(want)
				appendTo(t, path+".1", late)
				want += late
				compress(t, path+".2", ".gz")
				compress(t, path+".1", ".gz")
				for i := range moves {
					rotateWide(t, path)
					text := numbered(1000+i*100, 1050+i*100)
					appendTo(t, path, text)
					want += text
					compress(t, path+".1", ".gz")
				}
				w.restart()
				w.poll()
				w.want(want)
				w.restart()
				w.poll()
				w.want(want)
			})
		}
	}
}

// The reader is killed when it has found a rotated file and read nothing of it.
func TestAWidePatternFindsTheArchiveOfAFileFoundAndNotRead(t *testing.T) {
	for _, journaled := range []bool{true, false} {
		t.Run(fmt.Sprint("journaled", journaled), func(t *testing.T) {
			path := pathIn(t, "app.log")
			w := newWide(t, path)
			appendTo(t, path, numbered(0, 50))
			w.poll()
			rotateWide(t, path)
			appendTo(t, path, numbered(100, 150))
			rotateWide(t, path)
			appendTo(t, path, numbered(200, 250))
			w.restart()
			for _, name := range []string{path + ".2", path + ".1", path} {
				if w.tails[name] == nil {
					w.tails[name] = tail(t, Config{Path: name, Owners: w.owners, Known: w})
					w.order = append(w.order, name)
				}
				if tl := w.tails[name]; journaled {
					tl.s.cfg.Found = w.found
				}
				look(t, w.tails[name])
				if journaled {
					for _, cp := range w.tails[name].s.Beginnings() {
						w.tails[name].acks[cp.ID] = cp
					}
				}
			}
			compress(t, path+".2", ".gz")
			compress(t, path+".1", ".gz")
			rotateWide(t, path)
			compress(t, path+".1", ".gz")
			appendTo(t, path, numbered(300, 350))
			w.restart()
			w.poll()
			w.want(numbered(0, 50) + numbered(100, 150) + numbered(200, 250) + numbered(300, 350))
		})
	}
}

// found is what a journal is told of before anything younger.
func (w *wide) found(cps []Checkpoint) error {
	for _, cp := range cps {
		tl := w.tails[cp.Path]
		if _, known := tl.acks[cp.ID]; !known {
			tl.acks[cp.ID] = cp
		}
	}
	return nil
}

// A rotated file that was first seen under its rotated name is compressed and renamed while
// its own reader still holds it, or has it in the spool: its archive is not news to the
// reader of the path that it was rotated away from.
func TestAWidePatternKnowsTheArchiveOfAFileThatIsHeldUnread(t *testing.T) {
	for _, read := range []bool{false, true} {
		path := pathIn(t, "app.log")
		w := newWide(t, path)
		appendTo(t, path, numbered(0, 50))
		w.poll()
		appendTo(t, path+".1", numbered(100, 150))
		rotated := tail(t, Config{Path: path + ".1", Owners: w.owners, Known: w, Spool: newMemorySpool()})
		w.tails[path+".1"], w.order = rotated, append(w.order, path+".1")
		w.tails[path].poll() // it says that the file is no copy
		look(t, rotated)
		w.tails[path].poll()
		look(t, rotated)
		for _, cp := range rotated.s.Beginnings() {
			rotated.acks[cp.ID] = cp
		}
		if len(rotated.acks) != 1 {
			t.Fatalf("%d files are known under the rotated name, want 1", len(rotated.acks))
		}
		if read {
			rotated.poll()
		}
		rotateWide(t, path)
		compress(t, path+".2", ".gz")
		tick(t, path)
		appendTo(t, path, numbered(200, 250))
		w.tails[path].quiet() // it gathers first
		w.poll()
		w.want(numbered(0, 50) + numbered(100, 150) + numbered(200, 250))
	}
}

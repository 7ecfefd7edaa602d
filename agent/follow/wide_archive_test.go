package follow

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
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
			look(t, w.tails[name])
			if journaled {
				w.tails[name].journaled()
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
	}
}

var _ = strings.Repeat
var _ = time.Second

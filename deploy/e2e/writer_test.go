package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// writer is a program that logs to one file and rotates it by renaming, as
// logrotate's create mode and most logging libraries do. It knows nothing of us.
type writer struct {
	path    string
	rotate  int // lines a file; the older ones move to .1, .2 and so on
	written int
	file    *os.File
	inFile  int
	last    int // the highest number of a rotated file
}

// padding makes a line about as long as one of an access log.
var padding = strings.Repeat("0123456789abcdef", 8)

// text is line n as it is written, without its ending.
func text(name string, n int) string { return fmt.Sprintf("%s %08d %s", name, n, padding[:n%128]) }

// write logs n lines, each with its own write call.
func (w *writer) write(n int) error {
	for range n {
		if w.file == nil || w.inFile >= w.rotate {
			if err := w.turn(); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintln(w.file, text(w.name(), w.written)); err != nil {
			return err
		}
		w.written++
		w.inFile++
	}
	return nil
}

func (w *writer) name() string { return w.path[strings.LastIndexByte(w.path, '/')+1:] }

// turn moves the file and its elders one name up and opens a new one.
func (w *writer) turn() error {
	if w.file != nil {
		w.file.Close()
		for i := w.last; i > 0; i-- {
			if err := os.Rename(fmt.Sprintf("%s.%d", w.path, i), fmt.Sprintf("%s.%d", w.path, i+1)); err != nil {
				return err
			}
		}
		if err := os.Rename(w.path, w.path+".1"); err != nil {
			return err
		}
		w.last++
	}
	f, err := os.OpenFile(w.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	w.file, w.inFile = f, 0
	return err
}

// run writes a burst of lines every few milliseconds until ctx ends.
func (w *writer) run(ctx context.Context, t *testing.T) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			w.file.Close()
			return
		case <-tick.C:
			if err := w.write(25); err != nil {
				t.Errorf("writing %s: %v", w.path, err)
				return
			}
		}
	}
}

package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAFileThatIsNotWrittenForWeeksIsNotForgotten(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "a.log", "")
	h.lines("a.log", 0, 10)
	began, opened := time.Now().Add(-29*24*time.Hour), false
	h.change = func(c *Config) { c.now = func() time.Time { return began } }
	if err := h.once(); err != nil {
		t.Fatal(err)
	}
	var asked sync.Mutex
	h.change = func(c *Config) { // opened on that day, and 29 days pass at once
		c.now = func() time.Time {
			asked.Lock()
			defer asked.Unlock()
			if !opened {
				opened = true
				return began
			}
			return time.Now()
		}
	}
	r := h.start()
	<-r.Ready()
	h.until(func() bool {
		gens := r.journal.Generations("web_log")
		return len(gens) == 1 && gens[0].Seen >= int32(began.Unix()/86400)+29
	}, func() string { return "the journal is not told that the file is still there, and will forget it" })
	r.stop()
	h.want("web_log", numbered("a.log", 0, 10))
}

func TestFilesWithNothingNewHoldNoMoreDescriptorsThanAllowed(t *testing.T) {
	fds := "/proc/self/fd"
	if _, err := os.Stat(fds); err != nil {
		t.Skip("no /proc to count descriptors in")
	}
	const files, most = 60, 10
	h := newHouse(t, oneTopic)
	h.change = func(c *Config) { c.MaxOpen = most }
	h.input("web", "web_log", "*.log", "")
	for i := range files {
		h.lines(fmt.Sprintf("%d.log", i), 0, 2)
	}
	if err := h.once(); err != nil {
		t.Fatal(err)
	}
	r := h.start()
	h.until(func() bool {
		looked := 0
		for _, s := range r.Status().Streams {
			if s.Size > 0 {
				looked++
			}
		}
		return looked == files
	}, func() string { return "not every file is followed" })
	open := 0
	list, err := os.ReadDir(fds)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range list {
		if to, err := os.Readlink(filepath.Join(fds, fd.Name())); err == nil && strings.HasPrefix(to, h.logs+"/") {
			open++
		}
	}
	if open > most {
		t.Errorf("%d descriptors of followed files are open, at most %d are allowed", open, most)
	}
}

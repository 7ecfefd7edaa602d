package follow

import (
	"os"
	"testing"
)

// TestAnArchiveOfWhatIsHeldUnreadIsNotNews compresses a file of which nothing was read yet: its
// bytes are read through the descriptor, or from the spool after a kill, and not once more.
func TestAnArchiveOfWhatIsHeldUnreadIsNotNews(t *testing.T) {
	for _, killed := range []bool{false, true} {
		path := pathIn(t, "app.log")
		appendTo(t, path, numbered(0, 30))
		cfg := Config{Path: path, Spool: newMemorySpool()}
		tl := tail(t, cfg)
		tl.poll()
		rotateAll(t, path)
		appendTo(t, path, numbered(30, 60))
		look(t, tl) // it waits behind the first
		rotateAll(t, path)
		compress(t, path+".1", ".gz")
		if killed {
			look(t, tl)
			tl.journaled()
			tl.die(cfg)
		}
		appendTo(t, path, numbered(60, 90))
		tl.quiet()
		tl.want(tl.text.String(), numbered(0, 90))
	}
}

// TestAnArchiveThatIsNewsIsRememberedBeforeYoungerFiles kills the reader after it has found
// archives of files that it never saw, and before it has read any of them.
func TestAnArchiveThatIsNewsIsRememberedBeforeYoungerFiles(t *testing.T) {
	for _, again := range []bool{false, true} {
		path := pathIn(t, "app.log")
		appendTo(t, path, numbered(0, 30))
		cfg := Config{Path: path}
		tl := tail(t, cfg)
		tl.poll()
		appendTo(t, path, numbered(30, 40)) // of the archive of which something is known
		for i := 4; i < 7; i++ {
			rotateAll(t, path)
			compress(t, path+".1", ".gz")
			appendTo(t, path, numbered(i*10, i*10+10))
		}
		tl.restart(cfg)
		look(t, tl)
		tl.journaled()
		if again {
			tl.restart(cfg)
			look(t, tl)
			tl.journaled()
		}
		tl.restart(cfg)
		tl.quiet()
		tl.want(tl.text.String(), numbered(0, 70))
		tl.restart(cfg)
		tl.want(tl.quiet(), "")
	}
}

func look(t *testing.T, tl *tailer) {
	t.Helper()
	_, err := tl.s.Look()
	must(t, err)
}

// journaled takes note of the files that the Stream holds, as a journal does before their
// first line.
func (tl *tailer) journaled() {
	for _, cp := range tl.s.Checkpoints() {
		if _, known := tl.acks[cp.ID]; !known {
			tl.acks[cp.ID] = cp
		}
	}
}

// TestWhatWasRotatedUnseenIsToldOfBeforeAYoungerFileIsKept lets a younger file lose its name
// while older ones that nobody saw wait: whoever keeps it must know of those first.
func TestWhatWasRotatedUnseenIsToldOfBeforeAYoungerFileIsKept(t *testing.T) {
	for _, packed := range []bool{false, true} {
		path := pathIn(t, "app.log")
		appendTo(t, path, numbered(0, 30))
		spool := &tellingSpool{memorySpool: newMemorySpool()}
		cfg := Config{Path: path, Spool: spool}
		tl := tail(t, cfg)
		spool.tl = tl
		cfg.Found = spool.found
		tl.poll()
		for i := 3; i < 6; i++ {
			rotateAll(t, path)
			if packed {
				compress(t, path+".1", ".gz")
			}
			appendTo(t, path, numbered(i*10, i*10+10))
		}
		tl.restart(cfg)
		look(t, tl)
		rotateAll(t, path)
		must(t, os.Remove(path+".1"))
		look(t, tl)
		tl.die(cfg)
		tl.quiet()
		tl.want(tl.text.String(), numbered(0, 60))
	}
}

// tellingSpool journals what it keeps, and what was found.
type tellingSpool struct {
	*memorySpool
	tl *tailer
}

func (s *tellingSpool) found(cps []Checkpoint) error {
	for _, cp := range cps {
		if _, known := s.tl.acks[cp.ID]; !known {
			s.tl.acks[cp.ID] = cp
		}
	}
	return nil
}

func (s *tellingSpool) Keep(cp Checkpoint, g Kept, data []byte) (int, error) {
	_ = s.found([]Checkpoint{cp})
	return s.memorySpool.Keep(cp, g, data)
}

// TestAFileThatWasFoundAndNotReadIsKnownAgainInItsArchive kills the reader when it has found
// rotated files and read none of them; they are compressed while nobody looks.
func TestAFileThatWasFoundAndNotReadIsKnownAgainInItsArchive(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 30))
	cfg := Config{Path: path}
	tl := tail(t, cfg)
	spool := &tellingSpool{tl: tl}
	cfg.Found = spool.found
	tl.poll()
	for i := 3; i < 6; i++ {
		rotateAll(t, path)
		appendTo(t, path, numbered(i*10, i*10+10))
	}
	tl.restart(cfg)
	look(t, tl)
	for _, n := range []string{".3", ".2", ".1"} {
		compress(t, path+n, ".gz")
	}
	tl.restart(cfg)
	tl.quiet()
	tl.want(tl.text.String(), numbered(0, 60))
	tl.restart(cfg)
	tl.want(tl.quiet(), "")
}

// TestAFileThatWasEmptyWhenOlderOnesWereFoundIsKnownAgain kills the reader when it has found
// rotated files and the one at the path was still empty, which then grows and is compressed.
func TestAFileThatWasEmptyWhenOlderOnesWereFoundIsKnownAgain(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 30))
	cfg := Config{Path: path}
	tl := tail(t, cfg)
	spool := &tellingSpool{tl: tl}
	cfg.Found = spool.found
	tl.poll()
	rotateAll(t, path)
	appendTo(t, path, numbered(30, 40))
	rotateAll(t, path)
	appendTo(t, path, "")
	tl.restart(cfg)
	look(t, tl)
	appendTo(t, path, numbered(40, 50))
	rotateAll(t, path)
	compress(t, path+".1", ".gz")
	appendTo(t, path, numbered(50, 60))
	tl.restart(cfg)
	tl.quiet()
	tl.want(tl.text.String(), numbered(0, 60))
}

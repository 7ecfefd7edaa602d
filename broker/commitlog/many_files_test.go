package commitlog

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/loghaul/loghaul/internal/disk/crashdisk"
)

// That too many files are open says nothing of the one that was to be opened: taken for damage, a log would be checked
// and settled without what is known of it.
func TestTooManyOpenFilesAreNoDamage(t *testing.T) {
	dir := logDir(t)
	l := openWith(t, dir, Config{}, nil)
	for range 3 {
		appendTo(t, l, plain(t, "a"))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	before := string(readFile(t, filepath.Join(dir, checkpointFile)))
	for _, file := range []string{checkpointFile, producersFile} {
		fsys := crashdisk.New()
		fsys.SetFault(func(op, path string, n int) (int, error) {
			if op == "open" && filepath.Base(path) == file {
				return n, syscall.EMFILE
			}
			return n, nil
		})
		var lines bytes.Buffer
		_, err := Open(dir, Config{Disk: fsys, Logger: slog.New(slog.NewTextHandler(&lines, nil))}, nil)
		if !errors.Is(err, syscall.EMFILE) || !strings.Contains(err.Error(), filepath.Join(dir, file)) || !strings.Contains(err.Error(), "ulimit -n") || lines.Len() > 0 {
			t.Errorf("%s: %v, want the file and the mend, and it said\n%s", file, err, &lines)
		}
		if now := string(readFile(t, filepath.Join(dir, checkpointFile))); now != before {
			t.Errorf("the recovery point was\n%snow\n%s", before, now)
		}
	}
}

// A check after a crash opens three files of a log; thousands of logs must not hold them all.
func TestALogHoldsNoFilesUntilItIsUsed(t *testing.T) {
	dir := logDir(t)
	l := openWith(t, dir, Config{IndexInterval: 1}, NewSyncer(SyncerConfig{}))
	appendTo(t, l, plain(t, "a"))
	for range 2 {
		l.rollNow(t)
		appendTo(t, l, plain(t, "a"))
	}
	l.Abandon() // before any of it was synced
	l = openWith(t, dir, Config{IndexInterval: 1}, NewSyncer(SyncerConfig{}))
	for _, s := range l.mu.segments {
		if s.log.h != nil || s.index.mu.f != nil || s.times.mu.f != nil || s.aborted.mu.f != nil {
			t.Errorf("files of %s are open", s.name())
		}
	}
	if appendTo(t, l, plain(t, "b")); l.End() != 4 {
		t.Errorf("the log ends at %d, want 4", l.End())
	}
}

func TestTheLookForMissingFilesLeavesNoneOpen(t *testing.T) {
	s := newLossStory(t, true)
	l := s.start()
	for _, seg := range l.mu.segments {
		if seg.isOpen() || seg.index.mu.f != nil {
			t.Errorf("%s is open", seg.name())
		}
	}
}

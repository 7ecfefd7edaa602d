package diskroom

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/loghaul/loghaul/internal/disk"
)

// slowFolders is a disk whose folders are read when somebody lets it.
type slowFolders struct {
	disk.FS
	going chan struct{}
}

func (s slowFolders) ReadDir(name string) ([]fs.DirEntry, error) {
	<-s.going
	return s.FS.ReadDir(name)
}

// Writers who wait for room to be made do not wait for the small files to be counted too.
func TestNobodyWaitsForTheCountOfSmallFiles(t *testing.T) {
	dir := t.TempDir()
	lay(t, dir, map[string]int{"meta.properties": 100, "a-0/commitlog-checkpoint": 1000, "a-0/00000000000000000000.log": 50_000, "a-0/00000000000000000000.index": 500})
	synctest.Test(t, func(t *testing.T) {
		slow := slowFolders{realDisk, make(chan struct{})}
		w := newWorld(t, Config{Dir: dir, Budget: budget, Disk: slow})
		l := w.add("a", 0, false)
		w.commit("readers", "a", 0, 1<<40)
		defer w.run()()
		for range 2 * budget / batch { // all is read: what is in the way is deleted
			if err := w.produce("a", l, 1, batch); err != nil {
				t.Fatalf("refused while the folders are read: %v", err)
			}
		}
		beside := func() int64 { return w.room.Used() - l.bytes() }
		time.Sleep(lookEvery)
		if got := beside(); got != 0 {
			t.Errorf("the small files count as %d bytes before they were looked at", got)
		}
		close(slow.going)
		time.Sleep(lookEvery)
		if got := beside(); got != 1100 {
			t.Errorf("the small files count as %d bytes, want 1100", got)
		}
		lay(t, dir, map[string]int{"more.json": 50})
		time.Sleep(24 * time.Hour)
		if got := beside(); got != 1150 {
			t.Errorf("later the small files count as %d bytes, want 1150", got)
		}
	})
}

// A reserve for the next start that could not be kept at first is kept when it can, though the large one is there.
func TestTheRoomForTheNextStartIsTriedAgain(t *testing.T) {
	dir := t.TempDir()
	lay(t, dir, map[string]int{ballastName: 8192, startName + "/in the way": 1})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Dir: dir, Ballast: 8192})
		defer w.run()()
		time.Sleep(2 * lookEvery)
		if err := os.RemoveAll(filepath.Join(dir, startName)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * restEvery)
		if info, err := os.Stat(filepath.Join(dir, startName)); err != nil || info.Size() != StartBytes {
			t.Errorf("the room for the next start: %v, %v, want %d bytes", info, err, StartBytes)
		}
	})
}

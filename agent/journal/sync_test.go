package journal

import (
	"testing"
	"testing/synctest"

	"github.com/loghaul/loghaul/internal/disk"
)

// slowFile syncs when it is let, and says that it was asked to.
type slowFile struct {
	disk.File
	asked, let chan struct{}
}

func (f slowFile) Sync() error {
	f.asked <- struct{}{}
	<-f.let
	return f.File.Sync()
}

// The background may be syncing what somebody has just written: who asks then waits for
// that, else a batch goes out whose producer id is on no disk yet.
func TestWhoSyncsWaitsForTheSyncThatIsUnderWay(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j, err := Open(Config{Dir: dir, place: func(string) string { return "here" }})
		if err != nil {
			t.Fatal(err)
		}
		file := slowFile{j.mu.file, make(chan struct{}), make(chan struct{})}
		register(t, j, 1)
		j.mu.file = file
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- j.Sync() }()
		<-file.asked
		go func() { second <- j.Sync() }()
		synctest.Wait()
		select {
		case <-second:
			t.Error("Sync returns before what was written is on the disk")
		default:
		}
		close(file.let)
		if err := <-first; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if len(second) != 1 {
			t.Error("the second Sync waits though the first is done")
		}
		j.mu.file = file.File
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
}

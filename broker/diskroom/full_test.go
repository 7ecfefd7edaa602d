package diskroom

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

var errFull = fmt.Errorf("writing: %w", syscall.ENOSPC)

func (w *world) setFree(n int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.free = n
}

func TestAFullDiskRefusesClientsAndGivesUpTheBallast(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		const size = 64 << 10
		w := newWorld(t, Config{Dir: dir, Ballast: size})
		l := w.add("web_log", 0, false)
		path := filepath.Join(dir, ballastName)
		defer w.run()()
		time.Sleep(lookEvery)
		if info, err := os.Stat(path); err != nil || info.Size() != size {
			t.Fatalf("the ballast: %v, %v", info, err)
		}
		if err := w.produce("web_log", l, 1, batch); err != nil {
			t.Fatal(err)
		}
		w.setFree(1000)
		w.let(t, "web_log")
		w.room.Note(batch, errFull)
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the ballast is still there: %v", err)
		}
		w.setFree(1000 + size)
		w.wantRefusal(w.produce("web_log", l, 1, 1), "the disk under "+dir+" is full", "free space")
		if err := w.produce("web_log.dlq", l, 1, 1); err != nil {
			t.Errorf("a dead letter: %v", err)
		}
		w.room.Note(batch, errFull)
		time.Sleep(5 * lookEvery)
		if _, err := os.Stat(path); err == nil {
			t.Error("the ballast was laid on a full disk")
		}
		w.setFree(2*size + 2*batch)
		if err := w.produce("web_log", l, 1, 1); err != nil {
			t.Errorf("with room again: %v", err)
		}
		time.Sleep(2 * lookEvery)
		if info, err := os.Stat(path); err != nil || info.Size() != size {
			t.Errorf("the ballast afterwards: %v, %v", info, err)
		}
		if w.count("the disk is full") != 1 || w.count("there is room on the disk again") != 1 {
			t.Errorf("want one line for the full disk and one for its end:\n%s", w.lines.String())
		}
	})
}

func TestTheBrokersOwnWritesAreTriedAgainOnlyWhenThatHelps(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Dir: dir, Ballast: 8192})
		stop := w.run()
		time.Sleep(lookEvery)
		stop()
		if w.room.Relieve(10, errors.New("something else")) {
			t.Error("an error that is none of the disk's was taken for a full one")
		}
		if _, blocked := w.room.Blocked(); blocked {
			t.Error("and clients are refused for it")
		}
		w.setFree(8192) // with the ballast's room
		if !w.room.Relieve(10, errFull) {
			t.Error("want the first to find the ballast's room")
		}
		w.setFree(5)
		if w.room.Relieve(10, errFull) {
			t.Error("want the second to find none")
		}
	})
}

func TestTheBallastIsThereAtAStartOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Dir: dir, Ballast: 8192})
		stop := w.run()
		time.Sleep(lookEvery)
		stop()
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Dir: dir, Ballast: 8192})
		w.setFree(0)
		defer w.run()()
		time.Sleep(lookEvery)
		w.room.Relieve(10, errFull)
		if _, err := os.Stat(filepath.Join(dir, ballastName)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("nothing was given up: %v", err)
		}
	})
}

func TestTheBallastIsLaidOnlyWhereThereIsRoomForTwo(t *testing.T) {
	dir := t.TempDir()
	there := func() bool { _, err := os.Stat(filepath.Join(dir, ballastName)); return err == nil }
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Dir: dir, Ballast: 8192})
		w.setFree(10_000)
		stop := w.run()
		time.Sleep(3 * lookEvery)
		if there() {
			t.Error("it was laid with 10000 bytes free")
		}
		w.wantRefusal(w.room.Admit("web_log", 1), "is full", "when 16.0 KiB are free there") // else nothing would be left for commits
		w.setFree(1 << 30)
		time.Sleep(2 * lookEvery)
		if !there() {
			t.Error("it was not laid when there was room")
		}
		w.setFree(0)
		stop()
		if there() {
			t.Error("it is there after the end, in the way of those who close the logs")
		}
	})
}

func TestABallastHasItsBlocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), ballastName)
	f, err := realDisk.Open(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := fill(f, 100_000); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil || len(b) != 100_000 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	zeros := 0
	for _, x := range b {
		if x == 0 {
			zeros++
		}
	}
	if zeros > 1000 {
		t.Errorf("%d of its bytes are zero: a file system might keep none of them", zeros)
	}
}

func TestADiskSmallerThanTheBudgetMakesRoomByTheSamePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Budget: budget})
		l := w.add("web_log", 0, false)
		w.commit("g", "web_log", 0, 1<<40)
		defer w.run()()
		for range 20 {
			if err := w.produce("web_log", l, 1, batch); err != nil {
				t.Fatal(err)
			}
		}
		w.setFree(0)
		w.room.Note(batch, errFull)
		time.Sleep(2 * lookEvery)
		if l.bytes() > 18*batch {
			t.Errorf("%d bytes are left: nothing was deleted on a full disk", l.bytes())
		}
	})
}

func TestWithoutABudgetNothingIsDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		l := w.add("web_log", 0, false)
		w.commit("g", "web_log", 0, 1<<40)
		defer w.run()()
		l.append(100, 1<<30)
		w.setFree(0)
		w.room.Note(batch, errFull)
		time.Sleep(5 * lookEvery)
		if l.begin() != 0 || len(l.Pieces(nil)) != 1 {
			t.Error("the log was touched")
		}
		if s := w.room.State(); !s.Full || s.Why == "" || s.Used != 1<<30 {
			t.Errorf("the state is %+v", s)
		}
	})
}

// let has a client's batch be let in; Note follows.
func (w *world) let(t *testing.T, topic string) {
	t.Helper()
	w.setFree(1 << 40)
	if err := w.room.Admit(topic, 1); err != nil {
		t.Fatal(err)
	}
	w.setFree(1000)
}

func TestClientsThatWereLetInBeforeTheDiskWasFullDoNotTakeTheReserve(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Dir: dir, Ballast: 8192})
		there := func() bool { _, err := os.Stat(filepath.Join(dir, ballastName)); return err == nil }
		defer w.run()()
		time.Sleep(lookEvery)
		w.let(t, "web_log")
		w.let(t, "web_log")
		w.room.Note(batch, errFull)
		if !there() {
			t.Error("the ballast was given up while another client is on its way")
		}
		began := time.Now()
		go func() {
			time.Sleep(clientsPatience / 2)
			w.setFree(1000 + 8192)
			w.room.Note(batch, errFull)
		}()
		if !w.room.Relieve(10, errFull) || there() || time.Since(began) != clientsPatience/2 {
			t.Errorf("a commit got its room after %s, want it when the other client is through, in %s", time.Since(began), clientsPatience/2)
		}
	})
}

func TestAClientThatIsStuckKeepsTheReserveFromNobody(t *testing.T) {
	for _, own := range []bool{false, true} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, Config{Dir: dir, Ballast: 8192})
			defer w.run()()
			time.Sleep(lookEvery)
			w.let(t, "web_log")
			w.let(t, "web_log")
			w.room.Note(batch, errFull)
			if own {
				w.room.Relieve(10, errFull)
			} else {
				time.Sleep(3 * lookEvery)
			}
			if _, err := os.Stat(filepath.Join(dir, ballastName)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the ballast is still there: %v", err)
			}
			w.room.Note(batch, errFull)
		})
	}
}

func TestDeadLettersLeaveHalfOfTheReserveToCommits(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Dir: dir, Ballast: 8192})
		defer w.run()()
		time.Sleep(lookEvery)
		w.setFree(0)
		w.room.Relieve(10, errFull)
		w.setFree(8192)
		if err := w.room.Admit("web_log.dlq", 4096); err != nil {
			t.Errorf("the first half: %v", err)
		}
		w.room.Note(4096, nil)
		w.setFree(4096)
		w.wantRefusal(w.room.Admit("web_log.dlq", 1), "is full")
	})
}

func TestADiskThatIsFullAndSaysItHasRoomIsTriedLessAndLessOften(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Dir: dir, Ballast: 8192})
		defer w.run()()
		for began := time.Now(); time.Since(began) < 10*time.Minute; time.Sleep(10 * time.Millisecond) {
			if err := w.room.Admit("web_log", 1); err == nil {
				w.room.Note(1, errFull)
			} else {
				w.wantRefusal(err, "takes no more although", "quota", "df -i")
			}
		}
		if n := w.count("the disk under"); n > 40 {
			t.Errorf("%d lines in ten minutes", n)
		}
	})
}

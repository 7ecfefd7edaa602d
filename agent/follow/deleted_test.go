package follow

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/line"
)

func TestRule10WhatIsNotAcknowledgedOfADeletedFileIsKeptAtOnce(t *testing.T) {
	path, sp := pathIn(t, "app.log"), newMemorySpool()
	w := held(t, path)
	w.WriteString(numbered(0, 50))
	tl := tail(t, Config{Path: path, Spool: sp})
	tl.poll()
	id := tl.gens[0]
	sp.needed[id] = line.Position(len(numbered(0, 20)))
	must(t, os.Remove(path))
	tl.want(tl.poll(), "")
	if k := sp.only(t); string(k.data) != numbered(20, 50) {
		t.Fatal(differ(string(k.data), numbered(20, 50)))
	}
	w.WriteString(numbered(50, 60) + "begun")
	if _, err := tl.s.Look(); err != nil {
		t.Fatal(err)
	}
	k := sp.only(t)
	if want := numbered(20, 60) + "begun"; string(k.data) != want || k.Whole {
		t.Fatal(k.Whole, differ(string(k.data), want))
	}
	sp.needed[id] = k.To
	tl.poll()
	if n := len(sp.only(t).data); n != len(numbered(20, 60))+5 {
		t.Errorf("%d bytes are kept though all is acknowledged", n)
	}
}

func TestRule10AfterAKillReadingGoesOnInWhatWasKept(t *testing.T) {
	path, sp := pathIn(t, "app.log"), newMemorySpool()
	w := held(t, path)
	w.WriteString(numbered(0, 50))
	cfg := Config{Path: path, Spool: sp}
	tl := tail(t, cfg)
	tl.poll()
	must(t, os.Remove(path))
	w.WriteString(numbered(50, 60) + "begun and never ended")
	tl.s.Look()
	appendTo(t, path, "new\n")
	tl.die(cfg)
	tl.want(tl.quiet(), numbered(50, 60)+"begun and never ended"+"new\n")
	if f := tl.finals; len(f) != 1 || !f[0].Gone || f[0].Lost != 0 {
		t.Errorf("ends told: %+v, want one of a file that is gone and of which nothing is lost", f)
	}
	tl.die(cfg)
	tl.want(tl.quiet(), "")
}

func TestRule10AFileThatWasNeverReadIsKeptToo(t *testing.T) {
	path, sp := pathIn(t, "app.log"), newMemorySpool()
	appendTo(t, path, "1\n")
	cfg := Config{Path: path, Spool: sp}
	tl := tail(t, cfg)
	tl.poll()
	appendTo(t, path, "2\n") // the first is not at its end when the second goes
	must(t, os.Rename(path, path+".1"))
	tick(t, path)
	appendTo(t, path, numbered(0, 10))
	tl.s.Look()
	second := tl.s.at.id
	must(t, os.Remove(path))
	tl.s.Look()
	if k := sp.kept[second]; k == nil || string(k.data) != numbered(0, 10) {
		t.Fatalf("kept of the second file: %+v", k)
	}
	tl.acks[second] = Checkpoint{ID: second, Path: path} // as its journal knows it
	tl.die(cfg)
	tl.want(tl.quiet(), "2\n"+numbered(0, 10))
}

func TestRule10ANameThatNobodyKnowsIsNoName(t *testing.T) {
	path, sp := pathIn(t, "app.log"), newMemorySpool()
	w := held(t, path)
	w.WriteString(numbered(0, 20))
	cfg := Config{Path: path, Spool: sp}
	tl := tail(t, cfg)
	tl.poll()
	w.WriteString(numbered(20, 30))
	must(t, os.Rename(path, path+".1"))
	tl.s.Look()
	if len(sp.kept) != 0 {
		t.Error("a rotated file is kept though its name is known")
	}
	must(t, os.Rename(path+".1", path+"-moved-to-the-archive"))
	tl.s.Look()
	if k := sp.only(t); string(k.data) != numbered(0, 30) {
		t.Fatal(differ(string(k.data), numbered(0, 30)))
	}
	tl.die(cfg)
	tl.want(tl.quiet(), numbered(20, 30))
}

func TestRule10WhatFindsNoRoomIsReadOnAndLostToTheByteAtAKill(t *testing.T) {
	for _, why := range []string{"bytes", "disk"} {
		path, sp := pathIn(t, "app.log"), newMemorySpool()
		cfg := Config{Path: path, Spool: sp}
		appendTo(t, path, numbered(0, 20))
		tl := tail(t, cfg)
		tl.poll()
		sp.needed[tl.gens[0]] = line.Position(len(numbered(0, 20)))
		if sp.room = len(numbered(20, 30)); why == "disk" {
			sp.err = errors.New("no space left on device")
		}
		appendTo(t, path, numbered(20, 50))
		must(t, os.Remove(path))
		tl.s.Look()
		kept := ""
		if why == "bytes" {
			kept = numbered(20, 30)
			if k := sp.only(t); string(k.data) != kept || k.Size != int64(len(numbered(0, 50))) {
				t.Fatalf("kept %d bytes of %d", len(k.data), k.Size)
			}
		}
		alive := tail(t, cfg) // a twin that is not killed
		alive.s.Close()
		alive.s = tl.s
		if why == "disk" {
			alive.want(alive.poll(), numbered(20, 50))
			continue
		}
		tl.die(cfg)
		tl.want(tl.quiet(), kept)
		lost := int64(len(numbered(30, 50)))
		if f := tl.finals; len(f) != 1 || f[0].Lost != lost || f[0].LostLeast || tl.s.Lost() != lost {
			t.Errorf("ends told: %+v, want %d bytes lost, exactly", f, lost)
		}
	}
}

func TestRule10WhatHasNoRoomIsGivenUpWhenNothingMoves(t *testing.T) {
	skipUnlessForsaken(t)
	path, sp := pathIn(t, "app.log"), newMemorySpool()
	appendTo(t, path, numbered(0, 50))
	tl := tail(t, Config{Path: path, Spool: sp})
	sp.room = len(numbered(0, 30))
	tl.s.Look()
	must(t, os.Remove(path))
	for range 3 {
		tl.s.Look()
		tl.clock.forward(starveMost / 2)
		for id := range sp.kept {
			sp.needed[id] += 10 // acknowledgements come: nothing is given up
		}
	}
	if g := tl.s.queue[0]; g.file.in != nil {
		t.Fatal("it was given up though acknowledgements came")
	}
	for range 4 {
		tl.s.Look()
		tl.clock.forward(starveMost / 2)
	}
	tl.want(tl.poll(), numbered(0, 30))
	if lost := tl.s.Lost(); lost != int64(len(numbered(30, 50))) {
		t.Errorf("%d bytes lost, want %d", lost, len(numbered(30, 50)))
	}
}

func TestRule10AForsakenFileThatIsKeptIsNotHeldOpen(t *testing.T) {
	skipUnlessForsaken(t)
	path, sp := pathIn(t, "app.log"), newMemorySpool()
	appendTo(t, path, numbered(0, 50))
	tl := tail(t, Config{Path: path, Spool: sp})
	tl.s.Look()
	must(t, os.Remove(path))
	tl.s.Look()
	tl.s.Look()
	if g := tl.s.queue[0]; g.file.in == nil || !sp.only(t).Whole {
		t.Fatalf("the descriptor is still open, whole: %t", sp.only(t).Whole)
	}
	tl.want(tl.poll(), numbered(0, 50))
	if !tl.s.Done() {
		t.Error("the Stream is not done")
	}
}

func TestRule10AStreamThatIsClosedKeepsTheRest(t *testing.T) {
	path, sp := pathIn(t, "app.log"), newMemorySpool()
	w := held(t, path)
	w.WriteString(strings.Repeat(numbered(0, 100), 700)) // more than one Look keeps
	cfg := Config{Path: path, Spool: sp}
	tl := tail(t, cfg)
	tl.s.Look()
	must(t, os.Remove(path))
	tl.s.Close()
	if k := sp.only(t); string(k.data) != strings.Repeat(numbered(0, 100), 700) {
		t.Errorf("%d bytes are kept, want all %d", len(k.data), 700*len(numbered(0, 100)))
	}
}

func TestRule10ALargeFileIsKeptPieceByPiece(t *testing.T) {
	path, sp := pathIn(t, "app.log"), newMemorySpool()
	w := held(t, path)
	text := strings.Repeat(numbered(0, 100), 1600)
	w.WriteString(text)
	tl := tail(t, Config{Path: path, Spool: sp})
	tl.s.Look()
	must(t, os.Remove(path))
	for looks := 1; ; looks++ {
		tl.s.Look()
		if k := sp.only(t); len(k.data) == len(text) {
			break
		} else if len(k.data) != looks*keepMost {
			t.Fatalf("%d bytes are kept after %d looks, want %d", len(k.data), looks, looks*keepMost)
		}
		if due := tl.s.Due(); due.IsZero() || due.After(tl.clock.now()) {
			t.Fatalf("Due is %v, want at once: there is more to keep", due)
		}
	}
}

func TestRule10ACopyThatIsDeletedWhileItIsReadIsKept(t *testing.T) {
	path, sp := pathIn(t, "app.log"), newMemorySpool()
	appendTo(t, path, numbered(0, 50))
	cfg := Config{Path: path, Spool: sp}
	tl := tail(t, cfg)
	tl.poll()
	appendTo(t, path, numbered(50, 160))
	tick(t, path)
	copyTruncate(t, path, 1)
	tl.buf = make([]byte, leastBuffer)
	if _, err := tl.s.Look(); err != nil {
		t.Fatal(err)
	}
	c, err := tl.s.Next(tl.buf[:leastBuffer]) // the first bytes of the copy
	must(t, err)
	tl.take(c)
	sp.needed[c.ID] = c.Start
	appendTo(t, path, "next life\n")
	must(t, os.Remove(path+".1"))
	tl.s.Look()
	for id, cp := range tl.acks { // nothing of the copy was begun, and of the next life neither
		cp.Position = line.Position(len(numbered(0, 50)))
		cp.TailLength = 0
		tl.acks[id] = cp
	}
	tl.text.Reset()
	tl.acks[ID{FS: c.ID.FS, Inode: c.ID.Inode, Birth: c.ID.Birth, Cut: 1}] = Checkpoint{ID: ID{FS: c.ID.FS, Inode: c.ID.Inode, Birth: c.ID.Birth, Cut: 1}, Path: path}
	tl.die(cfg)
	tl.want(tl.quiet(), numbered(50, 160)+"next life\n")
}

func TestRule10ACopyIsHeldUntilItIsAcknowledged(t *testing.T) {
	path, sp := pathIn(t, "app.log"), newMemorySpool()
	appendTo(t, path, numbered(0, 50))
	cfg := Config{Path: path, Spool: sp}
	tl := tail(t, cfg)
	tl.poll()
	appendTo(t, path, numbered(50, 60))
	tick(t, path)
	copyTruncate(t, path, 1)
	tl.want(tl.poll(), numbered(50, 60)) // the copy is at its end, and nothing is acknowledged
	must(t, os.Remove(path+".1"))
	tl.s.Look()
	if k := sp.only(t); string(k.data) != numbered(0, 60) {
		t.Fatal(differ(string(k.data), numbered(0, 60)))
	}
	sp.needed[tl.gens[0]] = sp.only(t).To
	tl.s.Look()
	if n := tl.s.Open(); n != 1 {
		t.Errorf("%d descriptors are open, want that of the path: the copy is acknowledged", n)
	}
}

func TestAnEarlierLifeGoesOnInItsCopyAfterARestart(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 30))
	cfg := Config{Path: path}
	tl := tail(t, cfg)
	tl.poll()
	first := tl.checkpoints()[0]
	appendTo(t, path, numbered(30, 40))
	tick(t, path)
	copyTruncate(t, path, 2)
	appendTo(t, path, numbered(40, 50))
	tl.poll()
	tl.acks[first.ID] = first // the rest of it was read and not begun when the agent died
	next := first.ID
	next.Cut = 1
	tl.acks[next] = Checkpoint{ID: next, Path: path}
	tl.text.Reset()
	tl.die(cfg)
	tl.want(tl.quiet(), numbered(30, 50))
}

func TestRule10APieceOfALongLineGoesOnInWhatWasKept(t *testing.T) {
	path, sp := pathIn(t, "app.log"), newMemorySpool()
	w := held(t, path)
	w.WriteString("short\n" + strings.Repeat("a", 100))
	cfg := Config{Path: path, Spool: sp, MaxLine: 32}
	tl := tail(t, cfg)
	tl.poll()
	id := tl.gens[0]
	sp.needed[id] = tl.acks[id].Position // in the middle of the line
	must(t, os.Remove(path))
	w.WriteString("b\nafter\n")
	tl.s.Look()
	tl.pieces = nil
	tl.die(cfg)
	tl.want(tl.quiet(), "aaaab\nafter\n")
	if len(tl.pieces) != 1 || tl.pieces[0] != "4/true:6" {
		t.Errorf("pieces %v, want the fourth, and the last", tl.pieces)
	}
}

func TestRule10TruncationOfADeletedFileIsNotTakenForItsGrowth(t *testing.T) {
	path, sp := pathIn(t, "app.log"), newMemorySpool()
	w := held(t, path)
	w.WriteString(numbered(0, 30))
	tl := tail(t, Config{Path: path, Spool: sp})
	tl.poll()
	must(t, os.Remove(path))
	tl.s.Look()
	w.Truncate(0)
	w.WriteString(numbered(100, 200))
	tl.s.Look()
	first, second := tl.gens[0], tl.gens[0]
	second.Cut = 1
	for id, want := range map[ID]string{first: numbered(0, 30), second: numbered(100, 200)} {
		if k := sp.kept[id]; k == nil || string(k.data) != want {
			t.Errorf("of life %d this is kept: %+v", id.Cut, k)
		}
	}
	tl.want(tl.poll(), numbered(100, 200))
}

func TestRule10ManyFilesAtTheirEndAreNotForgottenBeforeTheyAreAcknowledged(t *testing.T) {
	path, sp := pathIn(t, "app.log"), newMemorySpool()
	tl := tail(t, Config{Path: path, Spool: sp})
	const files = 3 * lateMost
	for i := range files {
		appendTo(t, path, numbered(i, i+1))
		tl.quiet()
		must(t, os.Rename(path, fmt.Sprintf("%s.%d", path, i)))
	}
	if n := tl.s.Open(); n > 2*lateMost+2 || tl.s.Release() < lateMost {
		t.Errorf("%d descriptors are open, %d of them for good; want no more than %d and those at their end", n, tl.s.Release(), 2*lateMost+2)
	}
	for i := range files {
		must(t, os.Remove(fmt.Sprintf("%s.%d", path, i)))
	}
	tl.s.Look()
	for i, id := range tl.gens[:files-2*lateMost] {
		if k := sp.kept[id]; k == nil || string(k.data) != numbered(i, i+1) {
			t.Fatalf("file %d was read, is gone, and is not acknowledged: nothing of it is kept", i)
		}
	}
}

package follow

import (
	"os"
	"testing"
)

func TestReleasedFilesAreReadOnWhereTheyWere(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "1\n")
	tl := tail(t, Config{Path: path})
	tl.want(tl.poll(), "1\n")
	if n := tl.s.Release(); n != 0 || tl.s.Open() != 0 {
		t.Fatalf("%d and %d descriptors stay open", n, tl.s.Open())
	}
	tl.want(tl.poll(), "")
	if tl.s.Open() != 0 {
		t.Error("looking at an idle file opened it")
	}
	appendTo(t, path, "2\n")
	tl.want(tl.poll(), "2\n")

	tl.s.Release()
	appendTo(t, path, "3\n")
	shift(t, path, 3)
	tick(t, path)
	appendTo(t, path, "4\n")
	shift(t, path, 3)
	appendTo(t, path+".2", "5\n")
	tl.want(tl.poll(), "3\n5\n")
	tl.s.Release()
	shift(t, path, 3)
	appendTo(t, path+".3", "6\n")
	tl.want(tl.quiet(), "6\n")
	tick(t, path)
	appendTo(t, path, "7\n")
	tl.want(tl.quiet(), "4\n7\n")
}

func TestAReleasedFileThatIsDeletedIsCountedAsLost(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "1\n")
	tl := tail(t, Config{Path: path})
	tl.poll()
	appendTo(t, path, "unread\n")
	tl.s.Look()
	tl.s.Release()
	must(t, os.Remove(path))
	tl.want(tl.poll(), "")
	if tl.s.Lost() != 7 || len(tl.finals) != 1 || !tl.finals[0].Gone {
		t.Errorf("lost %d, ends told %+v; want 7 and one", tl.s.Lost(), tl.finals)
	}
	if !tl.s.Done() {
		t.Error("the Stream is not done, though its path leads nowhere and nothing is left")
	}
}

func TestADeletedFileIsNotReleased(t *testing.T) {
	path := pathIn(t, "app.log")
	w, err := os.Create(path)
	must(t, err)
	defer w.Close()
	w.WriteString("1\n")
	tl := tail(t, Config{Path: path})
	tl.poll()
	must(t, os.Remove(path))
	if n := tl.s.Release(); n != 1 {
		t.Errorf("%d descriptors stay open, want that of the deleted file", n)
	}
	w.WriteString("2\n")
	tl.want(tl.poll(), "2\n")
}

func TestAnInodeUsedAgainWhileReleasedIsAnotherFile(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 20))
	tl := tail(t, Config{Path: path})
	tl.poll()
	tl.s.Release()
	old, err := statPath(path)
	must(t, err)
	must(t, os.Remove(path))
	tick(t, path)
	text := numbered(100, 200)
	appendTo(t, path, text)
	if now, err := statPath(path); err != nil || now.key.ino != old.key.ino {
		t.Logf("the filesystem gave inode %d after %d: not the case this is about (%v)", now.key.ino, old.key.ino, err)
	}
	tl.want(tl.quiet(), text)
	// where there are no births, the hashes tell it
	tl.s.at.key.birth = 0
	tl.s.Release()
	must(t, os.WriteFile(path, []byte(numbered(300, 500)), 0o644))
	tl.s.at.key.birth = tl.gens[1].Birth
	tl.want(tl.quiet(), numbered(300, 500))
}

func TestADescriptorThatStayedBehindIsOpenedAgain(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "1\n")
	tl := tail(t, Config{Path: path})
	tl.poll()
	stale := pathIn(t, "lower.log") // what the descriptor of an overlay filesystem goes on showing
	appendTo(t, stale, "1\n")
	f, err := openFile(stale, nil)
	must(t, err)
	tl.s.at.file.close()
	tl.s.at.file = f.handle
	appendTo(t, path, "2\n")
	tl.want(tl.poll(), "2\n")
}

func TestFinishTakesEveryEndForFinal(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "1\nfrag")
	tl := tail(t, Config{Path: path})
	tl.want(tl.poll(), "1\n")
	must(t, os.Rename(path, path+".1"))
	appendTo(t, path, "2\nlast")
	tl.s.Finish()
	tl.want(tl.poll(), "frag2\nlast")
	tl.want(tl.poll(), "")
}

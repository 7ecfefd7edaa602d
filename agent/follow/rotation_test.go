package follow

import (
	"os"
	"testing"
	"time"
)

func grow(t *testing.T, path string, size int64) {
	t.Helper()
	must(t, os.Truncate(path, size))
}

func TestRule11ARenamedFileIsReadToItsEndBeforeTheNewOne(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "1\n")
	tl := tail(t, Config{Path: path})
	tl.want(tl.poll(), "1\n")
	must(t, os.Rename(path, path+".1"))
	appendTo(t, path, "new\n")
	tl.want(tl.poll(), "")
	appendTo(t, path+".1", "2\n") // the writer has not reopened yet
	tl.want(tl.poll(), "2\n")
	tl.clock.forward(400 * time.Millisecond)
	tl.want(tl.poll(), "")
	appendTo(t, path+".1", "3\n")
	tl.want(tl.poll(), "3\n")
	tl.clock.forward(400 * time.Millisecond)
	tl.want(tl.poll(), "")
	if due := tl.s.Due(); due.IsZero() || due.After(tl.clock.now().Add(150*time.Millisecond)) {
		t.Errorf("Due is %v, want when the quiet time ends", due)
	}
	tl.clock.forward(200 * time.Millisecond)
	tl.want(tl.poll(), "new\n")
	appendTo(t, path+".1", "late\n")
	appendTo(t, path, "newer\n")
	tl.want(tl.poll(), "late\nnewer\n")
}

func TestSeveralRotationsWaitInOrder(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "1\n")
	tl := tail(t, Config{Path: path})
	tl.want(tl.poll(), "1\n")
	for i := range 5 {
		appendTo(t, path, "a\n")
		must(t, os.Rename(path, path+"."+string(rune('5'-i))))
		appendTo(t, path, string(rune('A'+i))+"\n")
		tl.want(tl.poll(), map[bool]string{true: "a\n"}[i == 0])
	}
	tl.clock.forward(time.Second)
	tl.want(tl.poll(), "A\na\nB\na\nC\na\nD\na\nE\n")
}

func TestRotationsBetweenTwoLooksAreFoundBesideThePath(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "1\n")
	tl := tail(t, Config{Path: path})
	tl.want(tl.poll(), "1\n")
	appendTo(t, path, "2\n")
	for i := range 4 {
		shift(t, path, 5)
		tick(t, path)
		appendTo(t, path, string(rune('A'+i))+"\n")
	}
	tl.want(tl.quiet(), "2\nA\nB\nC\nD\n")
}

// shift renames path.N to path.N+1 and path to path.1, as logrotate does.
func shift(t *testing.T, path string, keep int) {
	t.Helper()
	for i := keep; i > 0; i-- {
		from := path
		if i > 1 {
			from += "." + string(rune('0'+i-1))
		}
		if err := os.Rename(from, path+"."+string(rune('0'+i))); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}

// tick waits until the filesystem's clock has moved, so that births differ.
func tick(t *testing.T, beside string) {
	t.Helper()
	probe := beside + ".probe"
	var first int64
	for {
		must(t, os.WriteFile(probe, nil, 0o600))
		info, err := statPath(probe)
		must(t, err)
		must(t, os.Remove(probe))
		if first == 0 {
			first = info.mtime
		} else if info.mtime != first {
			return
		}
	}
}

func TestAFragmentOfARotatedFileWaitsUntilItsAge(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "1\nfrag")
	tl := tail(t, Config{Path: path, DeletedAge: time.Minute})
	tl.want(tl.poll(), "1\n")
	must(t, os.Rename(path, path+".1"))
	appendTo(t, path, "new\n")
	tl.want(tl.quiet(), "new\n")
	appendTo(t, path+".1", "ment\nrest")
	tl.want(tl.poll(), "fragment\n")
	tl.clock.forward(time.Hour)
	tl.want(tl.poll(), "rest")
	if len(tl.finals) != 1 || tl.finals[0].Gone {
		t.Errorf("ends told: %+v, want one, of a file that is still there", tl.finals)
	}
	if n := tl.s.Open(); n != 1 {
		t.Errorf("%d descriptors are open, want 1", n)
	}
}

func TestADeletedFileIsReadToItsEnd(t *testing.T) {
	path := pathIn(t, "app.log")
	w, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	must(t, err)
	defer w.Close()
	w.WriteString("1\n")
	tl := tail(t, Config{Path: path, DeletedAge: time.Minute})
	tl.want(tl.poll(), "1\n")
	must(t, os.Remove(path))
	w.WriteString("2\n")
	tl.want(tl.poll(), "2\n")
	w.WriteString("3\nfrag")
	tl.want(tl.quiet(), "3\n")
	appendTo(t, path, "new\n")
	tl.want(tl.quiet(), "new\n")
	w.WriteString("ment\nrest")
	tl.want(tl.poll(), "fragment\n")
	tl.clock.forward(2 * time.Minute)
	tl.want(tl.poll(), "rest")
	if len(tl.finals) != 1 || !tl.finals[0].Gone {
		t.Errorf("ends told: %+v, want one, of a file that is gone", tl.finals)
	}
}

func TestADeletedFileThatNobodyWritesEndsAtOnce(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "1\n")
	tl := tail(t, Config{Path: path})
	tl.want(tl.poll(), "1\n")
	appendTo(t, path, "2\nfrag")
	must(t, os.Remove(path))
	appendTo(t, path, "new\n")
	skipUnlessForsaken(t)
	tl.want(tl.poll(), "2\nfragnew\n")
	if n := tl.s.Open(); n != 1 {
		t.Errorf("%d descriptors are open, the deleted file is pinned on the disk", n)
	}
}

// skipUnlessForsaken skips where it cannot be known who writes to a file.
func skipUnlessForsaken(t *testing.T) {
	t.Helper()
	path := pathIn(t, "probe")
	appendTo(t, path, "x")
	f, err := openFile(path, nil)
	must(t, err)
	defer f.close()
	if !f.forsaken() {
		t.Skip("this system does not say whether a file is open for writing")
	}
}

func TestAFileThatVanishesAndComesBack(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "1\n")
	tl := tail(t, Config{Path: path})
	tl.want(tl.poll(), "1\n")
	must(t, os.Rename(path, path+".away"))
	appendTo(t, path+".away", "2\n")
	tl.want(tl.quiet(), "2\n")
	must(t, os.Rename(path+".away", path))
	appendTo(t, path, "3\n")
	tl.want(tl.quiet(), "3\n")
	if len(tl.gens) != 1 {
		t.Errorf("generations %v, want one", tl.gens)
	}
	must(t, os.Remove(path))
	tl.quiet()
	appendTo(t, path, "4\n")
	tl.want(tl.quiet(), "4\n")
}

func TestAnAtomicReplacementIsANewGeneration(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "1\n2\n")
	tl := tail(t, Config{Path: path})
	tl.want(tl.poll(), "1\n2\n")
	for _, text := range []string{"1\n2\n", "1\n2\n3\n", "x\n"} {
		appendTo(t, path+".tmp", text)
		must(t, os.Rename(path+".tmp", path))
		tl.want(tl.quiet(), text)
	}
	if len(tl.gens) != 4 {
		t.Errorf("%d generations, want 4", len(tl.gens))
	}
}

func TestASymlinkIsFollowedToWhereItLeads(t *testing.T) {
	path := pathIn(t, "current")
	real := pathIn(t, "app-1.log")
	appendTo(t, real, "1\n")
	must(t, os.Symlink(real, path))
	tl := tail(t, Config{Path: path})
	tl.want(tl.poll(), "1\n")
	must(t, os.Rename(real, real+".1"))
	appendTo(t, real, "2\n")
	tl.want(tl.quiet(), "2\n")
	other := pathIn(t, "app-2.log")
	appendTo(t, other, "3\n")
	must(t, os.Remove(path))
	must(t, os.Symlink(other, path))
	tl.want(tl.quiet(), "3\n")
	if tl.finals = nil; tl.acks[tl.gens[2]].Path != path {
		t.Errorf("the key's path is %s, want the link %s", tl.acks[tl.gens[2]].Path, path)
	}
}

func TestOldFilesBeyondTheMostAreLetGo(t *testing.T) {
	path := pathIn(t, "app.log")
	tl := tail(t, Config{Path: path})
	want := ""
	for i := range 3 * lateMost {
		line := numbered(i, i+1)
		appendTo(t, path, line)
		want += line
		tl.quiet()
		must(t, os.Rename(path, path+"."+time.Unix(int64(i), 0).UTC().Format("20060102150405")))
	}
	tl.quiet()
	tl.want(tl.text.String(), want)
	if n := tl.s.Open(); n > lateMost+2 {
		t.Errorf("%d descriptors are open after %d rotations", n, 3*lateMost)
	}
}

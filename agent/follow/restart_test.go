package follow

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/nobody"
)

func TestARestartGoesOnWhereItWas(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 30))
	cfg := Config{Path: path}
	tl := tail(t, cfg)
	tl.poll()
	tl.restart(cfg)
	tl.want(tl.poll(), "")
	appendTo(t, path, numbered(30, 40))
	tl.restart(cfg)
	tl.want(tl.poll(), numbered(30, 40))
}

func TestFilesRotatedWhileDownAreDrainedOldestFirst(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 30))
	cfg := Config{Path: path}
	tl := tail(t, cfg)
	tl.poll()
	appendTo(t, path, numbered(30, 40))
	for i := 4; i < 7; i++ {
		shift(t, path, 5)
		tick(t, path)
		appendTo(t, path, numbered(i*10, i*10+10))
	}
	tl.restart(cfg)
	tl.want(tl.quiet(), numbered(30, 70))
	tl.restart(cfg)
	tl.want(tl.quiet(), "")
	appendTo(t, path+".1", "late\n")
	appendTo(t, path, "on\n")
	tl.want(tl.quiet(), "late\non\n")
}

func TestARotatedFileWithoutASuccessorIsDrainedToo(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "1\n")
	cfg := Config{Path: path}
	tl := tail(t, cfg)
	tl.poll()
	appendTo(t, path, "2\n")
	shift(t, path, 3)
	tick(t, path)
	appendTo(t, path, "3\n")
	shift(t, path, 3)
	tl.restart(cfg)
	tl.want(tl.quiet(), "2\n3\n")
	appendTo(t, path, "4\n")
	tl.want(tl.quiet(), "4\n")
}

func TestAFileThatIsGoneAfterARestartIsToldSo(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "1\n")
	cfg := Config{Path: path}
	tl := tail(t, cfg)
	tl.poll()
	must(t, os.Remove(path))
	tick(t, path)
	appendTo(t, path, "2\n")
	tl.restart(cfg)
	tl.want(tl.quiet(), "2\n")
	if len(tl.finals) != 1 || !tl.finals[0].Gone || tl.finals[0].Start != 2 {
		t.Errorf("ends told: %+v, want that of the deleted file at 2", tl.finals)
	}
	if len(tl.acks) != 1 {
		t.Errorf("the journal still holds %v", tl.acks)
	}
}

func TestTruncationWhileDownIsRefutedByHashes(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 30))
	cfg := Config{Path: path}
	tl := tail(t, cfg)
	tl.poll()
	must(t, os.WriteFile(path, []byte(numbered(30, 90)), 0o644))
	tl.restart(cfg)
	tl.want(tl.poll(), numbered(30, 90))
	// the same head this time: only the bytes before the position differ
	tl.restart(cfg)
	text := numbered(30, 60) + strings.ToUpper(numbered(60, 100))
	must(t, os.WriteFile(path, []byte(text), 0o644))
	tl.want(tl.poll(), text)
	if cut := tl.gens[len(tl.gens)-1].Cut; cut != 2 {
		t.Errorf("the file's life is number %d, want 2", cut)
	}
}

func TestAnInodeUsedAgainWhileDownIsAnotherFile(t *testing.T) {
	for _, births := range []bool{true, false} {
		path := pathIn(t, "app.log")
		appendTo(t, path, numbered(0, 30))
		cfg := Config{Path: path}
		tl := tail(t, cfg)
		tl.poll()
		must(t, os.Remove(path))
		tick(t, path)
		text := numbered(100, 200)
		appendTo(t, path, text)
		now, err := statPath(path)
		must(t, err)
		for id, cp := range tl.acks { // the filesystem gave the inode of the old file to the new one
			delete(tl.acks, id)
			if cp.ID.Inode = now.key.ino; !births {
				cp.ID.Birth = now.key.birth // it keeps none, so they cannot differ: only the hashes tell
			}
			tl.acks[cp.ID] = cp
		}
		tl.restart(cfg)
		tl.want(tl.quiet(), text)
	}
}

func TestCopytruncateWhileDownGoesOnInTheCopy(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 30))
	cfg := Config{Path: path}
	tl := tail(t, cfg)
	tl.poll()
	appendTo(t, path, numbered(30, 40))
	tick(t, path)
	copyTruncate(t, path, 2)
	appendTo(t, path, numbered(40, 50))
	tl.restart(cfg)
	tl.want(tl.quiet(), numbered(30, 50))
	tl.restart(cfg)
	tl.want(tl.quiet(), "")
}

func TestABackupBesideTheFileIsNotReadAgain(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 30))
	cfg := Config{Path: path}
	tl := tail(t, cfg)
	tl.poll()
	tick(t, path)
	must(t, os.WriteFile(path+".bak", []byte(numbered(0, 30)), 0o644))
	shift(t, path, 2)
	tick(t, path)
	appendTo(t, path, numbered(30, 40))
	tl.restart(cfg)
	tl.want(tl.quiet(), numbered(30, 40))
}

func TestAFileOfTheSameHeadIsNotTakenForAnother(t *testing.T) {
	path := pathIn(t, "app.log")
	head := "#Version: 1.0\n#Fields: a b c\n"
	appendTo(t, path, head)
	cfg := Config{Path: path}
	tl := tail(t, cfg)
	tl.want(tl.poll(), head)
	for i := range 3 {
		shift(t, path, 5)
		tick(t, path)
		appendTo(t, path, head+numbered(i, i+1))
	}
	tl.restart(cfg)
	tl.want(tl.quiet(), head+numbered(0, 1)+head+numbered(1, 2)+head+numbered(2, 3))
}

func TestStartFromTheEndHoldsForTheFirstFileOnly(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "old\nbegun ")
	tl := tail(t, Config{Path: path, FromEnd: true})
	tl.want(tl.poll(), "")
	appendTo(t, path, "and ended\n")
	tl.want(tl.poll(), "begun and ended\n")
	must(t, os.Rename(path, path+".1"))
	appendTo(t, path, "new\n")
	tl.want(tl.quiet(), "new\n")

	late := tail(t, Config{Path: path + ".later", FromEnd: true})
	late.want(late.poll(), "")
	appendTo(t, path+".later", "first\n")
	late.want(late.poll(), "first\n")
}

func TestAChangedFilesystemNumberRefutesNothing(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 30))
	cfg := Config{Path: path}
	tl := tail(t, cfg)
	tl.poll()
	for id, cp := range tl.acks {
		delete(tl.acks, id)
		cp.ID.FS++ // as after a reboot
		tl.acks[cp.ID] = cp
	}
	tl.restart(cfg)
	appendTo(t, path, "more\n")
	tl.want(tl.poll(), "more\n")
}

func TestACompressedRotationIsTold(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 3))
	cfg := Config{Path: path}
	tl := tail(t, cfg)
	tl.poll()
	must(t, os.Remove(path))
	must(t, os.WriteFile(path+".1.gz", []byte{0x1f, 0x8b}, 0o644))
	tick(t, path)
	appendTo(t, path, "new\n")
	tl.restart(cfg)
	tl.want(tl.quiet(), "new\n")
	if len(tl.finals) != 1 || !tl.finals[0].Gone {
		t.Errorf("ends told: %+v, want that of the compressed file", tl.finals)
	}
}

func TestReadRangeFindsAGenerationUnderItsNewName(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 30))
	tl := tail(t, Config{Path: path})
	tl.poll()
	cp := tl.checkpoints()[0]
	shift(t, path, 2)
	tick(t, path)
	appendTo(t, path, numbered(50, 99))
	shift(t, path, 2)
	want := numbered(0, 30)[10:200]
	got, err := ReadRange(path, cp, 10, 200, []byte("kept "))
	if err != nil || string(got) != "kept "+want {
		t.Errorf("ReadRange gave %q, %v", got, err)
	}
	copyTruncate(t, path+".2", 2)
	if got, err = ReadRange(path, cp, 10, 200, nil); err != nil || string(got) != want {
		t.Errorf("ReadRange in the copy gave %q, %v", got, err)
	}
	all, err := filepath.Glob(path + "*")
	must(t, err)
	for _, name := range all {
		must(t, os.Remove(name))
	}
	if got, err = ReadRange(path, cp, 10, 200, nil); !errors.Is(err, ErrGone) || len(got) != 0 {
		t.Errorf("ReadRange of a deleted file gave %q, %v", got, err)
	}
}

func TestReadRangeOfAnUnreadableFileIsNotGone(t *testing.T) {
	if nobody.Again(t) {
		return
	}
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 30))
	tl := tail(t, Config{Path: path})
	tl.poll()
	must(t, os.Chmod(path, 0))
	if _, err := ReadRange(path, tl.checkpoints()[0], 10, 200, nil); !errors.Is(err, fs.ErrPermission) || errors.Is(err, ErrGone) {
		t.Errorf("ReadRange of an unreadable file gave %v, want that it may not be read: what is gone is given up", err)
	}
}

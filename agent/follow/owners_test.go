package follow

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestAWideGlobReadsARotatedFileOnce(t *testing.T) {
	path := pathIn(t, "app.log")
	owners := NewOwners(nil)
	appendTo(t, path, "1\n")
	a := tail(t, Config{Path: path, Owners: owners, DeletedAge: time.Hour})
	b := tail(t, Config{Path: path + ".1", Owners: owners})
	a.want(a.poll(), "1\n")
	b.want(b.poll(), "")
	appendTo(t, path, "2\n")
	must(t, os.Rename(path, path+".1"))
	tick(t, path)
	appendTo(t, path, "3\n")
	b.want(b.quiet(), "") // it is the other's
	a.want(a.quiet(), "2\n3\n")
	appendTo(t, path+".1", "late\n")
	b.want(b.quiet(), "")
	a.want(a.quiet(), "late\n")
	a.clock.forward(2 * time.Hour) // a lets it go
	a.want(a.poll(), "")
	appendTo(t, path+".1", "later\n")
	a.want(a.poll(), "")
	b.want(b.quiet(), "later\n")
	if b.acks[b.gens[0]].Path != path {
		t.Errorf("the key's path is %s, want the first one %s", b.acks[b.gens[0]].Path, path)
	}
}

func TestAfterARestartARotatedFileGoesToItsFirstPath(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "1\n")
	a := tail(t, Config{Path: path})
	a.poll()
	appendTo(t, path, "2\n")
	must(t, os.Rename(path, path+".1"))
	tick(t, path)
	appendTo(t, path, "3\n")
	a.s.Close()

	owners := NewOwners(a.checkpoints())
	b := tail(t, Config{Path: path + ".1", Owners: owners})
	a.restart(Config{Path: path, Owners: owners})
	b.want(b.quiet(), "") // though it looks first
	a.want(a.quiet(), "2\n3\n")
	b.want(b.quiet(), "")
}

func TestAFollowedSiblingIsLeftToItsOwnStream(t *testing.T) {
	path := pathIn(t, "worker.log")
	other := filepath.Join(filepath.Dir(path), "worker-1.log")
	owners := NewOwners(nil)
	a := tail(t, Config{Path: path, Owners: owners})
	b := tail(t, Config{Path: other, Owners: owners})
	appendTo(t, path, "a\n")
	a.want(a.poll(), "a\n")
	tick(t, path)
	appendTo(t, other, "b\n")
	must(t, os.Rename(path, path+".1"))
	tick(t, path)
	appendTo(t, path, "c\n")
	a.want(a.quiet(), "c\n")
	b.want(b.poll(), "") // whether it is a copy only the other can say, who has read too little to be known by
	a.poll()
	b.want(b.quiet(), "b\n")
}

func TestWhatMayNotBeReadIsNotOpened(t *testing.T) {
	path := pathIn(t, "app.log")
	refusal := errors.New("outside the allowed roots")
	secret := pathIn(t, "secret")
	appendTo(t, secret, "secret\n")
	must(t, os.Symlink(secret, path))
	tl := tail(t, Config{Path: path, Allow: func(real string) error {
		if filepath.Base(real) == "secret" {
			return refusal
		}
		return nil
	}})
	if _, err := tl.s.Look(); !errors.Is(err, refusal) {
		t.Errorf("Look says %v", err)
	}
	if _, err := tl.s.Next(tl.buf); err != ErrIdle {
		t.Errorf("Next says %v", err)
	}
	must(t, os.Remove(path))
	appendTo(t, path, "open\n")
	tl.want(tl.quiet(), "open\n")
}

func TestAnUnreadableFileIsToldAndTriedAgain(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "1\n")
	denied := true
	tl := tail(t, Config{Path: path, Allow: func(real string) error {
		if denied {
			return &fs.PathError{Op: "open", Path: real, Err: fs.ErrPermission}
		}
		return nil
	}})
	if ready, err := tl.s.Look(); ready || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Look says %t, %v", ready, err)
	}
	denied = false
	tl.want(tl.poll(), "1\n")
}

func TestHardLinksOfOneFileAreReadOnce(t *testing.T) {
	path := pathIn(t, "app.log")
	owners := NewOwners(nil)
	appendTo(t, path, "1\n")
	must(t, os.Link(path, path+".link"))
	a := tail(t, Config{Path: path, Owners: owners})
	b := tail(t, Config{Path: path + ".link", Owners: owners})
	a.want(a.poll(), "1\n")
	b.want(b.poll(), "")
	appendTo(t, path+".link", "2\n")
	b.want(b.poll(), "")
	a.want(a.poll(), "2\n")
	must(t, os.Remove(path))
	appendTo(t, path+".link", "3\n")
	if got := a.quiet() + b.quiet() + a.quiet(); got != "3\n" {
		t.Errorf("after one of its names is gone %q is read, want the new line once", got)
	}
}

// However many files have gone, that the last of them is over is remembered.
func TestTheLastFilesThatAreOverAreRemembered(t *testing.T) {
	o := NewOwners(nil)
	for i := range uint64(knownMost + 10) {
		o.learn(Checkpoint{ID: ID{Inode: i + 1, Birth: 1}, Ended: true})
	}
	if _, ok := o.overOf(fileKey{ino: knownMost + 10, birth: 1}); !ok || len(o.mu.over) != knownMost {
		t.Errorf("the last file is remembered: %t; %d of %d are", ok, len(o.mu.over), knownMost)
	}
}

package follow

import (
	"os"
	"strings"
	"testing"
)

func TestATruncatedFileStartsOver(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "1\n2\n")
	tl := tail(t, Config{Path: path})
	tl.want(tl.poll(), "1\n2\n")
	grow(t, path, 0)
	appendTo(t, path, "3\n")
	tl.want(tl.poll(), "3\n")
	if len(tl.gens) != 2 || tl.gens[1].Cut != 1 || tl.gens[0].node() != tl.gens[1].node() {
		t.Errorf("generations %v, want two lives of one file", tl.gens)
	}
	if len(tl.finals) != 1 || !tl.finals[0].Gone || tl.finals[0].ID != tl.gens[0] {
		t.Errorf("ends told: %+v, want that of the first life", tl.finals)
	}
}

func TestRegrowthPastTheOldPositionIsNoticed(t *testing.T) {
	for _, more := range []string{"", "x", strings.Repeat("much longer than before ", 100)} {
		path := pathIn(t, "app.log")
		appendTo(t, path, numbered(0, 50))
		tl := tail(t, Config{Path: path})
		tl.poll()
		grow(t, path, 0)
		text := numbered(50, 100) + more + "\n"
		appendTo(t, path, text)
		tl.want(tl.poll(), text)
	}
}

func TestRegrowthToTheVerySameSizeIsNoticed(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "11\n")
	tl := tail(t, Config{Path: path})
	tl.want(tl.poll(), "11\n")
	tick(t, path)
	must(t, os.WriteFile(path, []byte("22\n"), 0o644))
	tl.want(tl.poll(), "22\n")
}

func TestAFragmentThatIsCutOffIsHandedOn(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "1\nfrag")
	tl := tail(t, Config{Path: path})
	tl.want(tl.poll(), "1\n")
	grow(t, path, 0)
	tl.want(tl.poll(), "frag")
	appendTo(t, path, "2\n")
	tl.want(tl.poll(), "2\n")
	appendTo(t, path, "frag of the second life")
	tl.poll()
	grow(t, path, 0)
	appendTo(t, path, "other text, as long as the fragment and longer\n")
	tl.want(tl.poll(), "frag of the second lifeother text, as long as the fragment and longer\n")
}

func TestBytesTruncatedUnreadAreCounted(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "1\n")
	tl := tail(t, Config{Path: path})
	tl.poll()
	appendTo(t, path, "unread\n")
	if ready, err := tl.s.Look(); !ready || err != nil {
		t.Fatalf("Look says %t, %v", ready, err)
	}
	grow(t, path, 0)
	tl.poll()
	if lost := tl.s.Lost(); lost != 7 {
		t.Errorf("%d bytes counted as lost, want 7", lost)
	}
}

// copyTruncate copies path to its .1 and truncates it, as logrotate's copytruncate does.
func copyTruncate(t *testing.T, path string, keep int) {
	t.Helper()
	shift(t, path+".1", keep) // the copies before
	b, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path+".1", b, 0o644))
	grow(t, path, 0)
}

func TestWhatWasCopiedBeforeATruncationIsReadFromTheCopy(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 50))
	tl := tail(t, Config{Path: path})
	tl.poll()
	appendTo(t, path, numbered(50, 60)+"and a frag")
	tick(t, path)
	copyTruncate(t, path, 3)
	appendTo(t, path, numbered(60, 70))
	tl.want(tl.poll(), numbered(50, 60)+"and a frag"+numbered(60, 70))
	tl.want(tl.quiet(), "")
	appendTo(t, path, numbered(70, 80))
	tl.want(tl.poll(), numbered(70, 80))
	if n := tl.s.Open(); n != 1 {
		t.Errorf("%d descriptors are open, want 1: the copy is done", n)
	}
}

func TestCopiesAreNotReadAgainWhenTheFileIsRenamedLater(t *testing.T) {
	path := pathIn(t, "app.log")
	tl := tail(t, Config{Path: path})
	want := ""
	for i := range 3 {
		text := numbered(i*10, i*10+10)
		appendTo(t, path, text)
		tl.want(tl.poll(), text)
		tick(t, path)
		os.Rename(path+".1", path+"."+string(rune('3'+i)))
		copyTruncate(t, path, 1)
		tl.want(tl.poll(), "")
		want += text
	}
	appendTo(t, path, "last\n")
	must(t, os.Rename(path, path+".9"))
	tick(t, path)
	appendTo(t, path, "new\n")
	tl.want(tl.quiet(), "last\nnew\n")
	tl.want(tl.text.String(), want+"last\nnew\n")
}

func TestAHoleThatATruncationLeavesUnderAWriterThatDoesNotAppend(t *testing.T) {
	path := pathIn(t, "app.log")
	w, err := os.Create(path)
	must(t, err)
	defer w.Close()
	w.WriteString("1\n2\n")
	tl := tail(t, Config{Path: path})
	tl.want(tl.poll(), "1\n2\n")
	grow(t, path, 0)
	w.WriteString("3\n")
	tl.want(tl.poll(), "\x00\x00\x00\x003\n")
}

func TestRule12WhatCameBetweenTheCopyAndTheTruncationIsCounted(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 50))
	tl := tail(t, Config{Path: path})
	tl.poll()
	appendTo(t, path, numbered(50, 60))
	tick(t, path)
	b, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path+".1", b, 0o644))
	appendTo(t, path, numbered(60, 70)) // written after the copy was made, and seen
	tl.s.Look()
	grow(t, path, 0)
	appendTo(t, path, "next\n")
	tl.want(tl.poll(), numbered(50, 60)+"next\n")
	gap := int64(len(numbered(60, 70)))
	if f := tl.finals; len(f) != 1 || f[0].Lost != gap || !f[0].LostLeast || tl.s.Lost() != gap {
		t.Errorf("ends told: %+v, want one with a gap of at least %d bytes", f, gap)
	}
	// written = delivered + gap
	if all := numbered(0, 70) + "next\n"; int64(len(tl.text.String()))+gap != int64(len(all)) {
		t.Errorf("%d bytes delivered and a gap of %d, of %d written", len(tl.text.String()), gap, len(all))
	}
}

func TestRule12WithAWholeCopyNothingIsMissing(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 50))
	tl := tail(t, Config{Path: path})
	tl.poll()
	appendTo(t, path, numbered(50, 60))
	tl.s.Look()
	tick(t, path)
	copyTruncate(t, path, 1)
	tl.want(tl.poll(), numbered(50, 60))
	if f := tl.finals; len(f) != 1 || f[0].Lost != 0 || f[0].LostLeast {
		t.Errorf("ends told: %+v, want one without a gap", f)
	}
}

func TestRule12WithoutACopyTheGapIsALowerBound(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 50))
	tl := tail(t, Config{Path: path})
	tl.poll()
	appendTo(t, path, numbered(50, 60))
	tl.s.Look()
	grow(t, path, 0)
	tl.want(tl.poll(), "")
	gap := int64(len(numbered(50, 60)))
	if f := tl.finals; len(f) != 1 || f[0].Lost != gap || !f[0].LostLeast {
		t.Errorf("ends told: %+v, want one with a gap of at least %d bytes", f, gap)
	}
}

package follow

import (
	"strings"
	"testing"
)

func TestLinesComeAsTheyAreWritten(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "one\ntwo\n")
	tl := tail(t, Config{Path: path})
	tl.want(tl.poll(), "one\ntwo\n")
	tl.want(tl.poll(), "")
	appendTo(t, path, "three\n")
	tl.want(tl.poll(), "three\n")
	if got := tl.s.Position(); got != 14 {
		t.Errorf("Position is %d, want 14", got)
	}
	if lag := tl.s.Lag(); lag != 0 {
		t.Errorf("Lag is %d with everything read", lag)
	}
}

func TestAFragmentWaitsForItsEnd(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "whole\nfrag")
	tl := tail(t, Config{Path: path})
	tl.want(tl.poll(), "whole\n")
	appendTo(t, path, "ment, ")
	tl.want(tl.poll(), "")
	if lag := tl.s.Lag(); lag != 10 {
		t.Errorf("Lag is %d with a fragment of 10 bytes waiting", lag)
	}
	appendTo(t, path, "ended\nnext")
	tl.want(tl.poll(), "fragment, ended\n")
}

func TestAnUnchangedFragmentIsNotReadAgain(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "whole\nfrag")
	tl := tail(t, Config{Path: path})
	tl.poll()
	if ready, err := tl.s.Look(); ready || err != nil {
		t.Errorf("Look says %t, %v with nothing but a known fragment", ready, err)
	}
}

func TestLineEndingsStayWithTheirLines(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "unix\nwindows\r\n\n\r\nlone\rreturn\n")
	tl := tail(t, Config{Path: path})
	tl.want(tl.poll(), "unix\nwindows\r\n\n\r\nlone\rreturn\n")
}

func TestEmptyMissingAndBinaryFiles(t *testing.T) {
	path := pathIn(t, "app.log")
	tl := tail(t, Config{Path: path})
	tl.want(tl.poll(), "")
	appendTo(t, path, "")
	tl.want(tl.poll(), "")
	appendTo(t, path, "a\x00b\xff\n\x00\x00\n")
	tl.want(tl.poll(), "a\x00b\xff\n\x00\x00\n")
}

func TestLongLinesAreSplitIntoNumberedPieces(t *testing.T) {
	path := pathIn(t, "app.log")
	long := strings.Repeat("x", 250)
	appendTo(t, path, "short\n"+long+"\nshort again\n"+strings.Repeat("y", 100)+"\r\n"+strings.Repeat("z", 200)+"\n")
	tl := tail(t, Config{Path: path, MaxLine: 100})
	tl.want(tl.poll(), "short\n"+long+"\nshort again\n"+strings.Repeat("y", 100)+"\r\n"+strings.Repeat("z", 200)+"\n")
	want := "1/false:100 2/false:100 3/true:51 1/false:100 2/true:101"
	if got := strings.Join(tl.pieces, " "); got != want {
		t.Errorf("pieces %s, want %s", got, want)
	}
}

func TestAPieceNumberSurvivesARestart(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "short\n"+strings.Repeat("x", 250))
	cfg := Config{Path: path, MaxLine: 100}
	tl := tail(t, cfg)
	tl.poll()
	tl.restart(cfg)
	appendTo(t, path, "end\n")
	tl.poll()
	want := "1/false:100 2/false:100 3/true:54"
	if got := strings.Join(tl.pieces, " "); got != want {
		t.Errorf("pieces %s, want %s", got, want)
	}
}

func TestLongLinesAreTruncatedOrSkippedAndCounted(t *testing.T) {
	text := "a\n" + strings.Repeat("x", 250) + "\nb\n"
	for long, want := range map[string]string{
		Truncate: "a\n" + strings.Repeat("x", 100) + "b\n",
		Skip:     "a\nb\n",
	} {
		path := pathIn(t, "app.log")
		appendTo(t, path, text)
		cfg := Config{Path: path, MaxLine: 100, LongLines: long}
		tl := tail(t, cfg)
		tl.want(tl.poll(), want)
		if skipped := int64(len(text) - len(want)); tl.skips != skipped {
			t.Errorf("%s: %d bytes counted as skipped, want %d", long, tl.skips, skipped)
		}
		appendTo(t, path, strings.Repeat("y", 150))
		tl.poll()
		tl.restart(cfg) // in the middle of the line
		appendTo(t, path, strings.Repeat("y", 150)+"\nc\n")
		want = strings.TrimPrefix(strings.Repeat("y", 100)+"c\n", strings.Repeat("y", 100))
		if got := tl.poll(); got != want {
			t.Errorf("%s: read %q after a restart inside the line, want %q", long, got, want)
		}
	}
}

func TestALineOfAHundredMegabytesInConstantMemory(t *testing.T) {
	path := pathIn(t, "app.log")
	block := strings.Repeat("0123456789abcdef", 1<<16)
	for range 100 {
		appendTo(t, path, block)
	}
	appendTo(t, path, "\nafter\n")
	s := New(Config{Path: path, LongLines: Split})
	defer s.Close()
	buf := make([]byte, BufferSize(1_000_000))
	var bytes, parts int
	var last Chunk
	for {
		c, err := s.Next(buf)
		if err == ErrIdle {
			break
		}
		must(t, err)
		bytes += len(c.Data)
		if c.Part > 0 {
			parts++
			if c.Part != parts {
				t.Fatalf("piece %d is numbered %d", parts, c.Part)
			}
		}
		last = c
	}
	if want := 100<<20 + 7; bytes != want || parts != 105 || string(last.Data) != "after\n" {
		t.Errorf("%d bytes in %d pieces, then %q; want %d in 105, then \"after\\n\"", bytes, parts, last.Data, want)
	}
}

func TestALineLongerThanTheBufferAsksForALargerOne(t *testing.T) {
	path := pathIn(t, "app.log")
	text := "a\n" + strings.Repeat("x", 100_000) + "\nb\n"
	appendTo(t, path, text)
	tl := tail(t, Config{Path: path})
	tl.buf = make([]byte, 4096)
	tl.want(tl.poll(), text)
	if len(tl.buf) == 4096 {
		t.Error("a line of 100 kB went through a buffer of 4 kB in one piece")
	}
}

func TestSparseFilesAreReadAsTheyAre(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "a\n")
	tl := tail(t, Config{Path: path, MaxLine: 1000})
	tl.poll()
	grow(t, path, 5000)
	appendTo(t, path, "b\n")
	tl.want(tl.poll(), strings.Repeat("\x00", 4998)+"b\n")
}

package follow

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/line"
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

// hugeLine is what a spool has of a deleted file: a line of NUL bytes, and another one behind
// it. Nothing of it lies anywhere.
type hugeLine struct{ length int64 }

const behindIt = "\nafter\n"

func (h hugeLine) Needed(ID) line.Position                    { return 0 }
func (h hugeLine) Keep(Checkpoint, Kept, []byte) (int, error) { return 0, ErrFull }
func (h hugeLine) Close() error                               { return nil }

func (h hugeLine) Find(ID) (Kept, bool) {
	size := h.length + int64(len(behindIt))
	return Kept{To: line.Position(size), Size: size, Whole: true, Bytes: h}, true
}

// ReadAt writes the end alone: buffers are empty from the first.
func (h hugeLine) ReadAt(b []byte, at int64) (int, error) {
	n := min(int64(len(b)), h.length+int64(len(behindIt))-at)
	if from := h.length - at; from < n {
		copy(b[max(from, 0):n], behindIt[max(-from, 0):])
	}
	return int(n), nil
}

func TestALineOfTenGigabytesIsLeftOutAndCounted(t *testing.T) {
	h := hugeLine{10 << 30}
	path := pathIn(t, "app.log")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s := New(Config{Path: path, LongLines: Skip, Spool: h, Resume: []Checkpoint{{ID: ID{Inode: 7, Birth: 1}, Path: path}}})
	defer s.Close()
	buf, got, skipped := make([]byte, 8<<20), "", int64(0)
	for {
		c, err := s.Next(buf)
		if err == ErrIdle {
			break
		}
		must(t, err)
		got += string(c.Data)
		skipped += c.Skipped
	}
	runtime.ReadMemStats(&after)
	if got != "after\n" || skipped != h.length+1 {
		t.Errorf("read %q and left out %d bytes, want the line behind it and %d", got, skipped, h.length+1)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
		t.Errorf("%d MB were allocated for it", used>>20)
	}
}

func TestAClockThatJumpsLosesAndDoublesNothing(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for _, jump := range []time.Duration{year, -year} {
		path := pathIn(t, "app.log")
		cfg := Config{Path: path, DeletedAge: time.Hour}
		tl, want := tail(t, cfg), ""
		for i := range 6 {
			text := numbered(i*20, i*20+20)
			appendTo(t, path, text[:len(text)/2])
			if tl.poll(); i%2 == 1 {
				tl.clock.forward(jump)
			}
			appendTo(t, path, text[len(text)/2:])
			must(t, os.Rename(path, fmt.Sprintf("%s.%d", path, 9-i)))
			tick(t, path)
			if want += text; i == 3 {
				tl.restart(cfg)
			}
		}
		appendTo(t, path, "last\n")
		for range 8 {
			tl.poll()
			tl.clock.forward(time.Second)
		}
		tl.clock.forward(4 * year) // quiet times that began in what is the future now are over
		tl.quiet()
		tl.want(tl.text.String(), want+"last\n")
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

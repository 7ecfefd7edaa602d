package follow

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/loghaul/loghaul/agent/archive"
)

// pack is text as a compressor of that file ending makes it.
func pack(t *testing.T, ext, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	var z io.WriteCloser = gzip.NewWriter(&b)
	if ext == ".zst" {
		var err error
		z, err = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
		must(t, err)
	}
	_, err := io.WriteString(z, text)
	must(t, err)
	must(t, z.Close())
	return b.Bytes()
}

// compress puts an archive into the place of a file, as gzip and zstd do: the archive has
// the time of the file.
func compress(t *testing.T, name, ext string) {
	t.Helper()
	b, err := os.ReadFile(name)
	must(t, err)
	st, err := os.Stat(name)
	must(t, err)
	tick(t, name)
	must(t, os.WriteFile(name+ext, pack(t, ext, string(b)), 0o644))
	must(t, os.Chtimes(name+ext, st.ModTime(), st.ModTime()))
	must(t, os.Remove(name))
}

// rotateAll renames the rotated files and archives of path on by one, and path to .1.
func rotateAll(t *testing.T, path string) {
	t.Helper()
	for i := 8; i > 0; i-- {
		for _, ext := range []string{"", ".gz", ".zst"} {
			err := os.Rename(fmt.Sprint(path, ".", i, ext), fmt.Sprint(path, ".", i+1, ext))
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
	}
	must(t, os.Rename(path, path+".1"))
	tick(t, path)
}

func TestAFileThatWasCompressedWhileDownGoesOnAtTheSameByte(t *testing.T) {
	for _, ext := range []string{".gz", ".zst"} {
		path := pathIn(t, "app.log")
		appendTo(t, path, numbered(0, 30))
		cfg := Config{Path: path}
		tl := tail(t, cfg)
		tl.poll()
		first := tl.gens[0]
		appendTo(t, path, numbered(30, 40)+"and a frag")
		rotateAll(t, path)
		compress(t, path+".1", ext)
		appendTo(t, path, numbered(50, 60))
		tl.restart(cfg)
		tl.want(tl.quiet(), numbered(30, 40)+"and a frag"+numbered(50, 60))
		if len(tl.finals) != 1 || !tl.finals[0].Gone || tl.finals[0].ID != first {
			t.Errorf("ends told: %+v, want that of the compressed file", tl.finals)
		}
		tl.restart(cfg)
		tl.want(tl.quiet(), "")
		if n := tl.s.Open(); n != 1 {
			t.Errorf("%d descriptors are open, want 1: the archive is done", n)
		}
	}
}

func TestFilesThatCameWentAndWereCompressedUnseenAreReadOldestFirst(t *testing.T) {
	for _, delay := range []bool{false, true} {
		path := pathIn(t, "app.log")
		appendTo(t, path, numbered(0, 30))
		cfg := Config{Path: path}
		tl := tail(t, cfg)
		tl.poll()
		appendTo(t, path, numbered(30, 40))
		for i := 4; i < 8; i++ {
			rotateAll(t, path)
			if delay && i > 4 {
				compress(t, path+".2", ".gz")
			} else if !delay {
				compress(t, path+".1", ".gz")
			}
			appendTo(t, path, numbered(i*10, i*10+10))
		}
		tl.restart(cfg)
		tl.want(tl.quiet(), numbered(30, 80))
		tl.restart(cfg)
		tl.want(tl.quiet(), "")
		for i := 8; i < 10; i++ { // and while it runs
			rotateAll(t, path)
			compress(t, path+".1", ".gz")
			appendTo(t, path, numbered(i*10, i*10+10))
			tl.want(tl.quiet(), numbered(i*10, i*10+10))
		}
	}
}

// A kill in the middle of an archive of which nothing was known before.
func TestAnArchiveIsReadOnAfterAKill(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 30))
	cfg := Config{Path: path}
	tl := tail(t, cfg)
	tl.poll()
	for i := 3; i < 5; i++ {
		rotateAll(t, path)
		compress(t, path+".1", ".gz")
		appendTo(t, path, numbered(i*100, i*100+100))
	}
	tl.restart(cfg)
	tl.s.Look()
	tl.buf = make([]byte, leastBuffer)
	for tl.text.Len() < len(numbered(0, 30))+len(numbered(300, 350)) {
		c, err := tl.s.Next(tl.buf)
		if err == ErrFar || err == ErrIdle {
			continue
		}
		must(t, err)
		tl.take(c)
	}
	rotateAll(t, path) // the archive gets another name meanwhile
	compress(t, path+".1", ".gz")
	appendTo(t, path, numbered(600, 610))
	tl.restart(cfg)
	tl.quiet()
	tl.want(tl.text.String(), numbered(0, 30)+numbered(300, 500)+numbered(600, 610))
}

func TestArchivesOfWhatWasReadAreNotReadAgain(t *testing.T) {
	path := pathIn(t, "app.log")
	cfg := Config{Path: path}
	appendTo(t, path, numbered(0, 10))
	tl := tail(t, cfg)
	want := ""
	for i := range 6 { // live, with a file that is compressed one rotation late
		text := numbered(i*10, i*10+10)
		if i > 0 {
			appendTo(t, path, text)
		}
		want += text
		tl.quiet()
		rotateAll(t, path)
		if i > 0 {
			compress(t, path+".2", ".gz")
		}
		if i == 3 {
			appendTo(t, path, "")
			tl.restart(cfg)
		}
	}
	appendTo(t, path, "last\n")
	tl.quiet()
	tl.want(tl.text.String(), want+"last\n")
	tl.restart(cfg)
	rotateAll(t, path)
	compress(t, path+".2", ".gz")
	appendTo(t, path, "new\n")
	tl.want(tl.quiet(), "new\n")
}

func TestAnArchiveFromBeforeIsNoNews(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 10))
	must(t, os.Rename(path, path+".1")) // and nobody followed it
	tick(t, path)
	appendTo(t, path, numbered(10, 20))
	cfg := Config{Path: path}
	tl := tail(t, cfg)
	tl.want(tl.poll(), numbered(10, 20))
	appendTo(t, path+".1", "a late line of its writer\n")
	tick(t, path)
	compress(t, path+".1", ".gz") // only now
	must(t, os.Rename(path+".1.gz", path+".2.gz"))
	appendTo(t, path, numbered(20, 30))
	must(t, os.Rename(path, path+".1"))
	compress(t, path+".1", ".gz")
	tick(t, path)
	appendTo(t, path, numbered(30, 40))
	tl.restart(cfg)
	tl.want(tl.quiet(), numbered(20, 40))
}

func TestTheTailTellsWhichArchiveHoldsAFile(t *testing.T) {
	path := pathIn(t, "app.log")
	head := "#Version: 1.0\n" + strings.Repeat("#Fields: a b c and some more, which makes a long head\n", 25)
	cfg := Config{Path: path}
	appendTo(t, path, head+numbered(0, 5))
	tl := tail(t, cfg)
	tl.poll()
	appendTo(t, path, numbered(5, 10))
	want := head + numbered(0, 10)
	for i := 1; i < 4; i++ {
		rotateAll(t, path)
		compress(t, path+".1", ".zst")
		appendTo(t, path, head+numbered(i*10, i*10+10))
		want += head + numbered(i*10, i*10+10)
	}
	tl.restart(cfg)
	tl.quiet()
	tl.want(tl.text.String(), want)
}

func TestACopyThatWasCompressedIsReadOn(t *testing.T) {
	for _, down := range []bool{false, true} {
		path := pathIn(t, "app.log")
		appendTo(t, path, numbered(0, 30))
		cfg := Config{Path: path}
		tl := tail(t, cfg)
		tl.poll()
		appendTo(t, path, numbered(30, 40))
		tick(t, path)
		copyTruncate(t, path, 1)
		compress(t, path+".1", ".gz")
		appendTo(t, path, numbered(40, 50))
		if down {
			tl.restart(cfg)
		}
		tl.want(tl.quiet(), numbered(30, 50))
		if f := tl.finals; len(f) != 1 || f[0].Lost != 0 {
			t.Errorf("ends told: %+v, want one without a gap", f)
		}
		tl.restart(cfg)
		tl.want(tl.quiet(), "")
	}
}

func TestAReleasedFileThatWasCompressedIsReadOn(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 30))
	tl := tail(t, Config{Path: path})
	tl.poll()
	appendTo(t, path, numbered(30, 40))
	tl.s.Look()
	tl.s.Release()
	rotateAll(t, path)
	compress(t, path+".1", ".gz")
	appendTo(t, path, numbered(40, 50))
	tl.want(tl.quiet(), numbered(30, 50))
	if lost := tl.s.Lost(); lost != 0 {
		t.Errorf("%d bytes counted as lost", lost)
	}
}

func TestAnArchiveThatIsStillWrittenIsWaitedFor(t *testing.T) {
	for _, mended := range []bool{true, false} {
		path := pathIn(t, "app.log")
		appendTo(t, path, numbered(0, 300))
		cfg := Config{Path: path}
		tl := tail(t, cfg)
		tl.poll()
		appendTo(t, path, numbered(300, 5000))
		rotateAll(t, path)
		b, err := os.ReadFile(path + ".1")
		must(t, err)
		packed := pack(t, ".gz", string(b))
		must(t, os.Remove(path+".1"))
		must(t, os.WriteFile(path+".1.gz", packed[:len(packed)/2], 0o644))
		appendTo(t, path, "new\n")
		tl.restart(cfg)
		tl.buf = make([]byte, 8192)
		got := tl.quiet()
		if strings.Contains(got, "new") || !strings.HasPrefix(numbered(300, 5000), got) {
			t.Fatal("the archive was not waited for")
		}
		if mended {
			must(t, os.WriteFile(path+".1.gz", packed, 0o644))
			tl.clock.forward(2 * time.Second)
			tl.want(got+tl.quiet(), numbered(300, 5000)+"new\n")
			continue
		}
		tl.clock.forward(time.Minute)
		var bad *archive.Damage
		for bad == nil {
			c, err := tl.s.Next(tl.buf)
			if err == nil {
				tl.take(c)
				got += string(c.Data)
			} else if err != ErrFar && !errors.As(err, &bad) {
				t.Fatal(err)
			}
		}
		if !bad.Cut || filepath.Base(bad.Name) != "app.log.1.gz" {
			t.Errorf("told: %v", bad)
		}
		got += tl.quiet()
		rest, ok := strings.CutSuffix(got, "new\n")
		if !ok || !strings.HasPrefix(numbered(300, 5000), rest) || len(rest) < 10_000 {
			t.Errorf("%d bytes of the cut archive and what follows: %t", len(rest), ok)
		}
		if f := tl.finals; len(f) != 1 || f[0].Lost == 0 || !f[0].LostLeast {
			t.Errorf("ends told: %+v, want one with a loss", f)
		}
	}
}

func TestALongLineGoesOnInAnArchive(t *testing.T) {
	path := pathIn(t, "app.log")
	text := numbered(0, 10) + strings.Repeat("x", 3000) + "\nend\n"
	appendTo(t, path, text[:len(text)-1500])
	cfg := Config{Path: path, MaxLine: 1000}
	tl := tail(t, cfg)
	got := tl.poll()
	appendTo(t, path, text[len(text)-1500:])
	rotateAll(t, path)
	compress(t, path+".1", ".gz")
	appendTo(t, path, "")
	tl.restart(cfg)
	tl.want(got+tl.quiet(), text)
	if got, want := fmt.Sprint(tl.pieces), "[1/false:1000 2/false:1000 3/true:1001]"; got != want {
		t.Errorf("pieces %s, want %s", got, want)
	}
}

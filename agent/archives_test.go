package agent

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// compress puts an archive into the place of a log file.
func (h *house) compress(name, ext string) {
	h.t.Helper()
	path := filepath.Join(h.logs, name)
	data, err := os.ReadFile(path)
	if err != nil {
		h.t.Fatal(err)
	}
	var b bytes.Buffer
	if ext == ".gz" {
		z := gzip.NewWriter(&b)
		z.Write(data)
		err = z.Close()
	} else {
		var z *zstd.Encoder
		if z, err = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1)); err == nil {
			z.Write(data)
			err = z.Close()
		}
	}
	if err == nil {
		err = os.WriteFile(path+ext, b.Bytes(), 0o644)
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

func TestOnceSendsArchivesTooAndEachOnce(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "*", `"exclude":["b.*"]`)
	var want []string
	for i, ext := range []string{".gz", ".zst"} {
		name := fmt.Sprint("a.log.", i+1)
		h.lines(name, 0, 3000)
		h.compress(name, ext)
		want = append(want, numbered(name, 0, 3000)...)
	}
	h.lines("a.log", 0, 10)
	want = append(want, numbered("a.log", 0, 10)...)
	h.lines("b.log.1", 0, 10)
	h.compress("b.log.1", ".gz") // excluded
	for range 3 {
		if err := h.once(); err != nil {
			t.Fatal(err)
		}
		h.want("web_log", want)
		h.contiguous("web_log")
	}
	h.rename("a.log.2.zst", "a.log.3.zst")
	h.rename("a.log.1.gz", "a.log.2.gz")
	h.rename("a.log", "a.log.1")
	h.lines("a.log.1", 10, 5)
	h.compress("a.log.1", ".gz")
	h.lines("a.log", 100, 5)
	if err := h.once(); err != nil {
		t.Fatal(err)
	}
	want = append(append(want, numbered("a.log", 100, 5)...), numbered("a.log.1", 10, 5)...)
	h.want("web_log", want)
	h.contiguous("web_log")
}

func TestOnceSendsArchivesOldestFirst(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "*.gz", `"partition":0,"batch":{"bytes":1024,"age":"1ms"}`)
	var want []string
	for i, name := range []string{"c.log", "a.log", "b.log"} {
		h.lines(name, 0, 1)
		h.compress(name, ".gz")
		written := time.Now().Add(time.Duration(i-9) * time.Hour)
		if err := os.Chtimes(filepath.Join(h.logs, name+".gz"), written, written); err != nil {
			t.Fatal(err)
		}
		want = append(want, name+" line 0")
	}
	if err := h.once(); err != nil {
		t.Fatal(err)
	}
	if got := h.values("web_log"); !slices.Equal(got, want) {
		t.Errorf("sent in the order %q, want %q", got, want)
	}
}

func TestOnceNamesACutArchive(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "*", "")
	h.lines("a.log.1", 0, 3000)
	h.compress("a.log.1", ".gz")
	name := filepath.Join(h.logs, "a.log.1.gz")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b[:len(b)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	longAgo := time.Now().Add(-time.Hour) // nobody is writing it any more
	if err := os.Chtimes(name, longAgo, longAgo); err != nil {
		t.Fatal(err)
	}
	if err := h.once(); err == nil || !strings.Contains(err.Error(), "a.log.1.gz") {
		t.Errorf("an archive that ends too early: %v, want its name", err)
	}
	if n := h.count("web_log"); n == 0 || n >= 3000 {
		t.Errorf("%d records of the half archive", n)
	}
}

func TestADamagedArchiveIsShownInTheStatus(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "a.log", "")
	h.lines("a.log", 0, 100)
	r := h.start()
	h.want("web_log", numbered("a.log", 0, 100))
	r.stop()
	h.lines("a.log", 100, 3000)
	h.rename("a.log", "a.log.1")
	h.compress("a.log.1", ".gz")
	name := filepath.Join(h.logs, "a.log.1.gz")
	st, err := os.Stat(name)
	if err == nil {
		err = os.Truncate(name, st.Size()/2)
	}
	longAgo := time.Now().Add(-time.Hour) // nobody is writing it any more
	if err := errors.Join(err, os.Chtimes(name, longAgo, longAgo)); err != nil {
		t.Fatal(err)
	}
	h.lines("a.log", 3100, 10)
	r = h.start()
	h.until(func() bool {
		for _, s := range r.Status().Streams {
			if strings.Contains(s.Error, "a.log.1.gz") {
				return true
			}
		}
		return false
	}, func() string { return fmt.Sprintf("the archive is not named: %+v", r.Status().Streams) })
	h.until(func() bool { return slices.Contains(h.values("web_log"), "a.log line 3109") }, func() string { return "what comes after the archive is not sent" })
}

func TestARunningAgentLeavesArchivesAloneAndGoesOnInItsOwn(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "*", "")
	h.lines("z.log.1", 0, 10)
	h.compress("z.log.1", ".gz")
	h.lines("a.log", 0, 100)
	r := h.start()
	h.want("web_log", numbered("a.log", 0, 100))
	r.stop()
	h.lines("a.log", 100, 100)
	h.rename("a.log", "a.log.1")
	h.compress("a.log.1", ".zst")
	h.lines("a.log", 200, 10)
	r = h.start()
	h.want("web_log", numbered("a.log", 0, 210))
	h.contiguous("web_log")
	r.stop()
	r = h.start()
	h.lines("a.log", 210, 10)
	h.want("web_log", numbered("a.log", 0, 220))
	if n := h.log.count("are left alone"); n == 0 {
		t.Error("it is not told that an archive is left alone")
	}
}

// What was begun and not acknowledged lies in an archive by the time of the restart.
func TestRule5ABatchIsRebuiltFromAnArchive(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "a.log", `"batch":{"bytes":3000,"age":"1ms"}`)
	h.lines("a.log", 0, 100)
	h.kill(func() bool { return h.count("web_log") == 100 }, "the first lines are not sent")
	refused := h.deafen()
	h.lines("a.log", 100, 400)
	h.kill(func() bool { return refused.Load() > 0 }, "nothing is refused")
	h.rename("a.log", "a.log.1")
	h.compress("a.log.1", ".gz")
	h.lines("a.log", 500, 10)
	h.hear()
	h.input("web", "web_log", "a.log", `"batch":{"bytes":3000,"age":"1ms"},"drop":["DROP"]`)
	r := h.start()
	h.want("web_log", numbered("a.log", 0, 510))
	h.contiguous("web_log")
	if n := r.metrics.lost.Load(); n != 0 {
		t.Errorf("%d bytes are counted as lost", n)
	}
}

package commitlog

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/loghaul/loghaul/internal/disk"
)

// cachedPages is which pages of a file are in the page cache.
func cachedPages(t testing.TB, path string) []bool {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	m, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(m)
	vec := make([]byte, (len(m)+pageBytes-1)/pageBytes)
	if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&m[0])), uintptr(len(m)), uintptr(unsafe.Pointer(&vec[0]))); errno != 0 {
		t.Fatal(errno)
	}
	pages := make([]bool, len(vec))
	for i, v := range vec {
		pages[i] = v&1 != 0
	}
	return pages
}

func count(pages []bool) (n int) {
	for _, p := range pages {
		if p {
			n++
		}
	}
	return n
}

// forgetPages takes a file out of the page cache; it skips the test where the file system keeps nothing else.
func forgetPages(t testing.TB, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
	if n := count(cachedPages(t, path)); n > 8 {
		t.Skipf("%d pages stay in memory: a file system of memory, or another one that keeps no others", n)
	}
}

// The scrub reads everything, and leaves in the page cache what was there, and nothing else.
func TestTheScrubTakesNothingFromThePageCacheAndLeavesNothingThere(t *testing.T) {
	l := open(t, logDir(t), Config{SegmentBytes: 8 << 20, Disk: disk.Real{}})
	for i := range 60 { // sizes below and above the window
		appendTo(t, l, plain(t, fmt.Sprint(i), string(bytes.Repeat([]byte{byte(i)}, 3000+i*9000))))
	}
	if len(l.mu.segments) < 2 {
		t.Fatal("one segment")
	}
	dir := l.Dir()
	closeLog(t, l)
	path := l.mu.segments[0].path(logSuffix)
	forgetPages(t, path)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM)
	for _, at := range []int64{1 << 20, 3<<20 + 100} {
		if _, err := f.ReadAt(make([]byte, 500<<10), at); err != nil {
			t.Fatal(err)
		}
	}
	before := cachedPages(t, path)
	if count(before) < 240 || count(before) > 300 {
		t.Fatalf("%d pages are cached", count(before))
	}
	l = open(t, dir, Config{SegmentBytes: 8 << 20, Disk: disk.Real{}})
	if found, n := scrubbed(t, l); len(found) > 0 || n != sizeOf(l) {
		t.Fatalf("read %d of %d bytes, found %v", n, sizeOf(l), found)
	}
	after := cachedPages(t, path)
	taken, left := 0, 0
	for i := range before {
		switch {
		case before[i] && !after[i]:
			taken++
		case !before[i] && after[i]:
			left++
		}
	}
	// The system keeps a page that another core is just at; what is read without care leaves 1800.
	if taken > 4 || left > 250 {
		t.Errorf("%d pages were cached before; the scrub took %d of them away and left %d others", count(before), taken, left)
	}
}

// Kernels that tell of no single page do so of the first ones of a read.
func TestWhereNoSinglePageIsToldOfMostIsLetGoToo(t *testing.T) {
	path := logDir(t)
	want := make([]byte, 8<<20)
	for i := range want {
		want[i] = byte(i >> 9)
	}
	if err := os.WriteFile(path, want, 0o600); err != nil {
		t.Fatal(err)
	}
	forgetPages(t, path)
	f, err := disk.Real{}.Open(path, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	q := quietly(f).(*quiet)
	q.coarse = true
	got := make([]byte, len(want))
	for at := 0; at < len(got); at += 100_000 {
		end := min(at+150_000, len(got)) // as a walker reads: a part again
		if n, err := q.ReadAt(got[at:end], int64(at)); err != nil || n != end-at {
			t.Fatalf("at %d: %d bytes, %v", at, n, err)
		}
	}
	if err := q.Close(); err != nil || q.loud || !bytes.Equal(got, want) {
		t.Fatalf("closed: %v, loud: %t, the same: %t", err, q.loud, bytes.Equal(got, want))
	}
	// What the kernel is just reading ahead or using it keeps: 2048 pages stay without letting go.
	if n := count(cachedPages(t, path)); n > len(want)/pageBytes/2 {
		t.Errorf("%d of %d pages were left", n, len(want)/pageBytes)
	}
}

// BenchmarkScrubOfWhatIsNotCached says what it costs to let go of pages behind it.
func BenchmarkScrubOfWhatIsNotCached(b *testing.B) {
	for _, apart := range []bool{true, false} {
		b.Run(fmt.Sprintf("quietly=%t", apart), func(b *testing.B) {
			path := logDir(b)
			const size = 64 << 20
			if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
				b.Fatal(err)
			}
			buf := make([]byte, 256<<10)
			b.SetBytes(size)
			for b.Loop() {
				b.StopTimer()
				forgetPages(b, path)
				f, err := disk.Real{}.Open(path, os.O_RDONLY, 0)
				if err != nil {
					b.Fatal(err)
				}
				if apart {
					f = quietly(f)
				}
				b.StartTimer()
				for at := int64(0); at < size; at += int64(len(buf)) {
					if _, err := f.ReadAt(buf, at); err != nil {
						b.Fatal(err)
					}
				}
				f.Close()
			}
			b.ReportMetric(float64(count(cachedPages(b, path))), "pages-left")
		})
	}
}

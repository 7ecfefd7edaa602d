package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func zip(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zst(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(z, text) // as a stream: without the size in the header
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func both(t testing.TB, text string) map[string][]byte {
	return map[string][]byte{"gzip": zip(t, text), "zstd": zst(t, text)}
}

func reader(t testing.TB, packed []byte, slots *Slots) *Reader {
	t.Helper()
	r, err := Open("app.log.1.gz", bytes.NewReader(packed), slots)
	if err != nil || r == nil {
		t.Fatalf("Open gave %v, %v", r, err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func text(lines int) string {
	var b strings.Builder
	r := rand.New(rand.NewPCG(1, 2))
	for i := range lines {
		fmt.Fprintf(&b, "line %d %x\n", i, r.Uint64())
	}
	return b.String()
}

// all reads r as a Stream does: a buffer full, of which all but the last rest is used.
func all(t testing.TB, r *Reader, size int) (string, error) {
	t.Helper()
	var out strings.Builder
	b := make([]byte, size)
	for {
		n, err := r.ReadAt(b, int64(out.Len()))
		if err != nil {
			return out.String(), err
		}
		if n < len(b) {
			out.Write(b[:n])
			return out.String(), nil
		}
		out.Write(b[:n-n/3])
	}
}

func TestAnArchiveIsReadAsWhatItWasMadeFrom(t *testing.T) {
	want := text(20_000)
	for name, packed := range both(t, want) {
		for _, size := range []int{5000, 300_000} {
			got, err := all(t, reader(t, packed, nil), size)
			if err != nil || got != want {
				t.Errorf("%s in pieces of %d: %d bytes and %v, want %d", name, size, len(got), err, len(want))
			}
		}
	}
}

func TestMembersPutBehindEachOtherAreOneFile(t *testing.T) {
	for name, packed := range map[string][]byte{
		"gzip":                        slicesOf(zip(t, "a\n"), zip(t, ""), zip(t, "b\nc"), zip(t, "d\n")),
		"zstd":                        slicesOf(zst(t, "a\n"), zst(t, "b\nc"), zst(t, "d\n")),
		"gzip and then zeros":         slicesOf(zip(t, "a\nb\ncd\n"), make([]byte, 1000)),
		"zstd with a skippable frame": slicesOf([]byte{0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4}, zst(t, "a\nb\ncd\n")),
	} {
		if got, err := all(t, reader(t, packed, nil), 4096); err != nil || got != "a\nb\ncd\n" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func slicesOf(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestAPositionFarIntoAnArchiveIsReachedInStretches(t *testing.T) {
	want := strings.Repeat(text(1000), 400) // 11 MB
	for name, packed := range both(t, want) {
		r := reader(t, packed, nil)
		to := int64(len(want)) - 100_005
		var line int64
		var err error
		calls := 1
		for line, err = r.Forward(to); err == ErrFar; line, err = r.Forward(to) {
			calls++
		}
		if start := int64(strings.LastIndexByte(want[:to], '\n') + 1); err != nil || line != start {
			t.Errorf("%s: Forward gave the line at %d, %v; want %d", name, line, err, start)
		}
		if most := len(want)/stride + 1; calls < 2 || calls > most {
			t.Errorf("%s: %d calls to go %d bytes forward", name, calls, to)
		}
		b := make([]byte, 300_000)
		n, err := r.ReadAt(b, to-256)
		if err != nil || string(b[:n]) != want[to-256:] {
			t.Errorf("%s: %d bytes at the position, %v", name, n, err)
		}
		if held := cap(r.win); held > 1<<20 {
			t.Errorf("%s: %d bytes are kept", name, held)
		}
		if n, err = r.ReadAt(b[:10], 5); err != nil || string(b[:n]) != want[5:15] {
			t.Errorf("%s: back at 5: %q, %v", name, b[:n], err)
		}
	}
}

func TestALineOfManyBlocksHasItsStart(t *testing.T) {
	want := "first\n" + strings.Repeat("x", 3<<20)
	for name, packed := range both(t, want) {
		r := reader(t, packed, nil)
		if line, err := r.Forward(2 << 20); err != nil || line != 6 {
			t.Errorf("%s: the line begins at %d, %v; want 6", name, line, err)
		}
	}
}

func TestACutOrDamagedArchiveIsNamed(t *testing.T) {
	want := text(50_000)
	for name, packed := range both(t, want) {
		broken := bytes.Clone(packed)
		copy(broken[len(broken)/2:], make([]byte, 5000))
		for what, c := range map[string]struct {
			packed []byte
			cut    bool
		}{"cut": {packed[:len(packed)-len(packed)/3], true}, "header": {packed[:5], true}, "damaged": {broken, false}} {
			r := reader(t, c.packed, nil)
			got, err := all(t, r, 8192)
			var bad *Damage
			if !errors.As(err, &bad) || bad.Cut != c.cut || !strings.Contains(err.Error(), "app.log.1.gz") || c.cut && !strings.HasPrefix(want, got) {
				t.Errorf("%s, %s: %d bytes and %v", name, what, len(got), err)
				continue
			}
			r.GiveUp()
			got, err = all(t, r, 8192)
			if err != nil || int64(len(got)) != bad.At || c.cut && got != want[:len(got)] {
				t.Errorf("%s, %s: given up: %d bytes and %v, want %d", name, what, len(got), err, bad.At)
			}
		}
	}
	if _, err := all(t, reader(t, slicesOf(zip(t, "a\n"), []byte("plain text\n")), nil), 4096); !errors.Is(err, errTrailing) {
		t.Errorf("something behind the last member: %v", err)
	}
}

func TestATooLargeWindowIsRefusedWithTheMend(t *testing.T) {
	packed := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0x80, 9, 0, 0, 'a'} // a frame of one byte that asks for 64 MiB
	if _, err := all(t, reader(t, packed, nil), 4096); err == nil || !strings.Contains(err.Error(), "without --long") {
		t.Errorf("a window of 64 MiB: %v", err)
	}
}

func TestTheMemoryOfAllArchivesIsBounded(t *testing.T) {
	slots := NewSlots(2 * overhead)
	packed := zip(t, text(50_000))
	a, b, c := reader(t, packed, slots), reader(t, packed, slots), reader(t, packed, slots)
	buf := make([]byte, 100)
	read := func(r *Reader) error { _, err := r.ReadAt(buf, 0); return err }
	if err := errors.Join(read(a), read(b)); err != nil {
		t.Fatal(err)
	}
	if err := read(c); err != ErrBusy {
		t.Errorf("a third archive: %v", err)
	}
	a.Close()
	if err := read(c); err != nil {
		t.Errorf("after the first was closed: %v", err)
	}
	if _, err := all(t, b, 8192); err != nil {
		t.Fatal(err)
	}
	if err := read(a); err != nil { // b is at its end and takes nothing any more
		t.Errorf("after the second was read to its end: %v", err)
	}
}

func TestWhatIsNoArchive(t *testing.T) {
	for _, plain := range []string{"", "\x1f", "plain text", "\x1f\x8b\x07...", "(\xb5/"} {
		if r, err := Open("x.gz", strings.NewReader(plain), nil); r != nil || err != nil {
			t.Errorf("%q: %v, %v", plain, r, err)
		}
	}
	for name, want := range map[string]string{"app.log.1.gz": "app.log.1", "app-20260131.log.ZST": "app-20260131.log", "app.log.Z": "app.log"} {
		if got, ok := Trim(name); !ok || got != want {
			t.Errorf("Trim(%s) gave %s, %t", name, got, ok)
		}
	}
	for _, name := range []string{"app.log", "app.log.bz2", ".gz"} {
		if _, ok := Trim(name); ok {
			t.Errorf("Trim took an ending from %s", name)
		}
	}
}

// FuzzReader: whatever the bytes, reading ends, and the same bytes come whatever the
// size of the pieces.
func FuzzReader(f *testing.F) {
	f.Add(zip(f, "a\nb\n"), 3)
	f.Add(zst(f, text(100)), 100)
	f.Add(zip(f, text(100))[:200], 50)
	f.Add(append(zip(f, "a"), 0x1f, 0x8b), 5)
	f.Fuzz(func(t *testing.T, packed []byte, size int) {
		if len(packed) > 1<<16 {
			return
		}
		r, err := Open("x", bytes.NewReader(packed), nil)
		if err != nil || r == nil {
			return
		}
		defer r.Close()
		r.GiveUp()
		var first strings.Builder
		b := make([]byte, 8192)
		for first.Len() < 4<<20 { // what a few bytes can be made from has no end
			n, err := r.ReadAt(b, int64(first.Len()))
			first.Write(b[:n])
			if err != nil || n < len(b) {
				break
			}
		}
		b = make([]byte, 1+abs(size)%5000)
		at := int64(abs(size)) % int64(first.Len()+1)
		n, err := r.ReadAt(b, at)
		if err != nil || !strings.HasPrefix(first.String()[at:], string(b[:n])) && first.Len() < 4<<20 {
			t.Fatalf("at %d: %d bytes, %v", at, n, err)
		}
	})
}

func abs(n int) int {
	if n < 0 {
		return -(n + 1)
	}
	return n
}

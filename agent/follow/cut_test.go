package follow

import (
	"bytes"
	"fmt"
	"testing"
)

// cutAll cuts text as a Stream does that reads it in blocks of the given size.
func cutAll(c cutter, text []byte, block int) (pieces []string, kept []byte, skipped int) {
	var st lineState
	for at := 0; at < len(text); {
		data := text[at:min(len(text), at+block)]
		p := c.next(&st, data, at+len(data) == len(text))
		if p.n == 0 && p.skip == 0 {
			block++ // not a whole line yet
			continue
		}
		at += p.skip + p.n
		skipped += p.skip
		kept = append(kept, text[at-p.n:at]...)
		if p.n > 0 {
			pieces = append(pieces, fmt.Sprintf("%d/%t:%s", p.part, p.last, text[at-p.n:at]))
		}
	}
	return pieces, kept, skipped
}

// FuzzCutter: whatever the bytes and however they are read, nothing is lost or
// made up, no piece is too long, and the pieces do not depend on the reading.
func FuzzCutter(f *testing.F) {
	f.Add([]byte("a\nbb\r\n\n"), 4, 3)
	f.Add([]byte("0123456789abcdef0123456789abcdef\r\nx"), 16, 5)
	f.Add([]byte("0123456789abcdef\r\n0123456789abcdef\r"), 16, 1)
	f.Add(bytes.Repeat([]byte("x"), 100), 7, 50)
	f.Fuzz(func(t *testing.T, text []byte, most, block int) {
		most, block = 1+abs(most)%64, 1+abs(block)%64
		for _, long := range []string{Split, Truncate, Skip} {
			c := cutter{max: most, long: long}
			pieces, kept, skipped := cutAll(c, text, block)
			if len(kept)+skipped != len(text) {
				t.Fatalf("%s: %d bytes became %d and %d skipped", long, len(text), len(kept), skipped)
			}
			if long == Split && !bytes.Equal(kept, text) {
				t.Fatalf("split: %q became %q", text, kept)
			}
			again, _, _ := cutAll(c, text, 1<<20)
			a, b := lines(pieces), lines(again)
			if a != b {
				t.Fatalf("%s, most %d: read in blocks of %d\n%s\nread at once\n%s", long, most, block, a, b)
			}
			for _, line := range bytes.SplitAfter([]byte(a), []byte("\x00")) {
				if len(line) > most+2+len("0/false:")+20 {
					t.Fatalf("%s, most %d: a piece of %d bytes", long, most, len(line))
				}
			}
		}
	})
}

func abs(n int) int {
	if n < 0 {
		return -(n + 1)
	}
	return n
}

// lines joins chunks of whole lines, which may be cut anywhere between two lines,
// and keeps pieces apart.
func lines(pieces []string) string {
	var out string
	for _, p := range pieces {
		if len(p) > 8 && p[:8] == "0/false:" {
			for _, l := range bytes.SplitAfter([]byte(p[8:]), []byte("\n")) {
				if len(l) > 0 {
					out += string(l) + "\x00"
				}
			}
			continue
		}
		out += p + "\x00"
	}
	return out
}

func TestRotatedNames(t *testing.T) {
	for name, want := range map[string]bool{
		"app.log.1": true, "app.log-20260131": true, "app.log.2026-01-31T10:00:00": true, "app.log.old": true, "app.log~": true,
		"app.1.log": true, "app-2026-01-31.log": true, "app.log.20260131.1": true, "app.log_1": true,
		"app.log": false, "app.log.1.gz": false, "app.log.lock": false, "app.logger": false, "app-error.log": false, "apple.log": false,
		"app.log2": false, "xapp.log.1": false, "app.log.": false,
	} {
		if got := rotated("app.log", name); got != want {
			t.Errorf("rotated(app.log, %s) is %t", name, got)
		}
	}
}

func TestGenerationNumbersComeFromTheIdentityAlone(t *testing.T) {
	id := ID{FS: 1, Inode: 2, Birth: 3, Cut: 4}
	if got := id.Generation().String(); got != "d3642011" {
		t.Errorf("generation %s: what topics hold would not be recognised any more", got)
	}
	other := id
	other.Cut++
	if id.Generation() == other.Generation() {
		t.Error("two lives of a file share a number")
	}
}

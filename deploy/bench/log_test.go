package bench

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestTheLogIsWhatItSaysItIs(t *testing.T) {
	a, b := filepath.Join(t.TempDir(), "a.log"), filepath.Join(t.TempDir(), "b.log")
	for _, path := range []string{a, b} {
		if err := writeLog(path, 5000); err != nil {
			t.Fatal(err)
		}
	}
	if err := sameBytes(a, b); err != nil {
		t.Errorf("two logs of one length differ: %v", err)
	}
	log, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(bytes.TrimSuffix(log, []byte("\n")), []byte("\n"))
	if len(lines) != 5000 || len(log) != 5000*lineBytes {
		t.Fatalf("%d lines in %d bytes, want 5000 in %d", len(lines), len(log), 5000*lineBytes)
	}
	for i, l := range lines[:len(lines)-1] {
		if len(l) != lineBytes || !bytes.Contains(l, []byte(" HTTP/1.1\" ")) {
			t.Fatalf("line %d is %q, want %d bytes of an access log", i, l, lineBytes)
		}
	}
}

func TestDifferentBytesAreFound(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	text := bytes.Repeat([]byte("0123456789"), 300_000)
	for path, change := range map[string]byte{a: '0', b: 'x'} {
		copied := bytes.Clone(text)
		copied[2_000_000] = change
		if err := os.WriteFile(path, copied, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := sameBytes(a, b); err == nil {
		t.Error("two files that differ in one byte were called the same")
	}
	if err := sameBytes(a, a); err != nil {
		t.Errorf("one file differs from itself: %v", err)
	}
}

package diskroom

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/loghaul/loghaul/internal/disk/crashdisk"
)

// lay makes files of so many bytes.
func lay(t *testing.T, dir string, files map[string]int) {
	t.Helper()
	for name, size := range files {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if err == nil {
			err = os.WriteFile(path, make([]byte, size), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAStartHasRoomOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	size := func(name string) int64 {
		info, err := os.Stat(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return -1
		} else if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	if err := Replace(nil, dir, func() error { return nil }); err != nil || size(startName) != StartBytes {
		t.Fatalf("the first start: %v, its room is %d bytes, want %d", err, size(startName), StartBytes)
	}
	lay(t, dir, map[string]int{ballastName: 8192})
	for _, c := range []struct {
		tries int // until it works
		there []int64
		fails bool
	}{
		{tries: 1, there: []int64{StartBytes, 8192}},
		{tries: 2, there: []int64{StartBytes, 8192}}, // with its own room, which is kept anew
		{tries: 3, there: []int64{StartBytes, -1}},
		{tries: 9, there: []int64{-1, -1}, fails: true},
		{tries: 9, there: []int64{-1, -1}, fails: true},
	} {
		tries := 0
		err := Replace(realDisk, dir, func() error {
			if tries++; tries < c.tries {
				return errFull
			}
			return nil
		})
		if got := []int64{size(startName), size(ballastName)}; !slices.Equal(got, c.there) || IsFull(err) != c.fails {
			t.Errorf("a write that works at the %d. time: %v, afterwards %v bytes are there, want %v", c.tries, err, got, c.there)
		}
	}
	broken := errors.New("something else")
	if err := Replace(realDisk, dir, func() error { return broken }); !errors.Is(err, broken) {
		t.Errorf("want the write's own error, got %v", err)
	}
	if err := Replace(crashdisk.New(), dir, func() error { return nil }); err != nil || size(startName) != -1 {
		t.Errorf("another disk: %v, and room was kept there", err)
	}
}

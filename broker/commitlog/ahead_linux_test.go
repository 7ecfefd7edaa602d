package commitlog

import (
	"io/fs"
	"syscall"
	"testing"
)

// doubledDisk keeps two copies of each byte.
type doubledDisk struct{ layingDisk }

type doubled struct{ fs.DirEntry }

func (e doubled) Info() (fs.FileInfo, error) {
	info, err := e.DirEntry.Info()
	if err != nil {
		return nil, err
	}
	own, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return info, nil
	}
	st := *own
	st.Blocks *= 2
	return doubledInfo{info, &st}, nil
}

type doubledInfo struct {
	fs.FileInfo
	st *syscall.Stat_t
}

func (i doubledInfo) Sys() any { return i.st }

func (d *doubledDisk) ReadDir(dir string) ([]fs.DirEntry, error) {
	names, err := d.layingDisk.ReadDir(dir)
	for i := range names {
		names[i] = doubled{names[i]}
	}
	return names, err
}

func TestSegmentsOfAFileSystemThatKeepsTwoCopiesAreLeftAlone(t *testing.T) {
	dir := logDir(t)
	l := openWith(t, dir, Config{SegmentBytes: 1 << 20}, nil)
	batch := plain(t, string(make([]byte, 600<<10)))
	for range 8 {
		appendTo(t, l, batch)
	}
	closeLog(t, l)
	d := &doubledDisk{*newLayingDisk()}
	l = openWith(t, dir, Config{SegmentBytes: 1 << 20, Disk: d}, nil)
	if n := len(l.Segments()); n < 8 || d.cuts > 2 {
		t.Errorf("at a start the ends of %d of %d segments were set", d.cuts, n)
	}
}

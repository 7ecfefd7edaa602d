package commitlog

import (
	"errors"
	"math"

	"golang.org/x/sys/unix"

	"github.com/loghaul/loghaul/internal/disk"
)

// quiet reads a file for checking: what was not in the page cache is not left there, so
// that reading everything once a week takes nothing from those who read the newest
// records. It has the file open for itself, because it reads without readahead.
type quiet struct {
	disk.File
	fd      int
	coarse  bool      // the kernel tells of no single page (Linux before 6.5)
	loud    bool      // nor of anything: all is left as it comes
	brought []stretch // whole pages that were brought in, in order; as many as lag spans
	dropped []stretch // those that were let go of once
}

// stretch is from one position and before another.
type stretch struct{ from, to int64 }

const (
	pageBytes = 4096
	// lag is how far behind the reading pages are let go of, and again as far behind that:
	// those that have just come, or were just looked at, may lie in a core's own list and stay.
	lag = 2 << 20
)

// quietly is f, for one goroutine.
func quietly(f disk.File) disk.File {
	file := f.OS()
	if file == nil {
		return f
	}
	fd := int(file.Fd())
	// Otherwise each read would bring in what comes behind it, and the next find it cached.
	if unix.Fadvise(fd, 0, 0, unix.FADV_RANDOM) != nil {
		return f
	}
	return &quiet{File: f, fd: fd}
}

// ReadAt reads, and lets go of what was brought in well before at.
func (q *quiet) ReadAt(b []byte, at int64) (int, error) {
	if q.loud || len(b) == 0 {
		return q.File.ReadAt(b, at)
	}
	q.drop(at-lag, at-2*lag)
	if !q.coarse && q.bringing(at, at+int64(len(b))) {
		return q.File.ReadAt(b, at)
	}
	// The first pages that are cached; what follows counts as brought in.
	n, err := unix.Preadv2(q.fd, [][]byte{b}, at, unix.RWF_NOWAIT)
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		q.loud = true
	}
	n = max(n, 0)
	if n == len(b) {
		return n, nil
	}
	q.bring(stretch{(at + int64(n) + pageBytes - 1) &^ (pageBytes - 1), (at + int64(len(b)) + pageBytes - 1) &^ (pageBytes - 1)})
	m, err := q.File.ReadAt(b[n:], at+int64(n))
	return n + m, err
}

// bringing notes the pages of a stretch that are not cached yet and are about to be, if
// the kernel tells of them.
func (q *quiet) bringing(at, end int64) bool {
	at &^= pageBytes - 1
	var in unix.Cachestat_t
	for page := at; page < end; page += pageBytes {
		if err := unix.Cachestat(uint(q.fd), &unix.CachestatRange{Off: uint64(page), Len: pageBytes}, &in, 0); err != nil {
			q.coarse = true // not known here, or not allowed
			return false
		}
		if in.Cache == 0 {
			q.bring(stretch{page, page + pageBytes})
		}
	}
	return true
}

// bring notes pages behind those that are noted already, the last of which it may overlap.
func (q *quiet) bring(s stretch) {
	last := len(q.brought) - 1
	if last < 0 || q.brought[last].to < s.from || s.from%lag == 0 {
		q.brought = append(q.brought, s)
		return
	}
	q.brought[last].to = max(q.brought[last].to, s.to)
}

// drop lets go of what was brought in before a position, and a second time of what lies
// further back.
func (q *quiet) drop(first, again int64) {
	for len(q.brought) > 0 && q.brought[0].from < first {
		s := q.brought[0]
		q.advise(s)
		q.brought, q.dropped = q.brought[1:], append(q.dropped, s)
	}
	for len(q.dropped) > 0 && q.dropped[0].from < again {
		q.advise(q.dropped[0])
		q.dropped = q.dropped[1:]
	}
}

// advise is advice: nothing is wrong if it is not taken.
func (q *quiet) advise(s stretch) {
	_ = unix.Fadvise(q.fd, s.from, s.to-s.from, unix.FADV_DONTNEED)
}

// Close lets go of the rest, too.
func (q *quiet) Close() error {
	q.drop(math.MaxInt64, math.MaxInt64)
	return q.File.Close()
}

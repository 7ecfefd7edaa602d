package commitlog

import (
	"errors"
	"io"

	"github.com/loghaul/loghaul/internal/record"
)

// rebuildInterval is the distance in bytes between the entries of a rebuilt index.
const rebuildInterval = 4096

// errDoubt says that an index names a place where no such batch begins.
var errDoubt = errors.New("index does not fit its segment")

// find is where the batch begins that holds target, or the first one behind it,
// below limit; io.EOF: there is none. Indexes carry no checksum, so what they
// say is compared with the batch they point to, and rebuilt when it is wrong.
func (s *segment) find(h *handle, target record.Offset, limit int64) (int64, record.Header, error) {
	pos, hdr, err := s.tryFind(h, target, limit)
	if errors.Is(err, errDoubt) {
		if err = s.rebuild(limit); err != nil {
			return 0, record.Header{}, err
		}
		pos, hdr, err = s.tryFind(h, target, limit)
	}
	return pos, hdr, s.place(err, pos)
}

func (s *segment) tryFind(h *handle, target record.Offset, limit int64) (pos int64, hdr record.Header, err error) {
	e, ok, err := s.byOffset(target - s.base)
	if err != nil {
		return 0, hdr, err
	}
	err = walkOver(h, s.path(logSuffix), 0, limit, func(w *walker) error {
		c := chain{stamps: s.stamps, next: s.base}
		if over := s.beyond(target, limit); over > 0 && (!ok || e.position < over) {
			w.pos, c.next = over, -1
		} else if ok {
			w.pos = e.position
			if err := s.check(w, e); err != nil {
				return err
			}
			w.pos, c.next = e.position, -1
		}
		for {
			pos = w.pos
			if hdr, err = w.next(); err == nil {
				err = c.follow(hdr)
			}
			if err != nil || hdr.LastOffset() >= target {
				return err
			}
		}
	})
	return pos, hdr, err
}

// check holds an index entry against the batch it points to.
func (s *segment) check(w *walker, e indexEntry) error {
	if e.position < 0 || e.position >= w.limit {
		return errDoubt
	}
	hdr, err := w.next()
	if _, bad := asDamage(err); bad || (err == nil && hdr.LastOffset() != s.base+e.last) {
		return errDoubt
	}
	return err
}

// extent is how many bytes of whole batches lie between pos, where the batch
// first begins, and limit, at most max but one batch at least; and the offset behind
// them, -1: they are all. On an error too they are those before it.
func (s *segment) extent(h *handle, pos int64, first record.Header, limit int64, max int) (n int, behind record.Offset, err error) {
	end := pos + int64(first.Size())
	if pos+int64(max) >= limit {
		return int(limit - pos), -1, nil
	}
	if end >= pos+int64(max) {
		return int(end - pos), first.NextOffset(), nil
	}
	e, ok, err := s.byPosition(pos + int64(max))
	if err != nil {
		return 0, -1, err
	}
	behind = -1
	err = walkOver(h, s.path(logSuffix), end, limit, func(w *walker) error {
		if ok && e.position > end {
			// A wrong entry only costs the walk from the first batch on.
			w.pos = e.position
			switch err := s.check(w, e); {
			case err == nil:
				end = e.position
			case !errors.Is(err, errDoubt):
				return err
			}
		}
		last := first.NextOffset()
		for w.pos = end; ; end = w.pos {
			h, err := w.next()
			if err == io.EOF {
				return nil
			} else if err != nil {
				behind = last
				return s.place(err, w.pos)
			}
			last = h.NextOffset()
			if w.pos > pos+int64(max) {
				behind = h.BaseOffset
				return nil
			}
		}
	})
	return int(end - pos), behind, err
}

// place gives damage its file and position.
func (s *segment) place(err error, pos int64) error {
	if _, bad := asDamage(err); bad {
		return &StorageError{Op: "reading", Path: s.path(logSuffix), Position: pos, Err: err}
	}
	return err
}

// rebuild makes both indexes anew from the batches below limit. Entries of an active
// segment that lie behind it are dropped: a sparser index is slower, never wrong.
func (s *segment) rebuild(limit int64) error {
	var index, times []byte
	latest := timeEntry{time: -1}
	since, indexed := 0, int64(-1)
	err := s.walkSound(0, limit, everything, func(_ *handle, pos int64, hdr record.Header) error {
		if hdr.Count > 0 && hdr.MaxTimestamp > latest.time {
			latest = timeEntry{hdr.MaxTimestamp, hdr.LastOffset() - s.base}
		}
		if since > rebuildInterval {
			index = append(index, indexEntry{hdr.LastOffset() - s.base, pos}.bytes()...)
			if latest.time > indexed {
				times, indexed = append(times, latest.bytes()...), latest.time
			}
			since = 0
		}
		since += hdr.Size()
		return nil
	})
	if err != nil {
		return err
	}
	if latest.time > indexed {
		times = append(times, latest.bytes()...)
	}
	if err := s.index.rewrite(index); err != nil {
		return err
	}
	return s.times.rewrite(times)
}

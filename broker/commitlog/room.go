package commitlog

import (
	"fmt"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// Piece is one segment as those see it who make room on the disk.
type Piece struct {
	Base    record.Offset // the first offset that may be read in it
	Next    record.Offset // the first offset behind it
	Bytes   int64         // of its batches and indexes
	Written time.Time     // the last append
	Sealed  bool          // takes no more appends, and is durable like all before it: it may be deleted
}

// Freed is what a deletion for room took: the records from From on and before To, and the bytes of segments, which may be
// those of records that went earlier.
type Freed struct {
	From, To record.Offset
	Segments int
	Bytes    int64
}

// Pieces appends the segments to dst, oldest first.
func (l *Log) Pieces(dst []Piece) []Piece {
	l.mu.RLock()
	segments, sealed, first := l.mu.segments, l.sealedLocked(), len(dst)
	for i, s := range segments {
		p := Piece{Base: max(s.base, l.mu.start), Next: l.mu.end, Bytes: s.size, Written: s.lastWrite, Sealed: i < sealed}
		if i+1 < len(segments) {
			p.Next = segments[i+1].base
		}
		dst = append(dst, p)
	}
	l.mu.RUnlock()
	for i, s := range segments {
		dst[first+i].Bytes += s.index.bytes() + s.times.bytes() + s.aborted.bytes()
	}
	return dst
}

// Seal begins a new segment whatever its age and size, so that what is there can be deleted once it is durable. A log
// whose last segment is empty stays as it is.
func (l *Log) Seal() error {
	l.appending.Lock()
	_, err := l.config()
	empty := l.appending.active.size == 0
	if err == nil && !empty {
		err = l.roll()
	}
	l.appending.Unlock()
	if err != nil {
		return fmt.Errorf("sealing %s: %w", l.name, err)
	}
	if empty {
		return nil
	}
	if l.syncer != nil {
		l.syncer.mark(l)
	} else {
		l.sync()
	}
	return nil
}

// DeleteForRoom deletes the segments that lie wholly before an offset, as far as they are sealed.
func (l *Log) DeleteForRoom(before record.Offset) (Freed, error) {
	l.keeping.Lock()
	defer l.endDeleting()
	pieces := l.Pieces(nil)
	n := 0
	for n < len(pieces) && pieces[n].Sealed && pieces[n].Next <= before {
		n++
	}
	from, _ := l.begins()
	err := l.deleteFirst(n, ReasonRoom)
	to, first := l.begins()
	freed := Freed{From: from, To: to}
	for _, p := range pieces[:n] {
		if p.Next <= first { // on a full disk the bytes may go later than the records
			freed.Segments, freed.Bytes = freed.Segments+1, freed.Bytes+p.Bytes
		}
	}
	if err != nil {
		return freed, fmt.Errorf("deleting the oldest segments of %s: %w", l.name, err)
	}
	return freed, nil
}

// begins is where the log begins for readers, and on the disk.
func (l *Log) begins() (start, first record.Offset) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.mu.start, l.mu.segments[0].base
}

// bytes is what the entries take on the disk when all are written.
func (e *entries) bytes() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.mu.opened && !e.mu.gone {
		info, err := e.fs.Stat(e.path)
		if err != nil {
			return 0 // missing ones are made anew
		}
		e.mu.onDisk, e.mu.opened = info.Size()-info.Size()%int64(e.width), true
	}
	return e.mu.onDisk + int64(len(e.mu.tail))
}

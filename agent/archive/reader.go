package archive

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
)

// ErrFar says that the position asked for has not been reached yet: call again.
var ErrFar = errors.New("a position far into the archive is not reached yet")

const (
	stride   = 8 << 20   // bytes that one Forward goes on, at most
	keepBack = 64 << 10  // bytes that are kept before what was gone past
	block    = 128 << 10 // bytes that are decompressed at a time while going past them
)

// Reader reads what an archive was made from. Reading goes forward; what lies before the
// last position asked for costs a beginning from the start. It is for one goroutine at
// a time, except for Slots.
type Reader struct {
	name   string
	src    io.ReaderAt
	format Format
	weight int64
	slots  *Slots

	dec  decoder
	win  []byte // the bytes from base on
	base int64
	line int64 // the start of the line that base lies in
	end  bool  // nothing comes behind win
	bad  error // why it is not the true end
	give bool  // what is bad is the end
}

// Open looks how src is compressed; name is what errors call it. It answers nil without
// an error when src is no archive. src stays the caller's.
func Open(name string, src io.ReaderAt, slots *Slots) (*Reader, error) {
	first := make([]byte, 64)
	n, err := src.ReadAt(first, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	format, ok := Recognise(first[:n])
	if !ok {
		return nil, nil
	}
	return &Reader{name: name, src: src, format: format, weight: weight(format, first[:n]), slots: slots}, nil
}

// ReadAt reads from position at on; fewer bytes than b holds mean the end. Its errors are
// ErrBusy, a *Damage, or what src says.
func (r *Reader) ReadAt(b []byte, at int64) (int, error) {
	if err := r.reach(at, at+int64(len(b)), 1<<62); err != nil {
		return 0, err
	}
	from := min(at-r.base, int64(len(r.win)))
	return copy(b, r.win[from:]), nil
}

// Forward goes on to position to, a stretch at a time: ErrFar means that it is not there
// yet. It answers where the line begins that to lies in.
func (r *Reader) Forward(to int64) (line int64, err error) {
	if err := r.reach(max(to-keepBack, 0), to, stride); err != nil {
		return 0, err
	}
	before := r.win[:min(max(to-r.base, 0), int64(len(r.win)))]
	if i := bytes.LastIndexByte(before, '\n'); i >= 0 {
		return r.base + int64(i) + 1, nil
	}
	return r.line, nil
}

// GiveUp makes the end of what can be read the end: nobody mends the archive any more.
func (r *Reader) GiveUp() { r.give = true }

// Close lets go of the memory. A later call begins at the start again.
func (r *Reader) Close() error {
	r.stop()
	r.win, r.base, r.line, r.end, r.bad = nil, 0, 0, false, nil
	return nil
}

func (r *Reader) stop() {
	if r.dec != nil {
		r.dec.close()
		r.dec = nil
		r.slots.give(r.weight)
	}
}

// reach makes win hold what there is of [from, to), decompressing most bytes at most.
func (r *Reader) reach(from, to, most int64) error {
	if from < r.base {
		r.Close()
	}
	for gone := int64(0); r.base+int64(len(r.win)) < to; {
		if r.end {
			return r.atEnd()
		}
		if gone >= most {
			return ErrFar
		}
		r.drop(from)
		n, err := r.more(int(min(max(to-max(from, r.base+int64(len(r.win))), 4<<10), block)))
		if gone += int64(n); err != nil {
			return err
		}
	}
	return nil
}

// drop forgets what lies before from.
func (r *Reader) drop(from int64) {
	n := int(min(from-r.base, int64(len(r.win))))
	if n <= 0 {
		return
	}
	if i := bytes.LastIndexByte(r.win[:n], '\n'); i >= 0 {
		r.line = r.base + int64(i) + 1
	}
	r.win = r.win[:copy(r.win, r.win[n:])]
	r.base += int64(n)
}

// more adds up to n bytes to win. What ends it is remembered; only what may pass is
// answered.
func (r *Reader) more(n int) (int, error) {
	if r.dec == nil {
		if !r.slots.take(r.weight) {
			return 0, ErrBusy
		}
		dec, err := open(r.format, r.src)
		if err != nil {
			r.slots.give(r.weight)
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, r.over(err)
		}
		r.dec = dec
	}
	if need := len(r.win) + n; need > cap(r.win) {
		r.win = append(make([]byte, 0, need+need/4), r.win...)
	}
	n, err := r.dec.Read(r.win[len(r.win) : len(r.win)+n])
	r.win = r.win[:len(r.win)+n]
	if err != nil {
		return n, r.over(err)
	}
	return n, nil
}

// over takes note that nothing comes behind win.
func (r *Reader) over(err error) error {
	var disk *fs.PathError
	if errors.As(err, &disk) { // the file cannot be read now: another try begins anew
		r.Close()
		return err
	}
	r.stop()
	r.end = true
	if err != io.EOF {
		r.bad = damage(r.name, r.base+int64(len(r.win)), err)
	}
	return nil
}

// atEnd is what there is to say about the end: nothing, or that it is not the true one.
func (r *Reader) atEnd() error {
	if r.bad == nil || r.give {
		return nil
	}
	return r.bad
}

package wire

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

const (
	stuckTime  = time.Minute // a peer that takes less than outStride in so long, while there is as much for it, is cut off
	outStride  = 64 << 10
	outBuffer  = 64 << 10
	copyBelow  = 8 << 10 // ranges up to this size are copied and written together with what stands around them
	sendfileAt = 1 << 20 // one sendfile call moves at most so much, so that the deadline follows progress
)

// ErrStuck says that a connection was cut off because its client took next to nothing.
var ErrStuck = fmt.Errorf("closed while it took its answers slowly: less than %d KiB in %v", outStride>>10, stuckTime)

// Range is a piece of a file, sent as it lies. Whoever made it keeps the file open and uncut until it is sent.
type Range struct {
	File     *os.File
	Position int64
	Length   int
}

// Out writes responses to one connection, in the order of the calls. It is for one goroutine at a time.
type Out struct {
	conn  net.Conn
	raw   rawConn // nil: no sendfile here
	moved int     // bytes that the peer took since the deadline was set

	unsent *Unsent      // nil: nobody counts what waits here; set before anything is sent
	held   atomic.Int64 // bytes of answers that wait here, of unsent
	since  atomic.Int64 // when the peer last took something, nanoseconds since 1970; 0: nothing is on its way
	given  atomic.Bool  // cut off for the room of others

	progress progress
}

// NewOut writes to conn; file ranges go by sendfile where conn is plain TCP on Linux, else through a buffer.
func NewOut(conn net.Conn) *Out {
	return &Out{conn: conn, raw: rawOf(conn), progress: newProgress(conn)}
}

// Write sends b.
func (o *Out) Write(b []byte) error {
	o.begin()
	defer o.end()
	return o.write(b)
}

// write sends b piece by piece, so that the deadline follows progress.
func (o *Out) write(b []byte) error {
	for len(b) > 0 {
		n, err := o.conn.Write(b[:min(len(b), outStride)])
		if err != nil {
			return err
		}
		o.took(n)
		b = b[n:]
	}
	return nil
}

// WriteFetch sends head.B with range i put in at head.Cuts[i], and counts nothing: head's length field is right.
func (o *Out) WriteFetch(head *FetchHead, ranges []Range) error {
	o.begin()
	defer o.end()
	if o.raw == nil {
		return o.copyFetch(head, ranges)
	}
	buf := getBuffer(outBuffer)
	defer putBuffer(buf)
	pending, at := (*buf)[:0], 0
	for i, r := range ranges {
		if r.Length == 0 {
			continue
		}
		pending = append(pending, head.B[at:head.Cuts[i]]...)
		at = head.Cuts[i]
		if r.Length <= copyBelow {
			var err error
			if pending, err = readInto(pending, r); err != nil {
				return err
			}
		} else {
			if err := o.raw.sendMore(pending); err != nil {
				return err
			}
			o.took(len(pending))
			pending = pending[:0]
			if err := o.sendRange(r); err != nil {
				return err
			}
		}
		if len(pending) > outBuffer/2 {
			if err := o.write(pending); err != nil {
				return err
			}
			pending = pending[:0]
		}
	}
	return o.write(append(pending, head.B[at:]...))
}

// WriteParts sends head.B with parts[i] put in at head.Cuts[i]: WriteFetch for records in memory.
func (o *Out) WriteParts(head *FetchHead, parts [][]byte) error {
	o.begin()
	defer o.end()
	buf := getBuffer(outBuffer)
	defer putBuffer(buf)
	w := bufferedOut{o: o, buf: (*buf)[:0]}
	at := 0
	for i, part := range parts {
		w.write(head.B[at:head.Cuts[i]])
		w.write(part)
		at = head.Cuts[i]
	}
	w.write(head.B[at:])
	w.flush()
	return w.err
}

// sendRange moves one range from the page cache to the socket.
func (o *Out) sendRange(r Range) error {
	for r.Length > 0 {
		n, err := o.raw.sendfile(r.File, r.Position, min(r.Length, sendfileAt))
		if err != nil {
			return fmt.Errorf("sending %s at position %d: %w", r.File.Name(), r.Position, err)
		}
		o.took(n)
		r.Position += int64(n)
		r.Length -= n
	}
	return nil
}

// copyFetch is WriteFetch without sendfile: through one bounded buffer.
func (o *Out) copyFetch(head *FetchHead, ranges []Range) error {
	buf := getBuffer(256 << 10)
	defer putBuffer(buf)
	w := bufferedOut{o: o, buf: (*buf)[:0]}
	at := 0
	for i, r := range ranges {
		if r.Length == 0 {
			continue
		}
		w.write(head.B[at:head.Cuts[i]])
		w.copy(r)
		at = head.Cuts[i]
	}
	w.write(head.B[at:])
	w.flush()
	return w.err
}

// bufferedOut gathers bytes and writes them when its buffer is full. The first error stays.
type bufferedOut struct {
	o   *Out
	buf []byte
	err error
}

func (w *bufferedOut) flush() {
	if w.err == nil && len(w.buf) > 0 {
		w.err = w.o.write(w.buf)
	}
	w.buf = w.buf[:0]
}

func (w *bufferedOut) write(b []byte) {
	for len(b) > 0 && w.err == nil {
		if len(w.buf) == cap(w.buf) {
			w.flush()
		}
		n := min(len(b), cap(w.buf)-len(w.buf))
		w.buf = append(w.buf, b[:n]...)
		b = b[n:]
	}
}

func (w *bufferedOut) copy(r Range) {
	for r.Length > 0 && w.err == nil {
		if len(w.buf) == cap(w.buf) {
			w.flush()
		}
		n := min(r.Length, cap(w.buf)-len(w.buf))
		var err error
		if w.buf, err = readInto(w.buf, Range{r.File, r.Position, n}); err != nil && w.err == nil {
			w.err = err
		}
		r.Position += int64(n)
		r.Length -= n
	}
}

// readInto appends a range's bytes to dst, which has room for them or grows.
func readInto(dst []byte, r Range) ([]byte, error) {
	at := len(dst)
	if cap(dst)-at < r.Length {
		dst = append(dst, make([]byte, r.Length)...)
	}
	dst = dst[:at+r.Length]
	n, err := r.File.ReadAt(dst[at:], r.Position)
	if n < r.Length {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return dst[:at], fmt.Errorf("reading %d bytes of %s at position %d: %w", r.Length, r.File.Name(), r.Position, err)
	}
	return dst, nil
}

// begin says that there is something for the peer from now on.
func (o *Out) begin() {
	o.deadline(time.Now())
	o.watch()
}

// end says that the peer, or its kernel, has taken it all.
func (o *Out) end() { o.since.Store(0) }

// took says that the peer, or its kernel, took n bytes. The deadline moves on by strides: who takes a byte now and then
// stands still.
func (o *Out) took(n int) {
	o.progress.sent.Add(int64(n))
	if o.moved += n; o.moved >= outStride {
		o.deadline(time.Now())
	}
}

func (o *Out) deadline(now time.Time) {
	o.moved = 0
	o.since.Store(now.UnixNano())
	_ = o.conn.SetWriteDeadline(now.Add(stuckTime))
}

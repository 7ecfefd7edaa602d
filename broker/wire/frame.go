package wire

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"
)

const (
	produceKey  = 0
	firstChunk  = 64 << 10         // of a frame from a connection that has not shown a larger one yet
	trustedMax  = 4 << 20          // at most so much is allocated before it has arrived
	otherMax    = 4 << 20          // frames of everything but Produce: kmsg's structs are many times larger than their bytes
	stalledTime = 30 * time.Second // a frame begun must go on by a stride, or come to its end, within
)

// ErrStopped says that Stop ended the reading.
var ErrStopped = errors.New("reading stopped")

// GarbageError says that a peer sent what cannot be a request, and what it looked like.
type GarbageError struct{ Seen string }

// Error names what was seen.
func (e *GarbageError) Error() string { return "not a Kafka request: " + e.Seen }

// Frame is one request as it came, without its length. Release gives its buffer back.
type Frame struct {
	Bytes []byte
	buf   *[]byte
	claim *claim
}

// Release gives the frame's memory back; neither Bytes nor anything that aliases it may be used afterwards.
func (f *Frame) Release() {
	if f.claim != nil {
		f.claim.shrink(-1)
	}
	putBuffer(f.buf)
	f.Bytes, f.buf, f.claim = nil, nil, nil
}

// Frames reads the requests of one connection. It is for one goroutine, except for Stop.
type Frames struct {
	conn    net.Conn
	in      *bufio.Reader
	budget  *Budget
	max     int
	idle    time.Duration
	trusted int  // size of the largest frame that arrived whole, at most trustedMax
	bare    bool // the next frame has no header
	stopped atomic.Bool
}

// NewFrames reads from conn frames of at most max bytes (other requests than Produce: 4 MiB), which together
// with those of all other connections hold no more than budget. A connection that is silent for idle ends.
func NewFrames(conn net.Conn, budget *Budget, max int, idle time.Duration) *Frames {
	return &Frames{conn: conn, in: bufio.NewReaderSize(conn, 4<<10), budget: budget, max: max, idle: idle, trusted: firstChunk}
}

// Limit sets the size of the largest frame from now on. Like Next it is for the reading goroutine.
func (f *Frames) Limit(max int) { f.max = max }

// Bare says that the next frames have no header, and so may be of any length. Like Next it is for the reading goroutine.
func (f *Frames) Bare(bare bool) { f.bare = bare }

// Stop makes the current and every later Next end with ErrStopped; it may be called by any goroutine.
func (f *Frames) Stop() {
	f.stopped.Store(true)
	_ = f.conn.SetReadDeadline(time.Unix(1, 0))
}

// Next reads one frame. io.EOF says that the peer closed between two frames; a *GarbageError that what it sends
// is no Kafka.
func (f *Frames) Next(ctx context.Context) (*Frame, error) {
	f.deadline(f.idle)
	if _, err := f.in.Peek(1); err != nil {
		return nil, f.reason(err)
	}
	if f.in.Buffered() < 8 {
		f.deadline(stalledTime)
	}
	size, err := f.begin()
	if err != nil {
		return nil, f.reason(err)
	}
	frame, err := f.body(ctx, size)
	if err != nil {
		return nil, f.reason(err)
	}
	return frame, nil
}

// More says whether the next frame is there already. Like Next it is for the reading goroutine.
func (f *Frames) More() bool {
	n := f.in.Buffered()
	if n < 4 {
		return false
	}
	b, _ := f.in.Peek(4)
	return int64(n-4) >= int64(binary.BigEndian.Uint32(b))
}

// begin reads the length and holds it against the limits.
func (f *Frames) begin() (int, error) {
	b, err := f.in.Peek(4)
	if err != nil {
		return 0, err
	}
	size := int64(int32(binary.BigEndian.Uint32(b)))
	if f.bare && size >= 0 && size <= int64(f.max) {
		_, _ = f.in.Discard(4)
		return int(size), nil
	}
	if size < 8 || size > int64(f.max) {
		seen, _ := f.in.Peek(f.in.Buffered())
		return 0, &GarbageError{describe(seen, size, f.max)}
	}
	if b, err = f.in.Peek(6); err != nil {
		return 0, err
	}
	if key := int16(binary.BigEndian.Uint16(b[4:])); key != produceKey && size > otherMax {
		return 0, &GarbageError{fmt.Sprintf("a request with key %d of %d bytes, at most %d are taken", key, size, otherMax)}
	}
	_, _ = f.in.Discard(4)
	return int(size), nil
}

// body reads size bytes into a buffer that grows as they arrive, never from the announced size alone.
func (f *Frames) body(ctx context.Context, size int) (*Frame, error) {
	frame := &Frame{}
	if size == 0 { // a bare frame may be empty
		frame.buf = getBuffer(0)
	}
	have := 0
	for have < size {
		want := min(size, max(f.trusted, 2*have))
		if err := f.room(ctx, frame, have, want); err != nil {
			f.drop(frame)
			return nil, err
		}
		for moved := stride; have < want; { // the deadline follows strides: a byte now and then keeps no connection open
			if f.in.Buffered() == 0 && moved >= stride {
				f.deadline(stalledTime)
				moved = 0
			}
			n, err := f.in.Read((*frame.buf)[have:want])
			moved += n
			if have += n; frame.claim != nil {
				frame.claim.touch(n)
			}
			if err != nil {
				err = f.given(frame, err)
				f.drop(frame)
				return nil, err
			}
		}
	}
	if frame.claim != nil {
		frame.claim.arrived()
	}
	f.trusted = max(f.trusted, min(size, trustedMax))
	frame.Bytes = (*frame.buf)[:size]
	return frame, nil
}

// room makes frame's buffer hold want bytes and keeps the have bytes it holds.
func (f *Frames) room(ctx context.Context, frame *Frame, have, want int) error {
	_, size := class(want)
	if size > smallFrame {
		if frame.claim == nil {
			frame.claim = &claim{budget: f.budget, abort: func() { _ = f.conn.Close() }}
			frame.claim.touch(stride)
		}
		if err := frame.claim.grow(ctx, size); err != nil {
			return err
		}
	}
	old := frame.buf
	frame.buf = getBuffer(want)
	if old != nil {
		copy(*frame.buf, (*old)[:have])
		if len(*old) > smallFrame {
			frame.claim.shrink(len(*old))
		}
		putBuffer(old)
	}
	return nil
}

func (f *Frames) drop(frame *Frame) {
	if frame.buf != nil {
		frame.Release()
	} else if frame.claim != nil {
		frame.claim.shrink(-1)
	}
}

// given turns a read error into ErrBudget when the connection was ended for it.
func (f *Frames) given(frame *Frame, err error) error {
	if frame.claim != nil && frame.claim.given.Load() {
		return ErrBudget
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// deadline gives the next read so much time, or none when Stop was called.
func (f *Frames) deadline(d time.Duration) {
	_ = f.conn.SetReadDeadline(time.Now().Add(d))
	if f.stopped.Load() {
		_ = f.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

func (f *Frames) reason(err error) error {
	if f.stopped.Load() {
		return ErrStopped
	}
	return err
}

package statelog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// batchBytes is where a batch of the log is closed, in bytes.
const batchBytes = 1 << 20

// Config steers a Writer.
type Config struct {
	Name  string // of the topic, for errors
	Limit int64  // bytes the log may grow before a rewrite is due; never less than twice the live state
}

// Writer appends to the log at once and answers when the disk has it: the waiting is one goroutine's, in the order of
// the appends, so that all who appended meanwhile share one sync. It is safe for concurrent use.
type Writer struct {
	cfg     Config
	log     Log
	wake    chan struct{} // buffered: something waits
	rewrite chan struct{} // buffered: the log has grown past its limit

	mu struct {
		sync.Mutex
		waiting []promise
		closed  bool          // Run has ended
		end     record.Offset // after the last batch known
		durable record.Offset // the last offset that an answer was given for
		grown   int64         // bytes appended since the last rewrite
		live    int64         // bytes of the last rewrite
	}
	builders sync.Pool
}

// promise is an answer that waits until an offset is durable.
type promise struct {
	last record.Offset
	done func(error)
}

// NewWriter makes a Writer over a log, which the caller opens before and closes after. It starts nothing.
func NewWriter(cfg Config, log Log) *Writer {
	w := &Writer{cfg: cfg, log: log, wake: make(chan struct{}, 1), rewrite: make(chan struct{}, 1)}
	w.mu.durable = -1
	w.builders.New = func() any { return record.NewBuilder(512) }
	return w
}

// Append writes the entries in order, in as few batches as their size allows. With done it is called once, by Run's
// goroutine, when the last is durable (nil) or may never be (ErrNotStored, ErrStopped); after an error here it is not
// called. Calls of done come in the order of the appends.
func (w *Writer) Append(entries []Entry, done func(error)) error {
	_, err := w.AppendAs(record.NoProducer, entries, done)
	return err
}

// AppendAs is Append in the transaction of a producer, unless that is record.NoProducer; it returns the offset of the
// last record that was appended, with an error too: -1 says that none was. ErrProducerFenced: see Log.
func (w *Writer) AppendAs(p record.Producer, entries []Entry, done func(error)) (last record.Offset, err error) {
	b := w.builders.Get().(*record.Builder)
	defer w.builders.Put(b)
	last = -1
	for len(entries) > 0 {
		b.Reset()
		n := 0
		for n < len(entries) && (n == 0 || b.Len() < batchBytes) {
			if e := entries[n]; e.Value == nil {
				b.AppendTombstone(0, e.Key)
			} else {
				b.Append(0, e.Key, e.Value, 0, nil)
			}
			n++
		}
		at, err := w.appendBatch(b, p)
		if err != nil {
			return last, notStored(err)
		}
		last, entries = at, entries[n:]
	}
	if done != nil {
		return last, w.promise(promise{last, done})
	}
	return last, nil
}

// notStored says that an append failed because of the disk, unless it was refused to a fenced producer.
func notStored(err error) error {
	if errors.Is(err, ErrProducerFenced) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNotStored, err)
}

func (w *Writer) appendBatch(b *record.Builder, p record.Producer) (record.Offset, error) {
	now := time.Now().UnixMilli()
	batch, err := b.Seal(nil, p, record.None, now, now)
	if err != nil {
		return 0, fmt.Errorf("sealing a batch of %s: %w", w.cfg.Name, err)
	}
	if p.ID >= 0 {
		record.SetTransactional(batch)
	}
	_, last, err := w.log.Append(batch)
	if err != nil {
		return 0, fmt.Errorf("appending to %s: %w", w.cfg.Name, err)
	}
	w.grew(last, len(batch))
	return last, nil
}

// AppendWith lets the room append about that many bytes itself, in a form of its own; put returns the offset of the last
// record. done is called as by Append.
func (w *Writer) AppendWith(put func() (last record.Offset, err error), bytes int, done func(error)) error {
	last, err := put()
	if err != nil {
		return notStored(fmt.Errorf("appending to %s: %w", w.cfg.Name, err))
	}
	w.grew(last, bytes)
	return w.promise(promise{last, done})
}

// grew counts what was appended up to an offset.
func (w *Writer) grew(last record.Offset, bytes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.end = max(w.mu.end, last+1)
	w.mu.grown += int64(bytes)
	if w.mu.grown > max(w.cfg.Limit, 2*w.mu.live) {
		select {
		case w.rewrite <- struct{}{}:
		default: // it is due already
		}
	}
}

// After calls done when what was appended up to an offset is durable, at once if that is known.
func (w *Writer) After(last record.Offset, done func(error)) error {
	w.mu.Lock()
	known := last <= w.mu.durable
	w.mu.Unlock()
	if known {
		done(nil)
		return nil
	}
	return w.promise(promise{last, done})
}

// promise queues an answer. The queue holds at most one for each request that is being served.
func (w *Writer) promise(p promise) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.closed {
		return ErrStopped
	}
	w.mu.waiting = append(w.mu.waiting, p)
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return nil
}

// Run answers what becomes durable, until ctx ends; what then waits is answered with ErrStopped. It may run once.
func (w *Writer) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-w.wake:
			w.settle(ctx, w.take(false))
		}
	}
	w.settle(ctx, w.take(true))
	return nil
}

// take empties the queue, and closes it for good if told so.
func (w *Writer) take(last bool) []promise {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.mu.waiting
	w.mu.waiting, w.mu.closed = nil, last
	return list
}

func (w *Writer) settle(ctx context.Context, list []promise) {
	for _, p := range list {
		err := w.log.WaitDurable(ctx, p.last)
		if ctx.Err() != nil {
			err = ErrStopped
		} else if err != nil {
			err = fmt.Errorf("%w: waiting for %s to be durable: %w", ErrNotStored, w.cfg.Name, err)
		} else {
			w.kept(p.last)
		}
		p.done(err)
	}
}

// kept notes that what was appended up to an offset is durable.
func (w *Writer) kept(last record.Offset) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.durable = max(w.mu.durable, last)
}

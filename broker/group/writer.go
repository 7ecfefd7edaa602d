package group

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

// markerBytes is about what a transaction's marker takes in the log.
const markerBytes = 78

// entry is one record of the log; a nil value is a tombstone.
type entry struct{ key, value []byte }

// writer appends to the log at once and answers when the disk has it: the waiting is one goroutine's,
// in the order of the appends, so that all who committed meanwhile share one sync.
type writer struct {
	log     Log
	limit   int64         // of grown, before a rewrite is due
	wake    chan struct{} // buffered: something waits
	rewrite chan struct{} // buffered: the log has grown past its limit

	mu struct {
		sync.Mutex
		waiting []promise
		closed  bool          // Run has ended
		end     record.Offset // after the last batch known
		durable record.Offset // the last offset that a promise was kept for
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

func newWriter(log Log, limit int64) *writer {
	w := &writer{log: log, limit: limit, wake: make(chan struct{}, 1), rewrite: make(chan struct{}, 1)}
	w.mu.durable = -1
	w.builders.New = func() any { return record.NewBuilder(512) }
	return w
}

// append writes the entries in order, in as few batches as their size allows. With done it is called
// once, by the writer's goroutine, when the last is durable (nil) or may never be (ErrNotStored, ErrStopped);
// after an error here it is not called.
func (w *writer) append(entries []entry, done func(error)) error {
	_, err := w.appendAs(record.NoProducer, entries, done)
	return err
}

// appendAs is append for the transaction of a producer, unless that is record.NoProducer; it returns the
// offset of the last record.
func (w *writer) appendAs(p record.Producer, entries []entry, done func(error)) (record.Offset, error) {
	b := w.builders.Get().(*record.Builder)
	defer w.builders.Put(b)
	var last record.Offset
	for len(entries) > 0 {
		b.Reset()
		n := 0
		for n < len(entries) && (n == 0 || b.Len() < batchBytes) {
			if e := entries[n]; e.value == nil {
				b.AppendTombstone(0, e.key)
			} else {
				b.Append(0, e.key, e.value, 0, nil)
			}
			n++
		}
		var err error
		if last, err = w.appendBatch(b, p); err != nil {
			return 0, notStored(err)
		}
		entries = entries[n:]
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

func (w *writer) appendBatch(b *record.Builder, p record.Producer) (record.Offset, error) {
	now := time.Now().UnixMilli()
	batch, err := b.Seal(nil, p, record.None, now, now)
	if err != nil {
		return 0, fmt.Errorf("sealing a batch of group state: %w", err)
	}
	if p.ID >= 0 {
		record.SetTransactional(batch)
	}
	_, last, err := w.log.Append(batch)
	if err != nil {
		return 0, fmt.Errorf("appending to %s: %w", Topic, err)
	}
	w.grew(last, len(batch))
	return last, nil
}

// mark writes the marker that ends a producer's transaction; done is called as by append.
func (w *writer) mark(p record.Producer, commit bool, done func(error)) error {
	last, err := w.log.AppendMarker(p.ID, p.Epoch, commit)
	if err != nil {
		return notStored(fmt.Errorf("appending a marker to %s: %w", Topic, err))
	}
	w.grew(last, markerBytes)
	return w.promise(promise{last, done})
}

// grew counts what was appended up to an offset.
func (w *writer) grew(last record.Offset, bytes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.end = max(w.mu.end, last+1)
	w.mu.grown += int64(bytes)
	if w.mu.grown > max(w.limit, 2*w.mu.live) {
		select {
		case w.rewrite <- struct{}{}:
		default: // it is due already
		}
	}
}

// promise queues an answer. The queue holds at most one for each request that is being served.
func (w *writer) promise(p promise) error {
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

// after calls done when what was appended up to an offset is durable, at once if that is known.
func (w *writer) after(last record.Offset, done func(error)) error {
	w.mu.Lock()
	known := last <= w.mu.durable
	w.mu.Unlock()
	if known {
		done(nil)
		return nil
	}
	return w.promise(promise{last, done})
}

// run answers what becomes durable, until ctx ends; what then waits is answered with ErrStopped.
func (w *writer) run(ctx context.Context) error {
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
func (w *writer) take(last bool) []promise {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.mu.waiting
	w.mu.waiting, w.mu.closed = nil, last
	return list
}

func (w *writer) settle(ctx context.Context, list []promise) {
	for _, p := range list {
		err := w.log.WaitDurable(ctx, p.last)
		if ctx.Err() != nil {
			err = ErrStopped
		} else if err != nil {
			err = fmt.Errorf("%w: waiting for %s to be durable: %w", ErrNotStored, Topic, err)
		} else {
			w.kept(p.last)
		}
		p.done(err)
	}
}

// kept notes that what was appended up to an offset is durable.
func (w *writer) kept(last record.Offset) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.durable = max(w.mu.durable, last)
}

// end is the offset after everything appended so far.
func (w *writer) end() record.Offset {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.end
}

// restarted counts the log's growth anew after a rewrite of live bytes.
func (w *writer) restarted(live int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.live, w.mu.grown = live, 0
	select {
	case <-w.rewrite: // what the rewrite itself has set off
	default:
	}
}

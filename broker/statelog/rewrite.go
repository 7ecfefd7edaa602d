package statelog

import (
	"context"
	"fmt"

	"github.com/loghaul/loghaul/internal/record"
)

// Due says when the log has grown so much that Rewrite should run.
func (w *Writer) Due() <-chan struct{} { return w.rewrite }

// Rewrite lets live append all live state anew, a call of append for each piece, waits until that is durable and drops
// what lies before. A piece is appended under the room's lock over it, so that it is no older than the log. After a
// failure it is due again when the log has grown as much once more.
func (w *Writer) Rewrite(ctx context.Context, live func(add func(as record.Producer, entries []Entry) error) error) (bytes int64, err error) {
	defer func() { w.restarted(bytes) }()
	start := w.end()
	durable := make(chan error, 1)
	err = live(func(as record.Producer, entries []Entry) error {
		for _, e := range entries {
			bytes += int64(len(e.Key) + len(e.Value))
		}
		_, err := w.AppendAs(as, entries, nil)
		return err
	})
	if err != nil {
		return bytes, err
	}
	if end := w.end(); end > 0 { // with nothing live too: only what is durable can be dropped
		if err := w.promise(promise{end - 1, func(err error) { durable <- err }}); err != nil {
			return bytes, err
		}
		select {
		case err := <-durable:
			if err != nil {
				return bytes, err
			}
		case <-ctx.Done():
			return bytes, ErrStopped
		}
	}
	if err := w.log.DropBefore(start); err != nil {
		return bytes, fmt.Errorf("dropping what lies before offset %d: %w", start, err)
	}
	return bytes, nil
}

// end is the offset after everything appended so far.
func (w *Writer) end() record.Offset {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.end
}

// restarted counts the log's growth anew after a rewrite of live bytes.
func (w *Writer) restarted(live int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.live, w.mu.grown = live, 0
	select {
	case <-w.rewrite: // what the rewrite itself has set off
	default:
	}
}

// Load calls f with every record of the log, oldest first, and the header of its batch; control records are among them.
// It is called once, before Run and the first Append. f's error is told to passed and the record passed over; a damaged
// batch is an error that names it. maxRecord bounds one record.
func (w *Writer) Load(ctx context.Context, maxRecord int, f func(record.Header, *record.Record) error, passed func(record.Offset, error)) error {
	var reader record.Reader
	err := w.log.Replay(ctx, func(batch []byte) error {
		h, err := record.ParseHeader(batch)
		if err != nil {
			return err
		}
		if !record.CheckCRC(batch) {
			return fmt.Errorf("the batch at offset %d has a bad checksum", h.BaseOffset)
		}
		w.mu.grown += int64(h.Size())
		w.mu.end = h.NextOffset()
		return reader.Read(batch, maxRecord+batchBytes, func(rec *record.Record) error {
			if err := f(h, rec); err != nil {
				passed(rec.Offset, err)
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("reading the state back from %s: %w", w.cfg.Name, err)
	}
	return nil
}

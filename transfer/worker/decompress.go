package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/loghaul/loghaul/internal/record"
)

// errPause ends the reading of a batch whose next record has to wait: for the sink, or for memory.
var errPause = errors.New("the next record has to wait")

// batch decodes one record batch. Most batches fit into a fraction of the decompress share; a larger one gets all of
// it. Nothing is waited for while the share is held: the batch is put away and taken apart again from where it stood.
func (d *decoder) batch(ctx context.Context, h record.Header, batch []byte) error {
	all := d.portion.budget.decompress.limit()
	limit := all / decoders
	for d.next < h.NextOffset() {
		err := d.decompress(ctx, batch, limit)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			return nil
		case errors.Is(err, errPause):
			err = d.yield(ctx)
		case errors.Is(err, record.ErrTooLarge) && limit < all:
			limit, err = all, nil
		case errors.Is(err, record.ErrTooLarge):
			err = fmt.Errorf("%w: it decompresses to more than %d bytes: raise --memory", ErrOverBudget, all)
		}
		if err != nil {
			return d.bad(h.BaseOffset, err)
		}
	}
	return nil
}

func (d *decoder) decompress(ctx context.Context, batch []byte, limit int64) error {
	b := d.portion.budget
	if err := b.decompress.acquire(ctx, limit); err != nil {
		return err
	}
	defer b.decompress.release(limit)
	r := b.reader(limit)
	defer b.putReader(r, limit)
	return r.Read(batch, int(limit), func(rec *record.Record) error {
		if rec.Offset < d.next {
			return nil // asked for from the middle of a batch, or read before
		}
		return d.add(rec)
	})
}

// add copies one record into the open batch and hands that on when it is full. errPause: the record has to wait.
func (d *decoder) add(rec *record.Record) error {
	n, headers := weigh(rec, d.needs)
	if d.full() && !d.offer() && d.over() {
		return errPause
	}
	if d.open == nil {
		p := d.begin()
		if !p.arena.room(n, headers) {
			d.lack.bytes, d.lack.headers = n, headers
			return errPause
		}
		d.start(p)
	} else if !d.open.arena.room(n, headers) {
		return errPause
	}
	d.open.arena.add(rec, d.needs)
	d.open.bytes += n
	d.next = rec.Offset + 1
	if d.full() {
		d.offer()
	}
	return nil
}

// yield does what add had to wait for, while nothing is held but the open batch: hand that on, or wait for memory
// with no batch open.
func (d *decoder) yield(ctx context.Context) error {
	if d.open != nil {
		d.flush(ctx)
		return ctx.Err()
	}
	p := d.begin()
	if err := p.arena.must(ctx, d.lack.bytes, d.lack.headers); err != nil {
		if errors.Is(err, ErrOverBudget) {
			return fmt.Errorf("a record of %d bytes: %w: raise --memory", d.lack.bytes, err)
		}
		return err
	}
	d.start(p)
	return nil
}

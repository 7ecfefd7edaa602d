package worker

import (
	"context"
	"errors"
	"time"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer/sink"
)

// Limits say when a batch is closed: by whichever comes first.
type Limits struct {
	Records int           // 0: by bytes and age alone
	Bytes   int           // of values, and of the keys and headers that the sink needs
	Age     time.Duration // since the batch's first record was decoded
}

// parcel is a batch on its way from the decoder to the sink, with the memory it lies in.
type parcel struct {
	sink.Batch
	arena *arena
	bytes int
}

// decoder turns chunks into batches: each record is decoded once, its checksum checked; markers and records of aborted
// transactions are left out.
type decoder struct {
	topic     string
	partition int32
	feed      *feed
	portion   *Portion
	limits    Limits
	needs     sink.Needs
	out       chan<- *parcel  // closed by run
	stop      <-chan struct{} // closed: take nothing more in
	report    func(error)     // what stands still, nil when it goes on

	next  record.Offset                // after the last record decoded
	open  *parcel                      // being gathered, nil when empty
	lack  struct{ bytes, headers int } // what the next record needs, after errPause without an open batch
	age   *time.Timer                  // fires when open is old enough
	retry time.Duration                // of a batch that cannot be taken
}

// Waits between tries to read a batch that could not be taken.
const (
	firstReread = 200 * time.Millisecond
	lastReread  = 30 * time.Second
)

// run decodes until stop is closed, or ctx ends. What it has gathered by then is handed on.
func (d *decoder) run(ctx context.Context) {
	defer close(d.out)
	d.age = time.NewTimer(time.Hour)
	d.age.Stop()
	defer d.age.Stop()
	for {
		select {
		case <-d.stop:
			d.flush(ctx)
			return
		default:
		}
		c, err := d.feed.take(ctx, d.age.C, d.stop)
		switch {
		case ctx.Err() != nil:
			d.drop()
			return
		case err == nil && c == nil: // the age, or stop
			d.flush(ctx)
		case err == nil:
			err = d.chunk(ctx, c)
			c.release()
			if err != nil {
				d.again(ctx, err)
			}
		default:
			d.again(ctx, err)
		}
	}
}

// again waits and reads once more from the first offset that could not be taken: a broken byte may have been broken
// on the way, and what the log holds may be mended.
func (d *decoder) again(ctx context.Context, err error) {
	d.flush(ctx)
	if ctx.Err() != nil {
		return
	}
	d.report(sink.Stop(err))
	d.retry = min(max(2*d.retry, firstReread), lastReread)
	select {
	case <-time.After(d.retry):
	case <-d.stop:
	case <-ctx.Done():
	}
	d.feed.seek(d.next)
}

// chunk decodes the batches of one chunk.
func (d *decoder) chunk(ctx context.Context, c *chunk) error {
	d.advance(ctx, c.from) // further on than we stand where retention took records
	skip := abortedSet{list: c.aborted}
	for b := c.data; len(b) > 0; {
		h, err := record.ParseHeader(b)
		if err == nil && !record.CheckCRC(b) {
			err = errors.New("its checksum is wrong")
		}
		if err != nil {
			return d.bad(h.BaseOffset, err)
		}
		batch := b[:h.Size()]
		b = b[h.Size():]
		if h.NextOffset() <= d.next {
			continue
		}
		if h.Control() {
			skip.marker(h, batch)
		} else if !skip.has(h) {
			if err := d.batch(ctx, h, batch); err != nil {
				return err
			}
		}
		d.advance(ctx, h.NextOffset())
		if d.retry > 0 {
			d.retry = 0
			d.report(nil)
		}
	}
	return nil
}

func (d *decoder) bad(at record.Offset, err error) error {
	return &BatchError{Topic: d.topic, Partition: d.partition, Offset: at, Err: err}
}

// full says that the open batch has to be handed on.
func (d *decoder) full() bool {
	return d.open != nil && (d.open.bytes >= d.limits.Bytes || d.limits.Records > 0 && len(d.open.arena.records) >= d.limits.Records)
}

// over says that the open batch must not grow any more. Bytes may go to twice their limit, so that a batch usually ends
// where a record batch ends and nothing is decompressed twice.
func (d *decoder) over() bool {
	return d.open.bytes >= 2*d.limits.Bytes || d.limits.Records > 0 && len(d.open.arena.records) >= d.limits.Records
}

// begin makes an empty batch that goes on where decoding stands.
func (d *decoder) begin() *parcel {
	return &parcel{
		arena: &arena{decoded: d.portion.decoded},
		Batch: sink.Batch{Topic: d.topic, Partition: d.partition, First: d.next},
	}
}

// start makes p the open batch; its age counts from now.
func (d *decoder) start(p *parcel) {
	d.open = p
	d.age.Reset(d.limits.Age)
}

// advance notes that everything before offset has been decoded or left out. Where nothing but holes was read, an
// empty batch carries the progress.
func (d *decoder) advance(ctx context.Context, offset record.Offset) {
	if offset > d.next {
		if d.open == nil {
			d.start(d.begin())
		}
		d.next = offset
	}
	if d.open == nil {
		return
	}
	if d.full() || d.portion.decoded.pressed() || d.portion.fetched.pressed() {
		d.flush(ctx)
	}
}

// offer hands the open batch on if the sink can take it now.
func (d *decoder) offer() bool {
	p := d.open
	p.Next, p.Records = d.next, p.arena.records
	select {
	case d.out <- p:
		d.open = nil
		d.age.Stop()
		return true
	default:
		return false
	}
}

// flush hands the open batch on. It waits while the one before is being written: that is how a slow sink slows the
// fetches down.
func (d *decoder) flush(ctx context.Context) {
	p := d.open
	if p == nil {
		return
	}
	d.open = nil
	d.age.Stop()
	p.Next, p.Records = d.next, p.arena.records
	select {
	case d.out <- p:
	case <-ctx.Done():
		p.arena.release()
	}
}

// drop lets go of the open batch.
func (d *decoder) drop() {
	if d.open != nil {
		d.open.arena.release()
		d.open = nil
	}
}

package handle

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/broker/wire"
	"github.com/loghaul/loghaul/internal/record"
)

// Fetch up to version 3 speaks message formats 0 (versions 0 and 1) and 1, so what is stored is converted when its turn to
// be sent has come, and kept in memory until the client has taken it. Control batches, and batches that compaction left
// nothing of, are passed over: such a client would ask for them for ever.
const (
	firstUnconverted int16 = 4
	mostConverted          = 4 << 20         // bytes that an answer may hold, if one batch is not larger
	lessConverted          = 256 << 10       // the same while half of the room for answers is taken
	roomPatience           = 3 * time.Second // longer than it takes until who holds room and takes nothing is cut off
	emptyPatience          = 500 * time.Millisecond
)

// dataSpan is commitlog's Read from the first batch on that has records for a client.
func dataSpan(log *commitlog.Log, from record.Offset, most int) (*commitlog.Span, error) {
	for {
		span, err := log.Read(from, most)
		if err != nil || span.Length == 0 {
			return span, err
		}
		h, err := headerAt(span, 0)
		if err != nil || !h.Control() && h.Count > 0 {
			return span, nil // whoever reads it all says what is wrong with it
		}
		span.Release()
		from = h.NextOffset()
	}
}

// convert puts messages in place of the answer's spans. While there is no room for more answers it waits, and in the end
// answers without records: the client asks again. What is converted counts until done is called. When nothing comes of it,
// because compaction has taken away the records that the client asks for and none follow, it waits before it says so.
func (f *fetchReply) convert(ctx context.Context, out *wire.Out) (done func(), err error) {
	f.work.old = append(f.work.old[:0], make([][]byte, len(f.work.results))...)
	if f.bytes == 0 {
		return func() {}, nil
	}
	most := mostConverted
	if out.Busy() {
		most = lessConverted // so that many who take it slowly do not hold it all
	}
	room := int64(most)
	for _, s := range f.work.spans {
		room = max(room, int64(s.Length))
	}
	waiting, cancel := context.WithTimeout(ctx, roomPatience)
	defer cancel()
	room, err = out.Reserve(waiting, room)
	if err != nil {
		for i := range f.work.results {
			f.work.results[i].Length = 0
		}
		f.bytes = 0
		return func() {}, ctx.Err()
	}
	f.convertAll(most)
	f.release()
	out.Release(room - int64(f.bytes))
	out.Hold(int64(f.bytes) - room)
	if f.bytes == 0 {
		err = f.pause(ctx)
	}
	held := int64(f.bytes)
	return func() { out.Release(held) }, err
}

// pause lets the time of a request without records go by, for a client that would ask again at once.
func (f *fetchReply) pause(ctx context.Context) error {
	left := min(time.Until(f.until), emptyPatience)
	if left <= 0 || slices.ContainsFunc(f.work.results, func(r wire.FetchResult) bool { return r.Error != errNone }) {
		return nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-f.h.draining:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// convertAll converts partition by partition, most bytes in all if the first batch is not larger.
func (f *fetchReply) convertAll(most int) {
	w := f.work
	left, next := min(most, int(f.req.MaxBytes)), 0
	f.bytes = 0
	for i, topic := range f.topics {
		for j := f.req.Topics[i].First; j < f.req.Topics[i].End; j++ {
			if w.results[j].Length == 0 {
				continue
			}
			span := w.spans[next]
			next++
			w.results[j].Length = 0
			if f.bytes > 0 && left <= f.bytes {
				continue
			}
			p := &f.req.Partitions[j]
			c := conversion{log: f.logs[j], from: p.Offset, most: min(int(p.MaxBytes), left-f.bytes), magic: 1}
			if f.header.Version < 2 {
				c.magic = 0
			}
			err := inTool(func(t *tool) error {
				c.tool, c.out = t, nil
				return c.run(span)
			})
			switch {
			case err == nil:
				w.old[j], w.results[j].Length = c.out, len(c.out)
				w.records[j] = int(lastOffset(c.out) + 1 - max(span.Base, p.Offset))
				f.bytes += len(c.out)
			case errors.Is(err, record.ErrNoOldForm):
				w.results[j] = fetchError(errUnsupportedCompressionType)
			default:
				w.results[j] = fetchError(f.readError(topic, p, err))
			}
		}
	}
}

// lastOffset is that of the last message of a set.
func lastOffset(set []byte) (last record.Offset) {
	for len(set) >= 12 {
		last = record.Offset(binary.BigEndian.Uint64(set))
		set = set[12+binary.BigEndian.Uint32(set[8:]):]
	}
	return last
}

// conversion is one partition's messages in the making.
type conversion struct {
	tool  *tool
	log   *commitlog.Log
	from  record.Offset
	magic int8
	most  int // bytes, if the first batch is not larger
	out   []byte
}

// run converts a span, and what follows it as long as there is nothing to show.
func (c *conversion) run(span *commitlog.Span) error {
	var err error
	c.tool.raw, err = span.AppendTo(c.tool.raw[:0])
	for err == nil && len(c.tool.raw) > 0 {
		var next record.Offset
		if next, err = c.batches(c.tool.raw); err != nil || len(c.out) > 0 {
			break
		}
		var more *commitlog.Span
		if more, err = dataSpan(c.log, next, c.most); err == nil {
			c.tool.raw, err = more.AppendTo(c.tool.raw[:0])
			more.Release()
		}
	}
	if len(c.out) > 0 {
		return nil // what cannot be converted comes first next time, and is refused then
	}
	return err
}

// batches converts the batches of raw until there is enough, and returns the offset behind them.
func (c *conversion) batches(raw []byte) (next record.Offset, err error) {
	for len(raw) > 0 {
		h, err := record.ParseHeader(raw)
		if err != nil {
			return next, err
		}
		if len(c.out) > 0 && len(c.out)+h.Size() > c.most {
			return next, nil
		}
		var whole bool
		c.out, whole, err = c.tool.Downgrade(c.out, raw[:h.Size()], c.magic, c.from, c.most-len(c.out), c.tool.bound(h.Size()))
		if err != nil || !whole {
			return next, err
		}
		raw, next = raw[h.Size():], h.NextOffset()
	}
	return next, nil
}

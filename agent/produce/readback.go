package produce

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
)

// readBytes is how much of a log is asked for at a time.
const readBytes = 1 << 20

// logReader reads what lies in one partition's log, over a connection of its own:
// whoever sends over the usual one must not wait behind it.
type logReader struct {
	conn *kafka.Conn
	at   journal.Partition
	tips bool // the broker says where its own log ends
}

// openLog connects to the leader at addr to read.
func (c *Client) openLog(ctx context.Context, addr string, at journal.Partition) (logReader, error) {
	conn, err := c.cfg.Kafka.Dial(ctx, addr)
	if err != nil {
		return logReader{}, err
	}
	knows, err := versions(ctx, conn)
	if err != nil {
		conn.Close()
		return logReader{}, err
	}
	return logReader{conn, at, knows[keyEpochs] >= epochsVersion}, nil
}

// since is the first offset with a record of that time or later, end when there is none.
func (s logReader) since(ctx context.Context, t time.Time, end record.Offset) (record.Offset, error) {
	at, _, err := s.offset(ctx, max(t.UnixMilli(), 0))
	if err == nil && at < 0 {
		at = end
	}
	return at, err
}

// each calls visit with the whole batches from one offset to before another, in order,
// and answers how far it came: a log may turn out to end earlier. whole says that it came
// to the end and past no damage. A batch is valid during the call.
func (s logReader) each(ctx context.Context, from, to record.Offset, visit func(h record.Header, batch []byte) error) (reached record.Offset, whole bool, err error) {
	whole = true
	for at := from; ; {
		if at >= to {
			return at, whole, nil
		}
		b, err := s.fetch(ctx, at)
		if errors.Is(err, kerr.CorruptMessage) {
			whole = false
			if at, err = s.past(ctx, at, to); err == nil {
				continue
			}
		}
		if err != nil {
			return at, false, err
		}
		next, err := s.batches(b, at, to, visit)
		if err != nil {
			return at, false, err
		}
		if next == at {
			return at, false, nil // nothing follows, though more was promised
		}
		at = next
	}
}

// batches calls visit with what was fetched from an offset on, and answers where the rest
// begins.
func (s logReader) batches(b []byte, at, to record.Offset, visit func(h record.Header, batch []byte) error) (record.Offset, error) {
	next := at
	for {
		if magic := record.MessageMagic(b); magic == 0 || magic == 1 { // older than what is sent by us
			var last record.Offset
			if last, b = oldMessage(b); b == nil {
				return next, nil
			}
			next = max(next, last+1)
			continue
		}
		h, err := record.ParseHeader(b)
		if errors.Is(err, record.ErrShort) || err == nil && h.Size() > len(b) {
			return next, nil // the end of what was asked for
		}
		if err != nil {
			return at, fmt.Errorf("reading %s-%d from offset %d: %w", s.at.Topic, s.at.Number, next, err)
		}
		if h.LastOffset() >= at && h.BaseOffset < to {
			if err := visit(h, b[:h.Size()]); err != nil {
				return at, err
			}
		}
		next, b = max(next, h.NextOffset()), b[h.Size():]
	}
}

// past is an offset behind damaged records from which the log can be read again, looked
// for in steps that double; to, when there is none before it. Waiting would be in vain:
// nothing but a person mends them.
func (s logReader) past(ctx context.Context, at, to record.Offset) (record.Offset, error) {
	for step := record.Offset(1); at+step < to; step *= 2 {
		if _, err := s.fetch(ctx, at+step); !errors.Is(err, kerr.CorruptMessage) {
			return at + step, err
		}
	}
	return to, nil
}

// oldMessage is the offset of the message of format 0 or 1 at the head of b, the last one
// of a wrapper, and what follows it; nil: it is cut short.
func oldMessage(b []byte) (last record.Offset, rest []byte) {
	const overhead = 12 // offset and size
	if size := int64(int32(binary.BigEndian.Uint32(b[8:]))); size > 0 && size <= int64(len(b)-overhead) {
		return record.Offset(binary.BigEndian.Uint64(b)), b[overhead+size:]
	}
	return -1, nil
}

// fetch asks for the bytes of the log from an offset on.
func (s logReader) fetch(ctx context.Context, from record.Offset) ([]byte, error) {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = 4, 500, 1, readBytes
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = s.at.Number, int64(from), readBytes
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.Partitions = s.at.Topic, append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := s.conn.Call(ctx, req)
	if err != nil {
		return nil, err
	}
	r := resp.(*kmsg.FetchResponse)
	if len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 {
		return nil, fmt.Errorf("reading %s-%d: %w", s.at.Topic, s.at.Number, errAnswer)
	}
	if err := kerr.ErrorForCode(r.Topics[0].Partitions[0].ErrorCode); err != nil {
		return nil, fmt.Errorf("reading %s-%d from offset %d: %w", s.at.Topic, s.at.Number, from, err)
	}
	return r.Topics[0].Partitions[0].RecordBatches, nil
}

// Span bounds what ReadBack reads of a partition.
type Span struct {
	From, To time.Time // when it was sent; the zero time: no bound
	Bytes    int64     // at most about so many, the newest; 0: no bound
}

// ErrMayNotRead says that this user has no READ on a topic.
var ErrMayNotRead = errors.New("this agent's user may not read the topic")

// ReadBack calls visit with the batches that a partition holds, the newest first in
// steps and in order inside a step; one may come twice. It ends when enough says so
// after a step. all is false when Bytes did not reach as far as From,
// or some of it cannot be read.
func (c *Client) ReadBack(ctx context.Context, at journal.Partition, span Span, visit func(batch []byte) error, enough func() bool) (read int64, all bool, err error) {
	addr, err := c.leader(at, true)
	if err != nil {
		return 0, false, err
	}
	log, err := c.openLog(ctx, addr, at)
	if err != nil {
		return 0, false, err
	}
	defer log.conn.Close()
	start, end, err := log.bounds(ctx)
	if err == nil && !span.From.IsZero() {
		var from record.Offset
		from, err = log.since(ctx, span.From, end)
		start = max(start, from)
	}
	if err == nil && !span.To.IsZero() {
		end, err = log.since(ctx, span.To, end)
	}
	damaged := false
	for step := record.Offset(1 << 12); err == nil && end > start; step *= 2 {
		from := max(start, end-step)
		var whole bool
		_, whole, err = log.each(ctx, from, end, func(_ record.Header, batch []byte) error {
			read += int64(len(batch))
			return visit(batch)
		})
		damaged = damaged || !whole
		if end = from; err == nil && (enough() || span.Bytes > 0 && read >= span.Bytes) {
			break
		}
	}
	if errors.Is(err, kerr.TopicAuthorizationFailed) {
		err = fmt.Errorf("%w: %w", ErrMayNotRead, err)
	}
	return read, end <= start && !damaged || enough(), err
}

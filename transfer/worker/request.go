package worker

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// request is one Fetch on its way: which feeds it asks for, and what is reserved for the answer.
type request struct {
	fetched  *share
	limits   fetchLimits
	wait     time.Duration
	reserved int64 // bytes of the fetched share, less what chunks took over
	asked    int64 // reserved as it was sent
	got      int64 // bytes of records in the answer
	asks     []asked
	refused  []refusal
}

// asked is one feed in a request.
type asked struct {
	ask
	feed  *feed
	epoch int
}

// refusal is a partition that the broker answered with an error.
type refusal struct {
	feed   *feed
	epoch  int
	offset record.Offset // that was asked for
	code   int16
}

// why is what the broker's code means for the reader.
func (c refusal) why() error {
	if c.code == kerr.CorruptMessage.Code {
		return fmt.Errorf("the records at offset %d are damaged or lost, the broker's log names the file and the mend: %w", c.offset, kerr.CorruptMessage)
	}
	return kerr.ErrorForCode(c.code)
}

func (r *request) add(d *feed, offset record.Offset, epoch int) {
	r.asks = append(r.asks, asked{ask{topic: d.topic, partition: d.partition, offset: offset}, d, epoch})
}

// grouped is what goes on the wire: partitions of one topic together, topics in the order of their first partition.
func (r *request) grouped() []ask {
	first := map[string]int{}
	for i, a := range r.asks {
		if _, ok := first[a.topic]; !ok {
			first[a.topic] = i
		}
	}
	slices.SortStableFunc(r.asks, func(a, b asked) int { return cmp.Compare(first[a.topic], first[b.topic]) })
	out := make([]ask, len(r.asks))
	for i, a := range r.asks {
		out[i] = a.ask
		out[i].maxBytes = r.limits.maxBytes
	}
	return out
}

// accept hands an answer out. It runs on the connection's reader and does not block.
func (r *request) accept(reply []byte) error {
	code, err := parseFetch(reply, func(a answer) {
		for i := range r.asks {
			if q := &r.asks[i]; q.partition == a.partition && q.topic == a.topic {
				r.got += int64(len(a.records))
				r.take(q, a)
				return
			}
		}
	})
	if err == nil && code != 0 {
		err = kerr.ErrorForCode(code)
	}
	return err
}

// take gives one partition's answer to its feed.
func (r *request) take(q *asked, a answer) {
	if a.code != 0 {
		r.refused = append(r.refused, refusal{q.feed, q.epoch, q.offset, a.code})
		return
	}
	n, next, bad := walk(a.records, q.offset)
	if n == 0 {
		var short *shortError
		if errors.As(bad, &short) {
			r.tooBig(q, short.need)
			return
		}
		q.feed.fill(q.epoch, nil, q.offset, a.high, bad)
		return
	}
	if errors.As(bad, new(*shortError)) {
		bad = nil // the answer was cut at its limit; the rest comes with the next
	}
	if !r.reserve(int64(n)) {
		r.tooBig(q, n)
		return
	}
	c := &chunk{from: q.offset, data: slices.Clone(a.records[:n]), aborted: a.aborted, fetched: r.fetched}
	if !q.feed.fill(q.epoch, c, next, a.high, bad) {
		c.release()
	}
}

// reserve moves n bytes from what was reserved to a chunk; what is missing is taken if it is free.
func (r *request) reserve(n int64) bool {
	if over := n - r.reserved; over > 0 {
		if !r.fetched.try(over) {
			return false
		}
		r.reserved += over
	}
	r.reserved -= n
	return true
}

// tooBig notes how much a feed needs for its next batch, or that no budget will ever hold it.
func (r *request) tooBig(q *asked, need int) {
	if limit := r.fetched.limit(); int64(need) > limit {
		q.feed.fail(q.epoch, &BatchError{q.topic, q.partition, q.offset,
			fmt.Errorf("a batch of %d bytes: %w, %d bytes: raise --memory", need, ErrOverBudget, limit)})
		return
	}
	q.feed.needs(q.epoch, need)
}

// shortError says that an answer ends inside its first batch, and how long that is.
type shortError struct{ need int }

func (e *shortError) Error() string {
	return fmt.Sprintf("answer ends inside a batch of %d bytes", e.need)
}

// walk finds how many bytes at the head of b are whole batches and which offset follows them. What stops it before
// the end is the error: a batch cut at the answer's limit, or bytes that are no batch.
func walk(b []byte, from record.Offset) (n int, next record.Offset, err error) {
	next = from
	for n < len(b) {
		h, err := record.ParseHeader(b[n:])
		if errors.Is(err, record.ErrShort) {
			return n, next, &shortError{2 * leastAsk}
		}
		if err != nil {
			return n, next, err
		}
		if h.Size() > len(b)-n {
			return n, next, &shortError{h.Size()}
		}
		n += h.Size()
		next = max(next, h.NextOffset())
	}
	return n, next, nil
}

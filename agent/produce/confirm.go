package produce

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/loghaul/loghaul/internal/record"
)

// confirmTries is how often a batch that the leader says it has is sent to confirm it.
const confirmTries = 3

// forgetsAfter is how old what a leader knows of a producer may be and still be trusted
// to be there a moment later. Brokers forget a producer some time after its last batch,
// a day with Kafka unless producer.id.expiration.ms says otherwise, and look for such
// ones every ten minutes.
const forgetsAfter = 5 * time.Minute

// mayForget says whether the leader may know nothing of us by the time that a batch
// reaches it: it would take a copy for a new one. Clocks that are apart count as old.
func (k knowledge) mayForget(now time.Time) bool {
	return k.when < 0 || now.Sub(time.UnixMilli(k.when)).Abs() > forgetsAfter
}

// confirm makes sure that the replicas have what the leader says it has, and takes it for
// acknowledged: the last batch is sent once more, whose answer waits for the replicas as
// the question did not. A leader that may forget us meanwhile is sent nothing that the
// log shows.
func (p *Partition) confirm(ctx context.Context, l *link, conn *wire, k knowledge, covered []*flight) error {
	if len(covered) == 0 {
		return nil
	}
	last, base, seen := covered[len(covered)-1], record.Offset(-1), false
	var err error
	if k.mayForget(time.Now()) {
		if base, seen, err = p.replicated(ctx, l, last); err != nil {
			return fmt.Errorf("looking for our last batch in %s-%d: %w", p.at.Topic, p.at.Number, err)
		}
	}
	if !seen {
		if base, err = p.sendLast(ctx, conn, last); err != nil {
			return err
		}
	}
	for _, f := range covered {
		offset := record.Offset(-1)
		if f == last {
			offset = base
		}
		p.mu.Lock()
		p.settle(f, offset)
		p.mu.Unlock()
		p.finish(f, offset)
	}
	return nil
}

// sendLast sends the last batch that the leader has once more; -1: its files are gone,
// and the leader's word must do.
func (p *Partition) sendLast(ctx context.Context, conn *wire, last *flight) (record.Offset, error) {
	if err := p.load(last); errors.Is(err, ErrDiffers) {
		p.c.log.Warn("the broker says it has a batch, which cannot be sent again to make sure", "topic", p.at.Topic, "partition", p.at.Number, "err", err)
		return -1, nil
	} else if err != nil {
		return -1, err
	}
	base, err := p.sendAlone(ctx, conn, last)
	if errors.Is(err, kerr.OutOfOrderSequenceNumber) {
		p.mu.Lock()
		p.mu.refused++
		p.mu.Unlock()
	}
	return base, err
}

// replicated looks for a batch that the leader has in the log, where only what the
// replicas have can be read. Not found, it is waited for; seen is false when that was
// in vain, or the log may not be read.
func (p *Partition) replicated(ctx context.Context, l *link, f *flight) (base record.Offset, seen bool, err error) {
	log, err := p.c.openLog(ctx, l.addr, p.at)
	if err != nil {
		return -1, false, err
	}
	defer log.conn.Close()
	from, end, whole, err := p.unknown(ctx, log, []*flight{f})
	if errors.Is(err, kerr.TopicAuthorizationFailed) {
		return -1, false, nil
	} else if err != nil {
		return -1, false, err
	}
	p.mu.Lock()
	if p.mu.lookedFor == f && p.mu.lookedTo <= end {
		from = max(from, p.mu.lookedTo) // what lies below was read by an earlier try
	}
	p.mu.Unlock()
	reached, all, err := log.each(ctx, from, end, func(h record.Header, _ []byte) error {
		if match([]*flight{f}, h) != nil {
			base, seen = h.BaseOffset, true
			return errSeen
		}
		return nil
	})
	if seen {
		return base, true, nil
	} else if err != nil {
		return -1, false, err
	}
	p.mu.Lock()
	p.mu.lookedFor, p.mu.lookedTo = f, reached
	p.mu.Unlock()
	if p.waitsForReplicas(whole && all) {
		return -1, false, errors.New("its replicas do not have it yet")
	}
	return -1, false, nil
}

// errSeen ends reading once what was looked for is found.
var errSeen = errors.New("it was found")

package txn

import (
	"context"
	"fmt"
	"time"

	"github.com/loghaul/loghaul/broker/statelog"
	"github.com/loghaul/loghaul/internal/record"
)

// now is the wall clock in ms since 1970, as everything here is stored.
func (c *Coordinator) now() int64 { return time.Now().UnixMilli() }

// keep aborts what takes too long, forgets ids that nobody uses and keeps the log short, until ctx ends.
func (c *Coordinator) keep(ctx context.Context) error {
	abort, expire := time.NewTicker(c.cfg.AbortCheck), time.NewTicker(c.cfg.ExpireCheck)
	defer abort.Stop()
	defer expire.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-abort.C:
			for _, t := range c.all() {
				c.abortLate(t)
			}
		case <-expire.C:
			for _, t := range c.all() {
				c.expire(t)
			}
		case <-c.writer.Due():
			if err := c.rewrite(ctx); err != nil && ctx.Err() == nil {
				c.cfg.Logger.Warn("could not shorten the transactions' log; trying again when it has grown", "topic", Topic, "error", err)
			}
		}
	}
}

// abortLate aborts a transaction that has taken longer than its producer allowed, and fences the producer.
func (c *Coordinator) abortLate(t *transaction) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state != Ongoing || t.started+t.timeout.Milliseconds() >= c.now() {
		return
	}
	who := t.producer
	if p := t.fence(); p.err != nil {
		c.cfg.Logger.Warn("could not abort a transaction that timed out; trying again", "transactional_id", string(t.id), "error", p.err)
		return
	}
	c.cfg.Logger.Info("aborted a transaction that timed out", "transactional_id", string(t.id), "timeout", t.timeout,
		"producer_id", int64(who.ID), "producer_epoch", who.Epoch)
}

// expire forgets an id that nobody has used for so long.
func (c *Coordinator) expire(t *transaction) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.state.resting() || t.producer == nobody || t.updated+c.cfg.Expiration.Milliseconds() > c.now() {
		return
	}
	if err := c.writer.Append([]statelog.Entry{{Key: encodeKey(t.id)}}, nil); err != nil {
		c.cfg.Logger.Warn("could not forget a transactional id that nobody uses", "transactional_id", string(t.id), "error", err)
		return
	}
	c.bury(t)
}

// rewrite writes all live state anew at the log's end and lets go of what lies before. An id that comes meanwhile has
// all its records behind.
func (c *Coordinator) rewrite(ctx context.Context) error {
	began := time.Now()
	bytes, err := c.writer.Rewrite(ctx, func(add func(record.Producer, []statelog.Entry) error) error {
		for _, t := range c.all() {
			if err := t.rewrite(add); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("writing the live state anew: %w", err)
	}
	c.cfg.Logger.Debug("transactions' log written anew", "topic", Topic, "live_bytes", bytes, "took", time.Since(began))
	return nil
}

func (t *transaction) rewrite(add func(record.Producer, []statelog.Entry) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state == Dead || t.producer == nobody {
		return nil
	}
	return add(record.NoProducer, []statelog.Entry{{Key: encodeKey(t.id), Value: encodeValue(t)}})
}

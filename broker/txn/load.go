package txn

import (
	"context"
	"fmt"

	"github.com/loghaul/loghaul/internal/record"
)

// maxRecord bounds one record of the log, in bytes: a transaction over every partition there may be.
const maxRecord = 16 << 20

// Load reads the state back from the log. Call it once, before Run and the first request. Transactions whose end was
// decided are ended by Run; those that were open are open still. A record that makes no sense is passed over and
// logged; a damaged batch is an error that names it.
func (c *Coordinator) Load(ctx context.Context) error {
	bad := 0
	err := c.writer.Load(ctx, maxRecord, c.read, func(at record.Offset, err error) {
		bad++
		c.cfg.Logger.Warn("passing over a record of the transactions' log", "topic", Topic, "offset", int64(at), "error", err)
	})
	if err != nil {
		return fmt.Errorf("loading the transactions: %w", err)
	}
	open, ending := 0, 0
	for _, t := range c.all() {
		c.use.Add(idCost + int64(len(t.id)))
		for p := range t.partitions {
			c.use.Add(partitionCost + int64(len(p.Topic)))
		}
		c.ids.above(max(t.producer.ID, t.previous))
		switch {
		case t.state == Ongoing:
			open++
		case t.state.prepared():
			ending++
			t.ended = make(chan struct{})
			c.ending.add(t)
		}
	}
	c.cfg.Logger.Debug("transactions loaded", "ids", len(c.all()), "open", open, "ending", ending, "passed_over", bad)
	return nil
}

// read takes one record: the last of an id counts.
func (c *Coordinator) read(h record.Header, rec *record.Record) error {
	if h.Control() {
		return nil
	}
	id, err := decodeKey(rec.Key)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if rec.Value == nil {
		delete(c.mu.byID, id)
		return nil
	}
	t := newTransaction(c, id)
	if err := decodeValue(rec.Value, t); err != nil {
		return err
	}
	c.mu.byID[id] = t
	return nil
}

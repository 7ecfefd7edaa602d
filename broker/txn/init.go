package txn

import (
	"fmt"
	"time"
)

// InitRequest asks for a producer under a transactional id.
type InitRequest struct {
	ID      ID
	Timeout time.Duration // of its transactions
	// Expected is who asks to go on after an error (KIP-360), and is fenced when somebody else has the id by now; ID -1: a
	// producer that has just started, which fences whoever has it.
	Expected Producer
}

// Init gives a transactional id to a producer: the id's own producer id with the next epoch. A transaction that is
// open is aborted first: that is answered with ErrConcurrent, and the client comes again.
func (c *Coordinator) Init(r InitRequest) *Pending {
	switch {
	case !validID(r.ID):
		return refused(ErrInvalidID)
	case r.Timeout <= 0 || r.Timeout > c.cfg.MaxTimeout:
		return refused(ErrInvalidTimeout)
	case c.find(r.ID) == nil && c.full(idCost+int64(len(r.ID))):
		return refused(ErrNoRoom)
	}
	t := c.acquire(r.ID, true)
	defer t.mu.Unlock()
	if !t.expects(r.Expected) {
		return refused(ErrFenced)
	}
	if t.state.prepared() {
		return refused(ErrConcurrent)
	}
	if t.state == Ongoing {
		p := t.fence()
		if p.err == nil {
			p.err = ErrConcurrent // only the next epoch is given to the one who asks
		}
		return p
	}
	before := t.image()
	if err := t.succeed(r.Expected); err != nil {
		if before.producer == nobody {
			c.bury(t)
		}
		return refused(err)
	}
	t.state, t.timeout, t.started = Empty, r.Timeout, -1
	p := &Pending{producer: t.producer, stored: make(chan error, 1)}
	if err := t.store(before, func(err error) { p.stored <- err }); err != nil {
		if before.producer == nobody {
			c.bury(t)
		}
		return refused(err)
	}
	return p
}

// expects says whether this may be the id's producer that goes on after an error: its current one, or the one whose id
// was exchanged because its epochs were used up and who has not heard of that.
func (t *transaction) expects(p Producer) bool {
	switch {
	case p.ID < 0 || t.producer == nobody:
		return true
	case p.ID == t.previous:
		return p.Epoch >= lastEpoch
	case t.state == Ongoing: // Kafka lets an older epoch abort it, and only then refuses
		return p == t.producer
	}
	return p.ID == t.producer.ID
}

// succeed makes the next producer the current one.
func (t *transaction) succeed(expected Producer) error {
	goesOn := expected.ID >= 0
	switch {
	case t.producer == nobody:
		id, err := t.c.newID()
		if err != nil {
			return err
		}
		t.producer = Producer{id, 0}
	case t.exhausted() && (!goesOn || expected.Epoch == t.producer.Epoch):
		id, err := t.c.newID()
		if err != nil {
			return err
		}
		t.previous, t.lastEpoch = t.producer.ID, -1
		if goesOn {
			t.lastEpoch = t.producer.Epoch
		}
		t.producer = Producer{id, 0}
	case !goesOn:
		t.lastEpoch = -1
		t.producer.Epoch++
	case expected.Epoch == t.producer.Epoch:
		t.lastEpoch = t.producer.Epoch
		t.producer.Epoch++
	case expected.Epoch != t.lastEpoch: // else the answer to an earlier request was lost: it is given again
		return ErrFenced
	}
	return nil
}

// newID is a producer id that nobody has had.
func (c *Coordinator) newID() (ProducerID, error) {
	id, err := c.ids.Next()
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNotStored, err)
	}
	return id, nil
}

// fence aborts the open transaction in an epoch that no producer has, so that its producer writes no more.
func (t *transaction) fence() *Pending {
	before := t.image()
	t.producer.Epoch, t.lastEpoch = t.producer.Epoch+1, -1
	return t.prepare(before, false)
}

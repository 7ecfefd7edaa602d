package txn

import "context"

// Enter lets one transactional batch into a partition (KIP-890): the producer must be the current one and the partition
// in its ongoing transaction, stored on the disk. Until leave is called, after the append, the end of the transaction is
// written to no partition, so no batch comes behind it. It allocates nothing.
func (c *Coordinator) Enter(transactionalID string, producerID int64, epoch int16, topic string, partition int32) (leave func(), err error) {
	t := c.find(ID(transactionalID))
	if t == nil {
		return nil, ErrUnknownProducer
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.state == Dead || t.producer == nobody || t.producer.ID != ProducerID(producerID):
		return nil, ErrUnknownProducer
	case t.producer.Epoch != epoch:
		return nil, ErrStaleEpoch
	case t.state != Ongoing || !t.partitions[Partition{topic, partition}]:
		return nil, ErrInvalidTxnState
	}
	t.inside++
	return t.leave, nil
}

// exit is what Enter returns.
func (t *transaction) exit() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inside--
	if t.inside == 0 && t.quiet != nil {
		close(t.quiet)
		t.quiet = nil
	}
}

// alone waits until no batch is inside. The state, which lets nobody in any more, is the caller's business.
func (t *transaction) alone(ctx context.Context) error {
	t.mu.Lock()
	if t.inside == 0 {
		t.mu.Unlock()
		return nil
	}
	if t.quiet == nil {
		t.quiet = make(chan struct{})
	}
	quiet := t.quiet
	t.mu.Unlock()
	select {
	case <-quiet:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

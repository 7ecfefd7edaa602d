package txn

// Add puts partitions into the producer's transaction, which begins with the first. A partition takes batches from the
// moment on that this is durable.
func (c *Coordinator) Add(id ID, who Producer, partitions []Partition) *Pending {
	if !validID(id) {
		return refused(ErrInvalidID)
	}
	t := c.acquire(id, false)
	if t == nil {
		return refused(ErrUnknownProducer)
	}
	defer t.mu.Unlock()
	if err := t.check(who); err != nil {
		return refused(err)
	}
	if t.state.prepared() {
		return refused(ErrConcurrent)
	}
	fresh, stored, cost := t.missing(partitions)
	if t.state == Ongoing && stored {
		return &Pending{producer: who}
	}
	if c.full(cost) {
		return refused(ErrNoRoom)
	}
	return t.add(who, partitions, fresh, cost)
}

// check says whether it is the id's producer who asks.
func (t *transaction) check(who Producer) error {
	if t.producer == nobody || t.producer.ID != who.ID {
		return ErrUnknownProducer
	}
	if t.producer.Epoch != who.Epoch {
		return ErrFenced
	}
	return nil
}

// missing are the partitions that are not in the transaction yet, and what they cost in memory; stored says that all are
// in it and on the disk.
func (t *transaction) missing(partitions []Partition) (fresh []Partition, stored bool, cost int64) {
	stored = true
	seen := map[Partition]bool{}
	for _, p := range partitions {
		durable, in := t.partitions[p]
		stored = stored && durable
		if !in && !seen[p] {
			seen[p] = true
			fresh, cost = append(fresh, p), cost+partitionCost+int64(len(p.Topic))
		}
	}
	return fresh, stored, cost
}

// add stores the transaction with the partitions; fresh are those that are new in it.
func (t *transaction) add(who Producer, partitions, fresh []Partition, cost int64) *Pending {
	before := t.image()
	if t.state != Ongoing {
		t.state, t.started = Ongoing, t.c.now()
	}
	for _, p := range fresh {
		t.partitions[p] = false
	}
	p := &Pending{producer: who, stored: make(chan error, 1)}
	err := t.store(before, func(err error) {
		if err == nil {
			t.open(partitions)
		}
		p.stored <- err
	})
	if err != nil {
		for _, p := range fresh {
			delete(t.partitions, p)
		}
		return refused(err)
	}
	t.c.use.Add(cost)
	return p
}

// open lets batches into partitions. The transaction is the one they were added to: its end is durable later than they.
func (t *transaction) open(partitions []Partition) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range partitions {
		if _, in := t.partitions[p]; in {
			t.partitions[p] = true
		}
	}
}

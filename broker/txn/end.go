package txn

// End decides a transaction: its records count, or they do not. The answer comes when the decision is durable and, within
// Config.EndPatience, every partition has heard it.
func (c *Coordinator) End(id ID, who Producer, commit bool) *Pending {
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
	committed := t.state == PrepareCommit || t.state == CompleteCommit
	switch {
	case t.state == Ongoing:
		return t.prepare(t.image(), commit)
	case t.state == Empty || committed != commit:
		return refused(ErrInvalidTxnState)
	case t.state.prepared():
		return refused(ErrConcurrent)
	}
	return &Pending{producer: who} // asked again: it has ended so
}

// prepare stores the decision and, when that is durable, has it told to the partitions. From here on nobody enters.
func (t *transaction) prepare(before image, commit bool) *Pending {
	t.state = PrepareAbort
	if commit {
		t.state = PrepareCommit
	}
	p := &Pending{producer: t.producer, stored: make(chan error, 1), patience: t.c.cfg.EndPatience}
	ended := make(chan struct{})
	err := t.store(before, func(err error) {
		if err == nil {
			t.c.ending.add(t)
		}
		p.stored <- err
	})
	if err != nil {
		return refused(err)
	}
	t.ended, t.warned, p.ended = ended, false, ended
	return p
}

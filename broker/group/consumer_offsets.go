package group

// mayCommitConsumer is mayCommit for a consumer group. What an older epoch commits counts while its
// member still holds the partition since that epoch (KIP-1251); such entries get their Err here.
func (g *group) mayCommitConsumer(r CommitRequest, txn bool) error {
	anonymous := r.Generation < 0 && r.Member == "" && r.Instance == ""
	if r.Generation < 0 && len(g.roster.consumers) == 0 || anonymous && txn {
		return nil
	}
	m := g.roster.consumers[r.Member]
	if m == nil {
		return ErrUnknownMember
	}
	if !txn && !r.Epochs {
		return ErrOldVersion
	}
	stale := ErrStaleEpoch
	if txn {
		stale = ErrIllegalGeneration
	}
	epoch := Epoch(r.Generation)
	if epoch > m.epoch || epoch < 0 {
		return stale
	}
	if epoch == m.epoch {
		return nil
	}
	for i := range r.Offsets {
		e := &r.Offsets[i]
		id, _, ok := g.c.cfg.Topics.Lookup(e.Topic)
		since, held := m.assigned[Slot{Topic: id, Partition: e.Index}]
		if e.Err == nil && (!ok || !held || epoch < since) {
			e.Err = stale
		}
	}
	return nil
}

// mayFetch holds what a member says about itself in OffsetFetch v9 against a consumer group.
func (g *group) mayFetch(r FetchRequest) error {
	if g.roster == nil || !r.AsMember {
		return nil
	}
	m := g.roster.consumers[r.Member]
	if m == nil {
		return ErrUnknownMember
	}
	if m.epoch != r.Epoch {
		return ErrStaleEpoch
	}
	return nil
}

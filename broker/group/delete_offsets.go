package group

// subscribes says whether members read a topic. In a classic group of consumers that have not said yet, or not in words
// that are known, they may.
func (g *group) subscribes(topic string) bool {
	switch {
	case g.roster != nil:
		return g.roster.wants(topic)
	case g.topics == nil:
		return g.protocolType == "consumer" && len(g.members) > 0
	}
	return g.topics[topic]
}

// PendingErase is a deletion of offsets that waits for the disk.
type PendingErase struct {
	PendingDelete
	Errs []error // of the partitions, in their order; nil for those that are deleted or were not there
}

// DeleteOffsets forgets committed offsets of partitions whose topics no member reads. The group stays for a
// while even when that was its last offset, so that it can still be deleted. Wait, which must
// follow, says whether that is so for good; its error is about the request as a whole.
func (c *Coordinator) DeleteOffsets(id ID, list []Partition) *PendingErase {
	p := &PendingErase{Errs: make([]error, len(list))}
	if !validID(id) {
		p.err = ErrInvalidGroup
		return p
	}
	g := c.acquire(id, false)
	if g == nil {
		p.err = ErrNotFound
		return p
	}
	defer c.release(g)
	if g.roster == nil && g.state != Empty && g.protocolType != "consumer" {
		p.err = ErrNonEmpty
		return p
	}
	var gone []Partition
	for i, at := range list {
		switch {
		case g.subscribes(at.Topic):
			p.Errs[i] = ErrSubscribed
		case g.offsets[at] != nil:
			gone = append(gone, at)
		}
	}
	done := make(chan error, 1)
	if p.err = g.erase(gone, false, func(err error) { done <- err }); p.err == nil { // has room for it: the only answer
		p.done, g.lingers = done, g.lingers || len(gone) > 0
	}
	return p
}

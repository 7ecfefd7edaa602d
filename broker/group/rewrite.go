package group

import (
	"slices"

	"github.com/loghaul/loghaul/broker/statelog"
	"github.com/loghaul/loghaul/internal/record"
)

// stretch is what is appended on behalf of one producer, or of none.
type stretch struct {
	as      record.Producer
	entries []statelog.Entry
}

// rewriteGroup appends one group's live state, as the log has it: what is in flight included, since the
// record that carries it may lie before the cut. No marker can come in between, so what is written for
// an open transaction lies before its end.
func (c *Coordinator) rewriteGroup(g *group, add func(record.Producer, []statelog.Entry) error) error {
	g.mu.Lock()
	defer c.release(g)
	if g.state == Dead {
		return nil
	}
	c.txns.Lock()
	defer c.txns.Unlock()
	for _, s := range g.live() {
		if err := add(s.as, s.entries); err != nil {
			return err
		}
	}
	return nil
}

// live is the group's state in the order in which it has to be read back: of two commits of one partition
// the later one holds, whether it is a transaction's or not. It is called with openTxns held.
func (g *group) live() []stretch {
	plain := map[Partition]Committed{}
	for at, p := range g.offsets {
		if v, ok := p.last(); ok {
			plain[at] = v
		}
	}
	var open []*openTxn
	for _, t := range g.txns {
		switch {
		case !t.marked:
			open = append(open, t)
		case t.commit: // the marker lies before what is written now, so it counts as done
			for at, v := range t.offsets {
				if was, ok := plain[at]; !ok || v.log >= was.log {
					plain[at] = v
				}
			}
		}
	}
	own := stretch{as: record.NoProducer}
	if g.stored != nil {
		own.entries = append(own.entries, entry(metadataKey(g.id), g.stored))
	}
	own.entries = append(own.entries, g.rosterEntries()...)
	for at, v := range plain {
		own.entries = append(own.entries, entry(offsetKey(g.id, at), offsetValue(v)))
	}
	var list []stretch
	list = append(list, g.pendings(open, func(at Partition, v Committed) bool { return v.log < plain[at].log })...)
	if len(own.entries) > 0 {
		list = append(list, own)
	}
	return append(list, g.pendings(open, func(at Partition, v Committed) bool { return v.log >= plain[at].log })...)
}

// pendings are the commits of open transactions that are wanted, in the order of the log.
func (g *group) pendings(open []*openTxn, want func(Partition, Committed) bool) []stretch {
	type pending struct {
		as record.Producer
		at Partition
		to Committed
	}
	var all []pending
	for _, t := range open {
		for at, v := range t.offsets {
			if want(at, v) {
				all = append(all, pending{t.producer, at, v})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b pending) int { return int(a.to.log - b.to.log) })
	var list []stretch
	for _, p := range all {
		if n := len(list); n == 0 || list[n-1].as != p.as {
			list = append(list, stretch{as: p.as})
		}
		s := &list[len(list)-1]
		s.entries = append(s.entries, entry(offsetKey(g.id, p.at), offsetValue(p.to)))
	}
	return list
}

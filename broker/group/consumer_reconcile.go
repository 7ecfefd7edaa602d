package group

import (
	"maps"
	"slices"
	"time"
)

// A member is led to its target in these steps, one heartbeat each:
//
//	           the target takes nothing away                    ┌──────────┐
//	       ┌───────────────────────────────────────────────────▶│ settled  │ at the target's epoch
//	       │                                                    └──────────┘
//	   ┌───┴────┐   it takes some   ┌──────────┐  it has let      ▲      │ others hold some of it
//	   │ member │ ────────────────▶ │ revoking │  them go         │      ▼
//	   └────────┘                   └────┬─────┘                ┌─┴───────┐
//	       ▲  at its former epoch        └─────────────────────▶│ waiting │ at the target's epoch
//	       └─────────────────────────────── a new target ───────┴─────────┘
//
// A partition is in the hands of who holds it or has yet to let it go, and is given to nobody else.

// reconcile is the member after its next step. owned is what it says it has; nil: not said.
func (g *group) reconcile(m *consumer, owned []Slot) *consumer {
	n := *m
	switch {
	case m.progress == settled && m.epoch == g.roster.targetEpoch:
	case m.progress == revoking && holds(owned, m.unrevoked):
	default:
		g.step(&n, owned)
	}
	return &n
}

// step moves n towards its target as far as is possible now.
func (g *group) step(n *consumer, owned []Slot) {
	was := *n
	kept, revoked := map[Slot]Epoch{}, map[Slot]Epoch{}
	for slot, since := range was.assigned {
		if _, ok := n.target[slot]; ok {
			kept[slot] = since
		} else {
			revoked[slot] = since
		}
	}
	if len(revoked) > 0 && holds(owned, revoked) {
		n.assigned, n.unrevoked, n.progress = kept, revoked, revoking
		n.previous = was.epoch
		n.revokeEnd = time.Now().Add(n.rebalance)
		return
	}
	n.unrevoked, n.revokeEnd, n.progress = nil, time.Time{}, settled
	for slot := range n.target {
		if _, ok := kept[slot]; ok {
			continue
		}
		if owner, held := g.roster.owners[slot]; held && owner != n.id {
			n.progress = waiting
			continue
		}
		kept[slot] = g.roster.targetEpoch
	}
	n.assigned, n.epoch = kept, g.roster.targetEpoch
	if n.epoch != was.epoch || n.progress != was.progress || !maps.Equal(n.assigned, was.assigned) {
		n.previous = was.epoch
	}
}

// holds says whether a member that owns these may still have one of those; nil: it has not said.
func holds(owned []Slot, those map[Slot]Epoch) bool {
	if owned == nil {
		return true
	}
	return slices.ContainsFunc(owned, func(s Slot) bool { _, ok := those[s]; return ok })
}

package assign

import (
	"cmp"
	"slices"
)

// Uniform gives members as equally many partitions as their subscriptions allow, and leaves with each what
// it owns as far as that does.
func Uniform(members []Member, partitions map[TopicID]int32) []Set {
	d := newDeal(members, partitions)
	d.keep()
	for _, h := range d.hands { // few subscribers first: they have no other choice
		d.handOut(h)
	}
	// Partitions go from those with many to those with few, until no single move makes it more equal. Each
	// move makes the sum of the squares smaller, so it ends.
	for moved := true; moved; {
		moved = false
		for _, h := range d.hands {
			moved = d.level(h) || moved
		}
	}
	return d.sets()
}

const nobody = -1

// deal is one assignment in the making.
type deal struct {
	members    []Member
	partitions map[TopicID]int32
	hands      []*hand
	place      map[TopicID]place
	load       []int // of the members, in partitions
}

// hand is all partitions of a class, one after the other.
type hand struct {
	*class
	holders []int // members by index, or nobody
}

// place is where the partitions of a topic begin in a hand.
type place struct {
	hand  *hand
	first int
}

func newDeal(members []Member, partitions map[TopicID]int32) *deal {
	d := &deal{members: members, partitions: partitions, place: map[TopicID]place{}, load: make([]int, len(members))}
	for _, c := range classes(members, partitions, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) }) {
		h := &hand{class: c}
		n := 0
		for _, topic := range c.topics {
			d.place[topic] = place{h, n}
			n += int(partitions[topic])
		}
		h.holders = slices.Repeat([]int{nobody}, n)
		d.hands = append(d.hands, h)
	}
	return d
}

// keep leaves with each member what it owns, still subscribes to and nobody else claims.
func (d *deal) keep() {
	for i, m := range d.members {
		for slot := range m.Owned {
			if !m.Topics[slot.Topic] || slot.Partition < 0 || slot.Partition >= d.partitions[slot.Topic] {
				continue
			}
			at := d.place[slot.Topic]
			if holder := &at.hand.holders[at.first+int(slot.Partition)]; *holder == nobody {
				*holder = i
				d.load[i]++
			}
		}
	}
}

// handOut gives each partition that nobody has to its subscriber with the fewest.
func (d *deal) handOut(h *hand) {
	least := d.byLoad(h.subscribers)
	for k, holder := range h.holders {
		if holder == nobody {
			h.holders[k] = least.first()
			d.load[least.first()]++
			least.sink()
		}
	}
}

// level moves partitions of one class from its fullest to its emptiest subscribers.
func (d *deal) level(h *hand) (moved bool) {
	if len(h.subscribers) < 2 {
		return false
	}
	owned := make(map[int][]int, len(h.subscribers)) // partitions by their number in the hand
	for k, i := range h.holders {
		owned[i] = append(owned[i], k)
	}
	givers := slices.Clone(h.subscribers)
	slices.SortStableFunc(givers, func(a, b int) int { return cmp.Compare(d.load[b], d.load[a]) })
	least := d.byLoad(h.subscribers)
	for _, from := range givers {
		for n := len(owned[from]); n > 0 && d.load[from] >= d.load[least.first()]+2; n-- {
			to := least.first()
			h.holders[owned[from][n-1]] = to
			d.load[from]--
			d.load[to]++
			least.sink()
			moved = true
		}
	}
	return moved
}

// sets is the deal as an answer.
func (d *deal) sets() []Set {
	out := make([]Set, len(d.members))
	for i := range out {
		out[i] = make(Set, d.load[i])
	}
	for _, h := range d.hands {
		k := 0
		for _, topic := range h.topics {
			for p := range d.partitions[topic] {
				out[h.holders[k]][Slot{topic, p}] = struct{}{}
				k++
			}
		}
	}
	return out
}

// loads is a heap of members, the one with the fewest partitions on top.
type loads struct {
	load []int
	list []int
}

func (d *deal) byLoad(members []int) *loads {
	l := &loads{d.load, slices.Clone(members)}
	slices.SortStableFunc(l.list, func(a, b int) int { return cmp.Compare(d.load[a], d.load[b]) })
	return l
}

func (l *loads) first() int { return l.list[0] }

// sink puts the first, which has got more, where it belongs now. Those that have given some since are
// not found anew: they have at least as many as the one they gave to.
func (l *loads) sink() {
	at := 0
	for {
		child := 2*at + 1
		if child >= len(l.list) {
			return
		}
		if other := child + 1; other < len(l.list) && l.at(other) < l.at(child) {
			child = other
		}
		if l.at(at) <= l.at(child) {
			return
		}
		l.list[at], l.list[child] = l.list[child], l.list[at]
		at = child
	}
}

func (l *loads) at(i int) int { return l.load[l.list[i]] }

package group

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// Claim is what one group says about what it still wants to read: for who would delete records, or tells of lag.
type Claim struct {
	Group      string
	State      State
	Members    int
	LastCommit time.Time                   // of any partition, durable; zero: the group has committed nothing
	Subscribed []string                    // topics that its members read, in order; nil: there are none, or they do not say
	Committed  map[Partition]record.Offset // the next offset to read, as far as that is durable
}

// Claims are those of all groups of this moment, ordered by name. They are copies: the caller may keep them. Each is
// taken for itself, so a commit that comes meanwhile is in it or not.
func (c *Coordinator) Claims() []Claim {
	var list []Claim
	for _, g := range c.all() {
		g.mu.Lock()
		if g.state != Dead {
			list = append(list, g.claim())
		}
		g.mu.Unlock()
	}
	slices.SortFunc(list, func(a, b Claim) int { return strings.Compare(a.Group, b.Group) })
	return list
}

// claim is the group's own.
func (g *group) claim() Claim {
	c := Claim{Group: string(g.id), State: g.state, Members: len(g.members), Committed: make(map[Partition]record.Offset, len(g.offsets))}
	topics := g.topics
	if g.roster != nil {
		c.Members, topics = len(g.roster.consumers), g.roster.names()
	}
	if c.Members > 0 && len(topics) > 0 {
		c.Subscribed = slices.Sorted(maps.Keys(topics))
	}
	for at, p := range g.offsets {
		if !p.known {
			continue
		}
		c.Committed[at] = p.now.Offset
		if p.now.Time.After(c.LastCommit) {
			c.LastCommit = p.now.Time
		}
	}
	return c
}

// Reader is how far one group has come in one partition.
type Reader struct {
	Group  string
	Offset record.Offset // the next to read
}

// Readers are the groups that have committed an offset in a partition, ordered by name.
func (c *Coordinator) Readers(at Partition) []Reader {
	var list []Reader
	for _, g := range c.all() {
		g.mu.Lock()
		if p := g.offsets[at]; g.state != Dead && p != nil && p.known {
			list = append(list, Reader{string(g.id), p.now.Offset})
		}
		g.mu.Unlock()
	}
	slices.SortFunc(list, func(a, b Reader) int { return strings.Compare(a.Group, b.Group) })
	return list
}

package group

import (
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// Partition names one partition of one topic.
type Partition struct {
	Topic string
	Index int32
}

// Committed is how far a group has read a partition.
type Committed struct {
	Offset      record.Offset // of the next record to read
	LeaderEpoch int32         // of the last record read; -1: not said
	Metadata    string        // the member's own words
	Time        time.Time     // of the commit
	Expire      time.Time     // zero: by the group's retention

	log record.Offset // where the log has it: the later of two commits holds, whenever a transaction ends
}

// again says whether the log has the same commit once more, from a rewrite that may have been cut short: then its first
// place counts, for those of others between the two may not have been written anew.
func (c Committed) again(o Committed) bool {
	return c.Time.Equal(o.Time) && c.Expire.Equal(o.Expire) && c.Offset == o.Offset && c.LeaderEpoch == o.LeaderEpoch && c.Metadata == o.Metadata
}

// offset is one partition's place in a group. What is appended becomes visible when it is durable.
type offset struct {
	now      Committed // durable
	known    bool      // now holds a commit
	newest   Committed // the last appended, while some are in flight
	inFlight int
	pending  int   // open transactions that move it
	bytes    int64 // counted in usage
}

// place finds or makes the place of one commit; nil when it is refused, then its Err says why.
func (g *group) place(e *Commit) *offset {
	if len(e.Metadata) > max(0, g.c.cfg.MaxMetadata) {
		e.Err = ErrMetadataTooLong
		return nil
	}
	p := g.offsets[e.Partition]
	size := offsetSize(e.Partition, e.Metadata)
	var had int64
	if p != nil {
		had = p.bytes
	}
	if size > had && g.c.use.offsets.Load()+size-had > g.c.cfg.MaxOffsetBytes {
		e.Err = ErrNoRoom
		return nil
	}
	if p == nil {
		p = &offset{}
		g.offsets[e.Partition] = p
	}
	g.c.use.offsets.Add(size - had)
	p.bytes = size
	return p
}

// move makes a durable commit visible, unless a later one is.
func (p *offset) move(v Committed) {
	if !p.known || v.log >= p.now.log {
		p.now, p.known = v, true
	}
}

// measure books what a place holds now.
func (g *group) measure(at Partition, p *offset) {
	size := offsetSize(at, p.now.Metadata)
	g.c.use.offsets.Add(size - p.bytes)
	p.bytes = size
}

// last is what the log says last of the partition.
func (p *offset) last() (Committed, bool) {
	if p.inFlight > 0 {
		return p.newest, true
	}
	return p.now, p.known
}

// forgetUnknown removes the places of moves that have failed, if nothing else is known of them.
func (g *group) forgetUnknown(moves []move) {
	for _, m := range moves {
		if p := g.offsets[m.at]; p != nil && !p.known && p.inFlight == 0 && p.pending == 0 {
			g.forgetOffset(m.at)
		}
	}
}

// forgetOffset takes a place out, whatever it holds and whoever would move it.
func (g *group) forgetOffset(at Partition) {
	g.unpend(at)
	g.c.use.offsets.Add(-g.offsets[at].bytes)
	delete(g.offsets, at)
}

// offsetSize is what a committed offset holds in memory, roughly, in bytes.
func offsetSize(at Partition, metadata string) int64 {
	return int64(256 + len(at.Topic) + len(metadata))
}

// FetchRequest asks how far a group has read.
type FetchRequest struct {
	Group      ID
	AsMember   bool // OffsetFetch v9+: Member and Epoch say who asks, and must be right in a consumer group
	Member     MemberID
	Epoch      Epoch
	Partitions []Partition
	All        bool // instead of Partitions: all that have been committed
	Stable     bool // what an open transaction may still move is ErrUnstable instead
}

// Fetched is one partition's place in a group.
type Fetched struct {
	Committed
	Known bool
	Err   error // ErrUnstable
}

// Fetch returns the durable offsets of partitions; one without is not in the answer. A group that does
// not exist has none.
func (c *Coordinator) Fetch(r FetchRequest) (map[Partition]Fetched, error) {
	if !storableID(r.Group) {
		return nil, ErrInvalidGroup
	}
	g := c.acquire(r.Group, false)
	if g == nil {
		return nil, nil
	}
	defer c.release(g)
	if err := g.mayFetch(r); err != nil {
		return nil, err
	}
	found := make(map[Partition]Fetched)
	look := func(at Partition, p *offset) {
		switch {
		case p == nil:
		case r.Stable && p.pending > 0:
			found[at] = Fetched{Err: ErrUnstable}
		case p.known:
			found[at] = Fetched{Committed: p.now, Known: true}
		}
	}
	if r.All {
		for at, p := range g.offsets {
			look(at, p)
		}
		return found, nil
	}
	for _, at := range r.Partitions {
		look(at, g.offsets[at])
	}
	return found, nil
}

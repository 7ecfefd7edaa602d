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
}

// offset is one partition's place in a group. What is appended becomes visible when it is durable.
type offset struct {
	now      Committed // durable
	known    bool      // now holds a commit
	newest   Committed // the last appended, while some are in flight
	inFlight int
	bytes    int64 // counted in usage
}

// place finds or makes the place of one commit; nil when it is refused, then its Err says why.
func (g *group) place(e *Commit) *offset {
	if len(e.Metadata) > g.c.cfg.MaxMetadata {
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

// settle makes a commit visible, or forgets it when it could not be made durable.
func (p *offset) settle(v Committed, err error) {
	p.inFlight--
	if err == nil {
		p.now, p.known = v, true
	}
}

// last is what the log says last of the partition.
func (p *offset) last() (Committed, bool) {
	if p.inFlight > 0 {
		return p.newest, true
	}
	return p.now, p.known
}

// forgetUnknown removes places whose only commits have failed.
func (g *group) forgetUnknown() {
	for at, p := range g.offsets {
		if !p.known && p.inFlight == 0 {
			g.forgetOffset(at)
		}
	}
}

func (g *group) forgetOffset(at Partition) {
	g.c.use.offsets.Add(-g.offsets[at].bytes)
	delete(g.offsets, at)
}

// offsetSize is what a committed offset holds in memory, roughly, in bytes.
func offsetSize(at Partition, metadata string) int64 {
	return int64(256 + len(at.Topic) + len(metadata))
}

// Fetch returns the durable offsets of the given partitions, or of all when all is set; a partition
// without one is not in the answer. A group that does not exist has none.
func (c *Coordinator) Fetch(id ID, partitions []Partition, all bool) (map[Partition]Committed, error) {
	if !storableID(id) {
		return nil, ErrInvalidGroup
	}
	g := c.acquire(id, false)
	if g == nil {
		return nil, nil
	}
	defer c.release(g)
	found := make(map[Partition]Committed)
	if all {
		for at, p := range g.offsets {
			if p.known {
				found[at] = p.now
			}
		}
		return found, nil
	}
	for _, at := range partitions {
		if p := g.offsets[at]; p != nil && p.known {
			found[at] = p.now
		}
	}
	return found, nil
}

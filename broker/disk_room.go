package broker

import (
	"github.com/loghaul/loghaul/broker/diskroom"
	"github.com/loghaul/loghaul/broker/group"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/internal/record"
)

// SinkClaim is a configured sink: as long as there is one, what its group has not committed is not deleted for room.
type SinkClaim struct {
	Sink    string
	Group   string
	Takes   func(topic string) bool // whether the sink reads a topic
	Letters func(topic string) bool // whether its dead letters go there
}

// Blocked says whether clients' records are refused now because there is no room on the disk, and why.
func (b *Broker) Blocked() (why string, blocked bool) {
	if r := b.room.Load(); r != nil {
		return r.Blocked()
	}
	return "", false
}

// diskConfig is the disk's part of the configuration.
func (b *Broker) diskConfig() diskroom.Config {
	return diskroom.Config{Dir: b.cfg.Data, Budget: b.cfg.DiskBudget, OnFull: diskroom.OnFull(b.cfg.OnFull), Disk: b.cfg.Disk, Logger: b.cfg.Logger}
}

// openRoom makes the keeper of the disk; groups tells of those that there are, once they are known.
func (b *Broker) openRoom(t *topics.Topics, groups func() *group.Coordinator) (*diskroom.Room, error) {
	cfg := b.diskConfig()
	cfg.Now = b.clock.Now // a clock that jumps ends no group
	cfg.Partitions = func() []diskroom.Partition { return diskPartitions(t) }
	cfg.Groups = func() []diskroom.Claim { return diskClaims(groups()) }
	if b.cfg.Claims != nil {
		cfg.Sinks = func() ([]diskroom.Sink, bool) {
			claims, known := b.cfg.Claims()
			sinks := make([]diskroom.Sink, len(claims))
			for i, c := range claims {
				sinks[i] = diskroom.Sink{Name: c.Sink, Group: c.Group, Takes: c.Takes, Letters: c.Letters}
			}
			return sinks, known
		}
	}
	cfg.Lost = func() any { return b.metrics.losses.list() }
	cfg.Damaged = func() any { return unreadable(t) }
	cfg.Holes = func() any { return holes(t) }
	r, err := diskroom.New(cfg)
	if err == nil {
		b.room.Store(r)
	}
	return r, err
}

// diskPartitions are all logs. The broker lives by its own topics, and a topic that keeps the latest of each key is no
// queue: neither gives anything up for room.
func diskPartitions(t *topics.Topics) []diskroom.Partition {
	var list []diskroom.Partition
	for _, topic := range t.List() {
		e := topic.Effective()
		spared := topics.IsInternal(topic.Name) || e.Compact && !e.Delete
		for _, p := range topic.Partitions() {
			list = append(list, diskroom.Partition{Topic: topic.Name, Index: p.Index, Log: p.Log, Spared: spared})
		}
	}
	return list
}

// diskClaims are what the groups have committed.
func diskClaims(groups *group.Coordinator) []diskroom.Claim {
	if groups == nil {
		return nil
	}
	claims := groups.Claims()
	list := make([]diskroom.Claim, len(claims))
	for i, c := range claims {
		committed := make(map[diskroom.At]record.Offset, len(c.Committed))
		for at, offset := range c.Committed {
			committed[diskroom.At{Topic: at.Topic, Index: at.Index}] = offset
		}
		list[i] = diskroom.Claim{Group: c.Group, Members: c.Members, LastCommit: c.LastCommit, Subscribed: c.Subscribed, Committed: committed}
	}
	return list
}

// rewriteBytes is how much the broker's own state may grow before it is written anew: with a small budget less than the
// default, so that it stays within the reserve. 0: the default.
func (b *Broker) rewriteBytes() int64 {
	if b.cfg.DiskBudget == 0 {
		return 0
	}
	return min(max(b.cfg.DiskBudget/80, 64<<10), 16<<20) // a quarter of the reserve
}

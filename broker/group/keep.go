package group

import (
	"context"
	"fmt"
	"time"

	"github.com/loghaul/loghaul/broker/statelog"
	"github.com/loghaul/loghaul/internal/record"
)

// keep forgets what has expired and keeps the log small, until ctx ends.
func (c *Coordinator) keep(ctx context.Context) error {
	check := time.NewTicker(c.cfg.RetentionCheck)
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-check.C:
			for _, g := range c.all() {
				c.expire(g)
			}
		case <-c.writer.Due():
			if err := c.rewrite(ctx); err != nil && ctx.Err() == nil {
				c.cfg.Logger.Warn("could not shorten the groups' log; trying again when it has grown", "topic", Topic, "error", err)
			}
		}
	}
}

// expire forgets the offsets of one group that nobody has needed for the retention time, and the group
// with the last of them (KIP-211).
func (c *Coordinator) expire(g *group) {
	g.mu.Lock()
	defer c.release(g)
	if g.state == Dead {
		return
	}
	g.lingers = false
	var gone []Partition
	for at, p := range g.offsets {
		if p.inFlight == 0 && p.pending == 0 && g.expired(at, p.now, c.cfg.Now()) {
			gone = append(gone, at)
		}
	}
	over := g.state == Empty && len(g.given) == 0 && len(gone) == len(g.offsets)
	if err := g.erase(gone, over, nil); err != nil {
		c.cfg.Logger.Warn("could not forget expired offsets", "group", g.id, "error", err)
	}
}

// firstYear is when the first batches of today's format were written: an earlier time is that of a clock that was not set.
const firstYear = 2017

// expired says whether one offset has outlived its use: with no member left, counted from when the last
// left; while others are read, from the commit, if nobody subscribes to the topic any more.
func (g *group) expired(at Partition, v Committed, now time.Time) bool {
	since := v.Time
	switch {
	case g.state == Empty:
		if g.protocolType != "" && g.since.After(since) {
			since = g.since
		}
	case g.roster != nil:
		if g.subscribes(at.Topic) {
			return false
		}
	case g.state != Stable || g.topics == nil || g.topics[at.Topic]:
		return false
	}
	if since.Year() < firstYear && now.Year() >= firstYear {
		return false // the clock was not set: how old it is nobody knows
	}
	if !v.Expire.IsZero() {
		return !now.Before(v.Expire)
	}
	return now.Sub(since) >= g.c.cfg.Retention
}

// erase forgets offsets and, if told so, the group itself, here and in the log; done, if there
// is one, is called when that is durable and takes no lock.
func (g *group) erase(gone []Partition, all bool, done func(error)) error {
	g.lingers = g.lingers && !all
	var entries []statelog.Entry
	for _, at := range gone {
		entries = append(entries, entry(offsetKey(g.id, at), nil))
	}
	if all && g.stored != nil {
		entries = append(entries, entry(metadataKey(g.id), nil))
	}
	if all {
		entries = append(entries, g.rosterTombstones()...)
	}
	if len(entries) == 0 {
		if done != nil {
			done(nil)
		}
		return nil
	}
	if err := g.c.writer.Append(entries, done); err != nil {
		return err
	}
	for _, at := range gone {
		g.forgetOffset(at)
	}
	if all {
		g.c.use.members.Add(-int64(len(g.stored)))
		g.stored, g.generation = nil, 0
		if g.roster != nil {
			g.disband()
		}
	}
	return nil
}

// rewrite writes all live state anew at the log's end and lets go of what lies before. A group that comes meanwhile has
// all its records behind.
func (c *Coordinator) rewrite(ctx context.Context) error {
	began := time.Now()
	live, err := c.writer.Rewrite(ctx, func(add func(record.Producer, []statelog.Entry) error) error {
		for _, g := range c.all() {
			if err := c.rewriteGroup(g, add); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("writing the live state anew: %w", err)
	}
	c.cfg.Logger.Debug("groups' log written anew", "topic", Topic, "live_bytes", live, "took", time.Since(began))
	return nil
}

package group

import (
	"context"
	"errors"
	"fmt"
	"time"
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
		case <-c.writer.rewrite:
			if err := c.rewrite(ctx); err != nil && ctx.Err() == nil {
				c.cfg.Logger.Warn("could not shorten the groups' log; trying again when it has grown", "topic", Topic, "err", err)
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
		if p.inFlight == 0 && p.pending == 0 && g.expired(at, p.now, time.Now()) {
			gone = append(gone, at)
		}
	}
	over := g.state == Empty && len(g.given) == 0 && len(gone) == len(g.offsets)
	if err := g.erase(gone, over, nil); err != nil {
		c.cfg.Logger.Warn("could not forget expired offsets", "group", g.id, "err", err)
	}
}

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
	if !v.Expire.IsZero() {
		return !now.Before(v.Expire)
	}
	return now.Sub(since) >= g.c.cfg.Retention
}

// erase forgets offsets and, if told so, the group itself, here and in the log; done, if there
// is one, is called when that is durable and takes no lock.
func (g *group) erase(gone []Partition, all bool, done func(error)) error {
	g.lingers = g.lingers && !all
	var entries []entry
	for _, at := range gone {
		entries = append(entries, entry{offsetKey(g.id, at), nil})
	}
	if all && g.stored != nil {
		entries = append(entries, entry{metadataKey(g.id), nil})
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
	if err := g.c.writer.append(entries, done); err != nil {
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

// rewrite writes all live state anew at the log's end, waits until it is durable and lets go of what
// lies before. A crash at any point leaves either the old records, or the old and some of the new, or
// the new: each reads back as the same state, because the last record of a key counts.
func (c *Coordinator) rewrite(ctx context.Context) error {
	start, began := c.writer.end(), time.Now()
	live := int64(0)
	defer func() { c.writer.restarted(live) }() // a failed attempt waits for as much growth as a good one
	var last chan error
	for _, g := range c.all() { // a group that comes later has all its records behind start
		n, done, err := c.rewriteGroup(g)
		if err != nil {
			return err
		}
		if done != nil {
			last = done
		}
		live += n
	}
	if last != nil {
		select {
		case err := <-last: // promises are kept in order, so all before are durable too
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return errors.New("going down")
		}
	}
	if err := c.log.DropBefore(start); err != nil {
		return fmt.Errorf("dropping what lies before offset %d: %w", start, err)
	}
	c.cfg.Logger.Debug("groups' log written anew", "topic", Topic, "before", int64(start), "live_bytes", live, "took", time.Since(began))
	return nil
}

package group

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/loghaul/loghaul/broker/group/assign"
)

const (
	// lookEvery is how often a group looks at its topics, when a member's heartbeat gives it the occasion.
	lookEvery = time.Second
	// matchEvery is the same for a group with regular expressions, for which it looks at all topics.
	matchEvery = 5 * time.Second
)

// notice bumps the group's epoch when members want something else, or their topics have changed.
func (g *group) notice(changed bool, m *consumer, may func(string) bool, ch *change) {
	r, now := g.roster, time.Now()
	g.hearPattern(m.pattern, may)
	if !changed && r.epoch > 0 && now.Before(r.look) {
		return
	}
	r.look = now.Add(lookEvery)
	g.dropPatterns(ch)
	if len(r.patterns) > 0 {
		r.look = now.Add(matchEvery)
		g.matchPatterns(now, ch)
	}
	if r.epoch == 0 {
		r.epoch = 1
		ch.epoch = true
	}
	if hash := g.hashTopics(); changed || hash != r.seen {
		r.seen = hash
		r.epoch++
		ch.epoch = true
	}
}

// hashTopics is one number for the subscribed topics with their ids and numbers of partitions.
func (g *group) hashTopics() int64 {
	h := fnv.New64a()
	names := slices.Sorted(maps.Keys(g.roster.names()))
	if len(names) == 0 {
		return 0
	}
	for _, name := range names {
		if id, partitions, ok := g.c.cfg.Topics.Lookup(name); ok {
			fmt.Fprintf(h, "%s %x %d\n", name, id, partitions)
		}
	}
	return int64(h.Sum64())
}

// aim computes the targets of all members anew when the group's epoch has moved on.
func (g *group) aim(ch *change) {
	r := g.roster
	if r.epoch <= r.targetEpoch {
		return
	}
	partitions := map[TopicID]int32{}
	ids := map[string]TopicID{}
	for name := range r.names() {
		if id, n, ok := g.c.cfg.Topics.Lookup(name); ok {
			partitions[id], ids[name] = n, id
		}
	}
	consumers := g.consumersInOrder()
	members := make([]assign.Member, len(consumers))
	subscriptions := map[string]map[TopicID]bool{} // most members subscribe alike
	for i, m := range consumers {
		key := strings.Join(m.topics, "\n") + "\n\n" + m.pattern
		if subscriptions[key] == nil {
			subscriptions[key] = g.subscription(m, ids)
		}
		members[i] = assign.Member{ID: string(m.id), Instance: string(m.instance), Topics: subscriptions[key], Owned: m.target}
	}
	r.assigner = g.vote()
	for i, set := range assign.ByName[r.assigner](members, partitions) {
		if m := consumers[i]; m.target == nil || !maps.Equal(m.target, set) {
			next := *m
			next.target = set
			g.put(&next)
			ch.aimed(&next)
		}
	}
	r.targetEpoch = r.epoch
	ch.aim = true
}

// subscription are the ids of the topics that a member wants and that are there.
func (g *group) subscription(m *consumer, ids map[string]TopicID) map[TopicID]bool {
	out := map[TopicID]bool{}
	add := func(name string) {
		if id, ok := ids[name]; ok {
			out[id] = true
		}
	}
	for _, name := range m.topics {
		add(name)
	}
	if p := g.roster.patterns[m.pattern]; p != nil {
		for name := range p.topics {
			add(name)
		}
	}
	return out
}

// vote is the assigner that most members wish for; among equals the first of the broker's list.
func (g *group) vote() string {
	votes := map[string]int{}
	for _, m := range g.roster.consumers {
		votes[m.assigner]++
	}
	best := g.c.cfg.Assigners[0]
	for _, name := range g.c.cfg.Assigners {
		if votes[name] > votes[best] {
			best = name
		}
	}
	return best
}

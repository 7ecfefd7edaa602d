package diskroom

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// At names one partition.
type At struct {
	Topic string
	Index int32
}

// Claim is what one consumer group has committed and wants to read.
type Claim struct {
	Group      string
	Members    int
	LastCommit time.Time            // zero: never
	Subscribed []string             // topics that its members read; empty: they do not say
	Committed  map[At]record.Offset // the next to read
}

// Sink is a configured sink: its group lives as long as it does.
type Sink struct {
	Name    string
	Group   string
	Takes   func(topic string) bool // whether the sink reads a topic
	Letters func(topic string) bool // whether its dead letters go there; nil: to .dlq topics alone
}

// alive is how long a group without members holds records back after its last commit.
const alive = 7 * 24 * time.Hour

// hold is one live group's wish to read one partition from an offset on.
type hold struct {
	group string
	why   string        // it lives
	sink  string        // whose group it is; empty: of none
	from  record.Offset // the next to read
}

// holds knows which live groups hold which partitions.
type holds struct {
	committed map[At][]hold
	groups    []*liveGroup
	byTopic   map[string][]*liveGroup // who wants all partitions of a topic; filled as it is asked for
	known     map[At][]hold           // what has been asked for
	dead      map[string]string       // topic: the group that read it last and lives no more
}

// liveGroup is a group that counts.
type liveGroup struct {
	hold
	topics map[string]bool // wanted in all partitions, committed or not
	takes  []func(string) bool
	marks  map[At]record.Offset
}

// holdsOf takes the groups that live: with members, with a commit within the last seven days, or with a sink.
func holdsOf(claims []Claim, sinks []Sink, now time.Time) *holds {
	h := &holds{committed: map[At][]hold{}, byTopic: map[string][]*liveGroup{}, known: map[At][]hold{}, dead: map[string]string{}}
	bySink := map[string][]Sink{}
	for _, s := range sinks {
		bySink[s.Group] = append(bySink[s.Group], s)
	}
	for _, c := range claims {
		own := bySink[c.Group]
		delete(bySink, c.Group)
		why := lives(c, own, now)
		if why == "" {
			for at := range c.Committed {
				h.dead[at.Topic] = c.Group
			}
			continue
		}
		h.add(c, own, why, c.Members > 0 || now.Sub(c.LastCommit) < alive)
	}
	for group, own := range bySink { // they have not been seen yet
		h.add(Claim{Group: group}, own, "it is the group of sink "+own[0].Name, false)
	}
	slices.SortFunc(h.groups, func(a, b *liveGroup) int { return strings.Compare(a.group, b.group) })
	return h
}

// lives says why a group counts; empty: it does not.
func lives(c Claim, own []Sink, now time.Time) string {
	switch {
	case c.Members == 1:
		return "it has 1 member"
	case c.Members > 1:
		return fmt.Sprintf("it has %d members", c.Members)
	case len(own) > 0:
		return "it is the group of sink " + own[0].Name
	case !c.LastCommit.IsZero() && now.Sub(c.LastCommit) < alive:
		return "it has committed " + ago(now.Sub(c.LastCommit))
	}
	return ""
}

func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "a moment ago"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", d/time.Hour)
	}
	return fmt.Sprintf("%d days ago", d/(24*time.Hour))
}

// add takes one live group. Where only its sink keeps it alive, only the sink's topics count.
func (h *holds) add(c Claim, own []Sink, why string, all bool) {
	g := &liveGroup{hold: hold{group: c.Group, why: why}, topics: map[string]bool{}, marks: c.Committed}
	for _, s := range own {
		g.sink = s.Name
		g.takes = append(g.takes, s.Takes)
	}
	for _, t := range c.Subscribed {
		g.topics[t] = true
	}
	for at := range c.Committed {
		if all && len(c.Subscribed) == 0 {
			// Nobody says what the group reads: all of what it has read of. A consumer that is away for a moment has
			// committed nothing where it has not been served yet, and wants that too.
			g.topics[at.Topic] = true
		}
		if all || g.wants(at.Topic) {
			one := g.hold
			one.from = c.Committed[at]
			h.committed[at] = append(h.committed[at], one)
		}
	}
	h.groups = append(h.groups, g)
}

// wants says whether the group reads all partitions of a topic.
func (g *liveGroup) wants(topic string) bool {
	if g.topics[topic] {
		return true
	}
	return slices.ContainsFunc(g.takes, func(takes func(string) bool) bool { return takes != nil && takes(topic) })
}

// of are the holds on one partition, in no order. Who has not committed there holds all of it, from offset 0 on.
func (h *holds) of(at At) []hold {
	if list, known := h.known[at]; known {
		return list
	}
	wanting, asked := h.byTopic[at.Topic]
	if !asked {
		for _, g := range h.groups {
			if g.wants(at.Topic) {
				wanting = append(wanting, g)
			}
		}
		h.byTopic[at.Topic] = wanting
	}
	list := h.committed[at]
	for _, g := range wanting {
		if _, has := g.marks[at]; !has {
			list = append(list, g.hold)
		}
	}
	h.known[at] = list
	return list
}

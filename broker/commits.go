package broker

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/loghaul/loghaul/broker/group"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/internal/record"
)

const (
	mostSaid       = 20      // lines about commits at a start; the rest are counted
	mostUnreadable = 50      // lines of a report about damage
	mostHoles      = 1000    // in a report, as offsets
	mostGoOn       = 1 << 31 // offsets that a log is moved for a commit: it is the client's word alone
)

// What groups have committed is held against what the logs hold, before anybody is served: a commit of a record that is not
// there any more would let its group pass over the next records unsaid. A log that was found shortened goes on behind what
// groups have read of it. Elsewhere a commit beyond the end is only said: clients may commit what they like.
type commits struct {
	log    *slog.Logger
	topics *topics.Topics
	losses *losses
	of     map[group.Partition][]group.Reader
	ends   map[string][]record.Offset // of the logs, at the last clean stop
	said   int
}

// holdCommits does it at the start.
func (b *Broker) holdCommits(t *topics.Topics, groups *group.Coordinator) error {
	c := &commits{log: b.cfg.Logger, topics: t, losses: b.metrics.losses, of: map[group.Partition][]group.Reader{}, ends: b.knownEnds(t)}
	for _, claim := range groups.Claims() {
		for at, offset := range claim.Committed {
			c.of[at] = append(c.of[at], group.Reader{Group: claim.Group, Offset: offset})
		}
	}
	for _, topic := range t.List() {
		for _, p := range topic.Partitions() {
			if err := c.goOn(topic, p); err != nil {
				return err
			}
		}
	}
	c.sayBeyond()
	if c.said > mostSaid {
		c.log.Error("more commits are of records that are not there: see loghaul status groups", "count", c.said-mostSaid)
	}
	return nil
}

// goOn moves a partition whose end is lost behind what groups have read of it.
func (c *commits) goOn(topic *topics.Topic, p *topics.Partition) error {
	remade := p.Fresh && hasRecords(topic)
	if remade || p.Log.Shortened() || p.Log.End() < c.knownEnd(p) {
		if err := c.moveOn(p, remade); err != nil {
			return err
		}
	}
	at := group.Partition{Topic: topic.Name, Index: p.Index}
	if from, to, lost := p.Log.LostStart(); lost {
		c.losses.noteLost(at, from, to, c.of[at])
	}
	return nil
}

// moveOn moves it.
func (c *commits) moveOn(p *topics.Partition, remade bool) error {
	at, furthest := group.Partition{Topic: p.Topic.Name, Index: p.Index}, c.knownEnd(p)
	reason := "a group has read further"
	if furthest > p.Log.End() {
		reason = fmt.Sprintf("the log ended at %d when the broker was last stopped", furthest)
	}
	if remade {
		reason = "the folder, or the files in it, were gone and it was made anew, and " + reason
	} else if furthest > p.Log.End() {
		reason = "the folder is an older copy, " + reason
	}
	for _, r := range c.of[at] {
		if r.Offset-p.Log.End() <= mostGoOn {
			furthest = max(furthest, r.Offset)
		}
	}
	moved, err := p.Log.GoOn(furthest, reason)
	if err != nil {
		return err
	}
	if remade && !moved { // GoOn names the loss where it knows of one
		c.log.Error("the folder of a partition is gone, or the files in it, and it was made anew, so its records are lost, unless the broker died while it made it: stop the broker and put the files back "+
			"into the folder; they are taken in again before the offset where it begins now", "partition", p.Log.Name(), "folder", p.Log.Dir(), "begins", int64(p.Log.Start()))
	}
	return nil
}

// stateTopic opens one of the broker's own topics.
func (b *Broker) stateTopic(ctx context.Context, t *topics.Topics, name string) (*topics.Topic, error) {
	had := slices.ContainsFunc(t.List(), hasRecords)
	topic, err := t.Internal(name, 1, stateSettings)
	if err != nil {
		return nil, err
	}
	if topic.Partition(0).Fresh && had && !t.TookOver() { // a Kafka may have had none
		b.sayStateLost(name, topic.Partition(0).Log.Dir())
	}
	return topic, b.gather(ctx, t, topic)
}

// sayStateLost says that a topic of the broker's own was made anew although there are records: the first start makes it.
func (b *Broker) sayStateLost(name, folder string) {
	lost := "what groups had committed is lost, and each begins where a new group does"
	if name != group.Topic {
		lost = "what was known of transactions is lost: one that was being committed may be taken back in some partitions"
	}
	b.cfg.Logger.Error("the folder of a topic of the broker's own, or the files in it, were gone although there are records, and it was made anew: "+lost+
		"; stop the broker and put a copy of the folder in its place", "topic", name, "folder", folder)
}

// hasRecords says whether a topic has been written to, in any partition.
func hasRecords(topic *topics.Topic) bool {
	return slices.ContainsFunc(topic.Partitions(), func(p *topics.Partition) bool { return p.Log.End() > 0 })
}

// unreadable says of each damage that readers are refused for, a line each, as far as a report has room for them.
func unreadable(t *topics.Topics) []string {
	lines := []string{}
	for _, topic := range t.List() {
		for _, p := range topic.Partitions() {
			for _, d := range p.Log.Damages() {
				if len(lines) == mostUnreadable {
					return append(lines, "and more: the broker's log names each")
				}
				lines = append(lines, d.String())
			}
		}
	}
	return lines
}

// hole is offsets that readers are refused: from From on and before To.
type hole struct {
	Topic     string        `json:"topic"`
	Partition int32         `json:"partition"`
	From      record.Offset `json:"from"`
	To        record.Offset `json:"to"`
}

// holes are the offsets of all damages, for who counts them.
func holes(t *topics.Topics) []hole {
	var list []hole
	for _, topic := range t.List() {
		for _, p := range topic.Partitions() {
			for _, d := range p.Log.Damages() {
				if len(list) < mostHoles {
					list = append(list, hole{topic.Name, p.Index, d.From, d.To})
				}
			}
		}
	}
	return list
}

// sayBeyond names commits of records that no log holds, and of topics that are gone.
func (c *commits) sayBeyond() {
	gone := map[string]map[string][]string{} // by topic and group
	places := slices.SortedFunc(maps.Keys(c.of), func(a, b group.Partition) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Index, b.Index))
	})
	for _, at := range places {
		topic := c.topics.Get(at.Topic)
		for _, r := range c.of[at] {
			switch {
			case topic == nil:
				if gone[at.Topic] == nil {
					gone[at.Topic] = map[string][]string{}
				}
				gone[at.Topic][r.Group] = append(gone[at.Topic][r.Group], fmt.Sprintf("partition %d at %d", at.Index, r.Offset))
			case topic.Partition(at.Index) == nil:
				c.say("a group has committed an offset in a partition that is not there: put its folder back while the broker is stopped, or forget the commit with "+
					"kafka-consumer-groups --delete-offsets", "group", r.Group, "topic", at.Topic, "partition", at.Index, "committed", int64(r.Offset))
			case r.Offset > topic.Partition(at.Index).Log.End():
				c.say("a group has committed an offset behind the partition's end, and would pass over the next records: put lost files back while the broker is stopped, or move "+
					"it with loghaul group reset GROUP --topic TOPIC --partition N --to latest", "group", r.Group, "topic", at.Topic, "partition", at.Index, "committed", int64(r.Offset),
					"end", int64(topic.Partition(at.Index).Log.End()))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(gone)) {
		var groups []string
		for _, g := range slices.Sorted(maps.Keys(gone[name])) {
			at := gone[name][g]
			if len(at) > 1 {
				at[0] = fmt.Sprintf("%d partitions", len(at))
			}
			groups = append(groups, fmt.Sprintf("%s (%s)", g, at[0]))
		}
		if len(groups) > mostNamed {
			groups = append(groups[:mostNamed:mostNamed], "and others")
		}
		c.say("a topic is gone that groups have committed offsets in: put its folders back while the broker is stopped, or forget the commits with kafka-consumer-groups "+
			"--delete-offsets; in a new topic of that name these groups would pass over the first records", "topic", name, "groups", strings.Join(groups, ", "))
	}
}

// say logs a line, if there were not too many.
func (c *commits) say(msg string, args ...any) {
	if c.said++; c.said <= mostSaid {
		c.log.Error(msg, args...)
	}
}

// noteLost counts what groups had not read of records that a start did not find any more, and says so in one line.
func (l *losses) noteLost(at group.Partition, from, to record.Offset, readers []group.Reader) {
	if lost, named := l.count(at, from, to, readers); lost > 0 {
		l.log.Error("records are lost that groups had not read: put the files back while the broker is stopped",
			"topic", at.Topic, "partition", at.Index, "from", int64(from), "to", int64(to), "groups", named)
	}
}

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/IBM/sarama"
	"github.com/loghaul/loghaul/internal/record"
)

// groupStatus is a consumer group as "status groups" lists it.
type groupStatus struct {
	Group      string           `json:"group"`
	State      string           `json:"state"` // Kafka's own word: Stable, Empty, PreparingRebalance, ...
	Members    int              `json:"members"`
	LagRecords int64            `json:"lag_records"`
	Lost       int64            `json:"lost_records"`
	Blocks     bool             `json:"blocks"`     // it keeps writers waiting: the disk is full of what it has not read
	Partitions []groupPartition `json:"partitions"` // those with a committed offset or that it blocks, in order
	members    []groupMember    // for who describes one group
}

// groupPartition is how far a group has come in one partition.
type groupPartition struct {
	Topic      string `json:"topic"`
	Partition  int32  `json:"partition"`
	Committed  int64  `json:"committed"` // -1: nothing, and it keeps writers waiting here
	Latest     int64  `json:"latest"`
	LagRecords int64  `json:"lag_records"`
	Lost       int64  `json:"lost_records"` // deleted, lost or damaged before the group had read them, not counting what was trimmed, where the broker says that
	Blocks     bool   `json:"blocks"`
	Beyond     bool   `json:"beyond_end"` // the group has committed what the partition does not hold, or there is no such partition
}

// groups asks the brokers for all groups, or the one that is named, and for what each has committed.
func (g *globals) groups(ctx context.Context, only string) ([]groupStatus, *diskStatus, error) {
	cfg := g.kafkaConfig("loghaul-status")
	cl := newCluster(cfg)
	defer cl.Close()
	if err := g.reach(ctx, cfg.ClientID); err != nil { // a broker that is away, said as every command says it
		return nil, nil, err
	}
	sc, err := cfg.Sarama()
	if err != nil {
		return nil, nil, err
	}
	admin, err := sarama.NewClusterAdmin(cfg.Brokers, sc)
	if err != nil {
		return nil, nil, fmt.Errorf("asking for the groups: %w", err)
	}
	defer admin.Close()
	names, err := admin.ListConsumerGroups()
	if err != nil {
		return nil, nil, fmt.Errorf("listing the groups: %w", err)
	}
	if only != "" {
		maps.DeleteFunc(names, func(name, _ string) bool { return name != only })
	}
	described, err := admin.DescribeConsumerGroups(slices.Sorted(maps.Keys(names)))
	if err != nil {
		return nil, nil, fmt.Errorf("describing the groups: %w", err)
	}
	disk := cl.disk(ctx)
	marks := newMarks(cl, disk)
	var all []groupStatus
	for _, d := range described {
		s := groupStatus{Group: d.GroupId, State: d.State, Members: len(d.Members), Partitions: []groupPartition{}, members: classicMembers(d)}
		if d.State == "Dead" { // what older requests say of a group of the newer protocol
			if err := s.askNewer(ctx, cl); err != nil {
				return nil, nil, err
			}
		}
		if err := s.fill(ctx, admin, marks); err != nil {
			return nil, nil, err
		}
		all = append(all, s)
	}
	return all, disk, nil
}

// fill adds what the group has committed and what is left to read of it.
func (s *groupStatus) fill(ctx context.Context, admin sarama.ClusterAdmin, marks *marks) error {
	committed, err := admin.ListConsumerGroupOffsets(s.Group, nil)
	if err == nil && !errors.Is(committed.Err, sarama.ErrNoError) {
		err = committed.Err
	}
	if err != nil {
		return fmt.Errorf("asking what group %s has committed: %w", s.Group, err)
	}
	for place, at := range marks.places(s.Group, committed) {
		m := marks.topic(ctx, place.topic)
		end, there := m.latest[place.partition]
		if !there && at >= 0 && (m.gone || m.latest != nil) {
			s.Partitions = append(s.Partitions, groupPartition{Topic: place.topic, Partition: place.partition, Committed: at, Latest: -1, Beyond: true})
		}
		if !there {
			continue
		}
		first := int64(m.earliest[place.partition])
		p := groupPartition{Topic: place.topic, Partition: place.partition, Committed: at, Latest: int64(end), Lost: marks.lostTo(place, at, first), Blocks: marks.blocked[place]}
		if p.LagRecords = max(int64(end)-at, 0); at < 0 {
			p.LagRecords = int64(end) - first
		} else if !marks.told {
			p.Lost = max(first-at, 0) // another broker does not say what was trimmed on purpose
		}
		p.Beyond = at > int64(end)
		s.Partitions = append(s.Partitions, p)
		s.LagRecords, s.Lost, s.Blocks = s.LagRecords+p.LagRecords, s.Lost+p.Lost, s.Blocks || p.Blocks
	}
	slices.SortFunc(s.Partitions, func(a, b groupPartition) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return nil
}

// places are where a group has committed something, and where it keeps writers waiting without: there -1.
func (m *marks) places(group string, committed *sarama.OffsetFetchResponse) map[groupPlace]int64 {
	places := map[groupPlace]int64{}
	for place := range m.blocked {
		if place.group == group {
			places[place] = -1
		}
	}
	for topic, partitions := range committed.Blocks {
		for n, block := range partitions {
			if block.Offset >= 0 {
				places[groupPlace{group, topic, n}] = block.Offset
			}
		}
	}
	return places
}

// groupPlace is one group in one partition.
type groupPlace struct {
	group, topic string
	partition    int32
}

// marks remembers where the partitions of each topic begin and end, and what the broker says about groups.
type marks struct {
	cluster *cluster
	of      map[string]topicMarks
	lost    map[groupPlace]int64
	blocked map[groupPlace]bool
	bad     []diskUnreadable // what nobody can read
	told    bool             // the broker keeps account of what is lost
}

// topicMarks are where the partitions of one topic begin and end.
type topicMarks struct {
	earliest, latest map[int32]record.Offset
	gone             bool // there is no such topic
}

func newMarks(c *cluster, disk *diskStatus) *marks {
	m := &marks{cluster: c, of: map[string]topicMarks{}, lost: map[groupPlace]int64{}, blocked: map[groupPlace]bool{}}
	if disk != nil {
		m.told, m.bad = true, disk.Unreadable
		for _, l := range disk.Lost {
			m.lost[groupPlace{l.Group, l.Topic, l.Partition}] = l.Records
		}
		for _, b := range disk.Blocked {
			m.blocked[groupPlace{b.Group, b.Topic, b.Partition}] = true
		}
	}
	return m
}

// lostTo counts what a group at an offset has lost in a partition that begins at first: what the broker's account says, and
// what cannot be read and the group still has before it. What is lost from the beginning is in that account for groups that
// were there when it was found.
func (m *marks) lostTo(place groupPlace, at, first int64) int64 {
	from := record.Offset(max(at, 0))
	before := unreadable(m.bad, place.topic, place.partition, bounds{from, record.Offset(first)})
	behind := unreadable(m.bad, place.topic, place.partition, bounds{max(from, record.Offset(first)), math.MaxInt64})
	return max(m.lost[place], int64(before)) + int64(behind)
}

// topic has no partition of a topic that is gone or has no leader now: nobody can lag there.
func (m *marks) topic(ctx context.Context, topic string) topicMarks {
	if known, asked := m.of[topic]; asked {
		return known
	}
	var t topicMarks
	leaders, err := m.cluster.leaders(ctx, topic)
	if err == nil {
		t.latest, err = m.cluster.offsets(ctx, topic, leaders, timeLatest)
	}
	if err == nil {
		t.earliest, err = m.cluster.offsets(ctx, topic, leaders, timeEarliest)
	}
	if err != nil {
		t = topicMarks{gone: errors.Is(err, errNoTopic)}
	}
	m.of[topic] = t
	return t
}

// groupTable has a row per partition, or one for a group that has committed nothing.
func groupTable(groups []groupStatus) table {
	t := table{header: []string{"GROUP", "STATE", "MEMBERS", "TOPIC", "PARTITION", "COMMITTED", "LATEST", "LAG", "LOST", "BLOCKS"},
		empty: "no group has been seen: loghaul consume TOPIC --group NAME makes one"}
	for _, s := range groups {
		if len(s.Partitions) == 0 {
			t.add(s.Group, s.State, strconv.Itoa(s.Members), "", "", "", "", "", "", "")
		}
		for _, p := range s.Partitions {
			t.add(s.Group, s.State, strconv.Itoa(s.Members), p.Topic, strconv.Itoa(int(p.Partition)), committedText(p.Committed), committedText(p.Latest),
				p.lagText(), number(p.Lost), blocksText(p.Blocks))
		}
	}
	return t
}

// committedText is an offset, if there is one.
func committedText(at int64) string {
	if at < 0 {
		return "-"
	}
	return number(at)
}

// lagText is the lag, or why there is none to tell.
func (p groupPartition) lagText() string {
	switch {
	case p.Beyond && p.Latest < 0:
		return "no partition"
	case p.Beyond:
		return "beyond end"
	}
	return number(p.LagRecords)
}

// beyond are the lines about commits that no partition holds.
func beyond(groups []groupStatus) []string {
	var lines []string
	for _, s := range groups {
		for _, p := range s.Partitions {
			switch {
			case p.Beyond && p.Latest < 0:
				lines = append(lines, fmt.Sprintf("group %s has committed offset %d in %s/%d, which does not exist: put its folder back while the broker is stopped, or forget the commit with kafka-consumer-groups --delete-offsets",
					s.Group, p.Committed, p.Topic, p.Partition))
			case p.Beyond:
				lines = append(lines, fmt.Sprintf("group %s has committed offset %d in %s/%d, which ends at %d: it would pass over the next records; put the lost files back while the broker is stopped, or move it with loghaul group reset %s --topic %s --partition %d --to latest",
					s.Group, p.Committed, p.Topic, p.Partition, p.Latest, s.Group, p.Topic, p.Partition))
			}
		}
	}
	return lines
}

// blocksText is what a table says of who keeps writers waiting.
func blocksText(blocks bool) string {
	if blocks {
		return "writers"
	}
	return "-"
}

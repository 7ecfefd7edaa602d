package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/IBM/sarama"
	"github.com/loghaul/loghaul/internal/record"
)

// groupStatus is a consumer group as "status groups" lists it.
type groupStatus struct {
	Group      string           `json:"group"`
	State      string           `json:"state"` // Kafka's own word: Stable, Empty, PreparingRebalance, ...
	Members    int              `json:"members"`
	LagRecords int64            `json:"lag_records"`
	Partitions []groupPartition `json:"partitions"` // those with a committed offset, in order
}

// groupPartition is how far a group has come in one partition.
type groupPartition struct {
	Topic      string `json:"topic"`
	Partition  int32  `json:"partition"`
	Committed  int64  `json:"committed"`
	Latest     int64  `json:"latest"`
	LagRecords int64  `json:"lag_records"`
}

// groups asks the brokers for all groups and for what each has committed.
func (g *globals) groups(ctx context.Context) ([]groupStatus, error) {
	cfg := g.kafkaConfig("loghaul-status")
	cl := newCluster(cfg)
	defer cl.Close()
	if err := g.reach(ctx, cfg.ClientID); err != nil { // a broker that is away, said as every command says it
		return nil, err
	}
	sc, err := cfg.Sarama()
	if err != nil {
		return nil, err
	}
	admin, err := sarama.NewClusterAdmin(cfg.Brokers, sc)
	if err != nil {
		return nil, fmt.Errorf("asking for the groups: %w", err)
	}
	defer admin.Close()
	names, err := admin.ListConsumerGroups()
	if err != nil {
		return nil, fmt.Errorf("listing the groups: %w", err)
	}
	described, err := admin.DescribeConsumerGroups(slices.Sorted(maps.Keys(names)))
	if err != nil {
		return nil, fmt.Errorf("describing the groups: %w", err)
	}
	ends := ends{cluster: cl, of: map[string]map[int32]record.Offset{}}
	var all []groupStatus
	for _, d := range described {
		s := groupStatus{Group: d.GroupId, State: d.State, Members: len(d.Members), Partitions: []groupPartition{}}
		if err := s.fill(ctx, admin, ends); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// fill adds what the group has committed and what is left to read of it.
func (s *groupStatus) fill(ctx context.Context, admin sarama.ClusterAdmin, ends ends) error {
	committed, err := admin.ListConsumerGroupOffsets(s.Group, nil)
	if err == nil && !errors.Is(committed.Err, sarama.ErrNoError) {
		err = committed.Err
	}
	if err != nil {
		return fmt.Errorf("asking what group %s has committed: %w", s.Group, err)
	}
	for _, topic := range slices.Sorted(maps.Keys(committed.Blocks)) {
		latest := ends.latest(ctx, topic)
		for _, n := range slices.Sorted(maps.Keys(committed.Blocks[topic])) {
			at := committed.Blocks[topic][n].Offset
			end, there := latest[n]
			if at < 0 || !there {
				continue
			}
			p := groupPartition{Topic: topic, Partition: n, Committed: at, Latest: int64(end), LagRecords: max(int64(end)-at, 0)}
			s.Partitions, s.LagRecords = append(s.Partitions, p), s.LagRecords+p.LagRecords
		}
	}
	return nil
}

// ends remembers where the partitions of each topic end.
type ends struct {
	cluster *cluster
	of      map[string]map[int32]record.Offset
}

// latest has no partition of a topic that is gone or has no leader now: nobody can lag there.
func (e ends) latest(ctx context.Context, topic string) map[int32]record.Offset {
	if known, asked := e.of[topic]; asked {
		return known
	}
	leaders, err := e.cluster.leaders(ctx, topic)
	if err == nil {
		e.of[topic], err = e.cluster.offsets(ctx, topic, leaders, timeLatest)
	}
	if err != nil {
		e.of[topic] = nil
	}
	return e.of[topic]
}

// groupTable has a row per partition, or one for a group that has committed nothing.
func groupTable(groups []groupStatus) table {
	t := table{header: []string{"GROUP", "STATE", "MEMBERS", "TOPIC", "PARTITION", "COMMITTED", "LATEST", "LAG"}, empty: "no group has been seen: loghaul consume TOPIC --group NAME makes one"}
	for _, s := range groups {
		if len(s.Partitions) == 0 {
			t.add(s.Group, s.State, strconv.Itoa(s.Members), "", "", "", "", "")
		}
		for _, p := range s.Partitions {
			t.add(s.Group, s.State, strconv.Itoa(s.Members), p.Topic, strconv.Itoa(int(p.Partition)), number(p.Committed), number(p.Latest), number(p.LagRecords))
		}
	}
	return t
}

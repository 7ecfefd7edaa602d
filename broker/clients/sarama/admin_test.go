package sarama_test

import (
	"slices"
	"testing"

	"github.com/IBM/sarama"
	"github.com/loghaul/loghaul/broker/clients"
)

// admin is a ClusterAdmin of the newest version.
func admin(t *testing.T, addr string) sarama.ClusterAdmin {
	t.Helper()
	a, err := sarama.NewClusterAdmin([]string{addr}, at(sarama.V4_0_0_0)())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

func TestAdminOfTopics(t *testing.T) {
	addr := serve(t)
	a, topic := admin(t, addr), clients.Name("web_log")
	retention := "60000"
	if err := a.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &retention}}, false); err != nil {
		t.Fatal(err)
	}
	if err := a.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1}, false); err == nil {
		t.Error("the same topic was created twice")
	}
	if err := a.CreateTopic(topic+"-3", &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 3}, false); err == nil {
		t.Error("three replicas on one node")
	}
	if err := a.CreatePartitions(topic, 5, nil, false); err != nil {
		t.Fatal(err)
	}
	topics, err := a.ListTopics()
	if err != nil {
		t.Fatal(err)
	}
	if d := topics[topic]; d.NumPartitions != 5 || d.ReplicationFactor != 1 || d.ConfigEntries["retention.ms"] == nil || *d.ConfigEntries["retention.ms"] != "60000" {
		t.Errorf("listed is %+v", d)
	}
	described, err := a.DescribeTopics([]string{topic})
	if err != nil || len(described) != 1 || len(described[0].Partitions) != 5 {
		t.Errorf("described is %+v, %v", described, err)
	}
	if brokers, controller, err := a.DescribeCluster(); err != nil || len(brokers) != 1 || controller != brokers[0].ID() {
		t.Errorf("the cluster has %d brokers and controller %d, %v", len(brokers), controller, err)
	}
	if dirs, err := a.DescribeLogDirs([]int32{1}); err != nil || len(dirs[1]) != 1 || dirs[1][0].ErrorCode != sarama.ErrNoError {
		t.Errorf("log dirs are %+v, %v", dirs, err)
	}
	if moving, err := a.ListPartitionReassignments(topic, []int32{0, 1}); err != nil || len(moving) != 0 {
		t.Errorf("reassignments are %+v, %v", moving, err)
	}
	if _, err := a.ElectLeaders(sarama.PreferredElection, map[string][]int32{topic: {0}}); err != nil {
		t.Errorf("electing a leader: %v", err)
	}
	if err := a.DeleteTopic(topic); err != nil {
		t.Fatal(err)
	}
	if err := a.DeleteTopic(topic); err == nil {
		t.Error("the same topic was deleted twice")
	}
}

func TestAdminOfSettings(t *testing.T) {
	addr := serve(t)
	a, topic := admin(t, addr), clients.Topic(t, addr, "settings", 1)
	shown := func(name string) string {
		t.Helper()
		entries, err := a.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{name}})
		if err != nil || len(entries) != 1 || entries[0].Name != name {
			t.Fatalf("%s is %+v, %v", name, entries, err)
		}
		return entries[0].Value
	}
	value := func(s string) *string { return &s }
	if err := a.AlterConfig(sarama.TopicResource, topic, map[string]*string{"retention.ms": value("60000"), "segment.bytes": value("2000000")}, false); err != nil {
		t.Fatal(err)
	}
	if got := shown("retention.ms"); got != "60000" {
		t.Errorf("retention.ms is %s", got)
	}
	err := a.IncrementalAlterConfig(sarama.TopicResource, topic, map[string]sarama.IncrementalAlterConfigsEntry{
		"max.message.bytes": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: value("2000000")},
		"retention.ms":      {Operation: sarama.IncrementalAlterConfigsOperationDelete},
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	if got := shown("retention.ms"); got != "604800000" {
		t.Errorf("retention.ms is %s after it was taken away", got)
	}
	if got := shown("max.message.bytes") + " " + shown("segment.bytes"); got != "2000000 2000000" {
		t.Errorf("max.message.bytes and segment.bytes are %s", got)
	}
	if err := a.AlterConfig(sarama.TopicResource, topic, map[string]*string{"retention.ms": value("soon")}, false); err == nil {
		t.Error("retention.ms=soon was taken")
	}
	if _, err := a.DescribeConfig(sarama.ConfigResource{Type: sarama.BrokerResource, Name: "1"}); err != nil {
		t.Error(err)
	}
}

func TestAdminOfGroupsAndRecords(t *testing.T) {
	addr := serve(t)
	a, topic, group := admin(t, addr), clients.Topic(t, addr, "groups", 1), clients.Name("group")
	if err := produce(sarama.NewConfig(), addr, topic, "none", clients.Lines(0, 100, 1)); err != nil {
		t.Fatal(err)
	}
	offsets, err := sarama.NewOffsetManagerFromClient(group, newClient(t, addr))
	if err != nil {
		t.Fatal(err)
	}
	p, err := offsets.ManagePartition(topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	p.MarkOffset(42, "a word")
	offsets.Commit()
	if err := offsets.Close(); err != nil {
		t.Fatal(err)
	}
	listed, err := a.ListConsumerGroups()
	if _, there := listed[group]; err != nil || !there {
		t.Errorf("the groups are %v, %v, want %s among them", listed, err, group)
	}
	if at, err := a.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0}}); err != nil || at.GetBlock(topic, 0).Offset != 42 || at.GetBlock(topic, 0).Metadata != "a word" {
		t.Errorf("the group is at %+v, %v", at, err)
	}
	if described, err := a.DescribeConsumerGroups([]string{group}); err != nil || described[0].State != "Empty" {
		t.Errorf("the group is %+v, %v", described, err)
	}
	if err := a.DeleteConsumerGroupOffset(group, topic, 0); err != nil {
		t.Error(err)
	}
	if err := a.DeleteConsumerGroup(group); err != nil {
		t.Error(err)
	}
	if listed, err = a.ListConsumerGroups(); err != nil || slices.Contains(keys(listed), group) {
		t.Errorf("a deleted group is still listed: %v, %v", listed, err)
	}
	if err := a.DeleteRecords(topic, map[int32]int64{0: 30}); err != nil {
		t.Fatal(err)
	}
	if oldest, err := newClient(t, addr).GetOffset(topic, 0, sarama.OffsetOldest); err != nil || oldest != 30 {
		t.Errorf("the oldest offset is %d, %v, want 30", oldest, err)
	}
}

func newClient(t *testing.T, addr string) sarama.Client {
	t.Helper()
	cl, err := sarama.NewClient([]string{addr}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cl.Close() })
	return cl
}

func keys(m map[string]string) (list []string) {
	for k := range m {
		list = append(list, k)
	}
	return list
}

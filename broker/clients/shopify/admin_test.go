package shopify_test

import (
	"testing"

	"github.com/Shopify/sarama"
	"github.com/loghaul/loghaul/broker/clients"
)

func TestAdmin(t *testing.T) {
	addr := serve(t)
	a, err := sarama.NewClusterAdmin([]string{addr}, at(sarama.V2_0_0_0)())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	topic := clients.Name("web_log")
	value := func(s string) *string { return &s }
	if err := a.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": value("60000")}}, false); err != nil {
		t.Fatal(err)
	}
	if err := a.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1}, false); err == nil {
		t.Error("the same topic was created twice")
	}
	if err := a.CreatePartitions(topic, 3, nil, false); err != nil {
		t.Error(err)
	}
	if err := a.AlterConfig(sarama.TopicResource, topic, map[string]*string{"retention.ms": value("70000")}, false); err != nil {
		t.Error(err)
	}
	entries, err := a.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{"retention.ms"}})
	if err != nil || len(entries) != 1 || entries[0].Value != "70000" {
		t.Errorf("retention.ms is %+v, %v", entries, err)
	}
	if err := produce(sarama.NewConfig(), addr, topic, "none", clients.Lines(0, 30, 3)); err != nil {
		t.Fatal(err)
	}
	if err := a.DeleteRecords(topic, map[int32]int64{1: 4}); err != nil {
		t.Error(err)
	}
	cl, err := sarama.NewClient([]string{addr}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if oldest, err := cl.GetOffset(topic, 1, sarama.OffsetOldest); err != nil || oldest != 4 {
		t.Errorf("the oldest offset is %d, %v, want 4", oldest, err)
	}
	if partitions, err := cl.Partitions(topic); err != nil || len(partitions) != 3 {
		t.Errorf("partitions are %v, %v", partitions, err)
	}
	if err := a.DeleteTopic(topic); err != nil {
		t.Error(err)
	}
	if err := a.DeleteTopic(topic); err == nil {
		t.Error("the same topic was deleted twice")
	}
}

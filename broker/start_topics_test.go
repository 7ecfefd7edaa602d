package broker_test

import (
	"testing"

	"github.com/IBM/sarama"
	"github.com/loghaul/loghaul/broker"
)

// TestTopicsToCreateMayWantMoreBrokersThanThereAre takes what was written for a cluster.
func TestTopicsToCreateMayWantMoreBrokersThanThereAre(t *testing.T) {
	data := t.TempDir()
	cfg := broker.Config{Data: data, CreateTopics: []string{"orders:2:3:compact", "lines:1"}}
	r := start(t, cfg)
	admin := saramaAdmin(t, r, sarama.V2_8_0_0)
	topics, err := admin.ListTopics()
	if err != nil {
		t.Fatal(err)
	}
	if d := topics["orders"]; d.NumPartitions != 2 || d.ReplicationFactor != 1 || d.ConfigEntries["cleanup.policy"] == nil || *d.ConfigEntries["cleanup.policy"] != "compact" {
		t.Errorf("made is %+v", d)
	}
	if n := r.log.count("made with one replica"); n != 1 {
		t.Errorf("%d lines warn of the replicas, want 1", n)
	}
	if err := admin.AlterConfig(sarama.TopicResource, "orders", map[string]*string{}, false); err != nil {
		t.Fatal(err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	cfg.CreateTopics = []string{"orders:5"}
	r = start(t, cfg) // what is there stays as it is
	if got := settingOf(t, saramaAdmin(t, r, sarama.V2_8_0_0), sarama.TopicResource, "orders", "cleanup.policy"); got.Value != "delete" {
		t.Errorf("after a restart cleanup.policy is %+v", got)
	}
	if n := r.log.count("another number of partitions"); n != 1 {
		t.Errorf("%d lines warn of the partitions, want 1", n)
	}
	for _, spec := range []string{"x", "x:0", "x:1:0", "x:1:1:burn", "x:1:1:compact:y", "..:1", "a b:1", ":1"} {
		if _, err := broker.New(broker.Config{Data: data, CreateTopics: []string{spec}}); err == nil {
			t.Errorf("%q was taken", spec)
		}
	}
}

package broker_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/loghaul/loghaul/broker"
)

// saramaAdmin is sarama's administrator of a broker.
func saramaAdmin(t *testing.T, r *running, v sarama.KafkaVersion) sarama.ClusterAdmin {
	t.Helper()
	admin, err := sarama.NewClusterAdmin([]string{r.addr}, saramaConfig(v))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() })
	return admin
}

// settingOf asks for one setting.
func settingOf(t *testing.T, admin sarama.ClusterAdmin, kind sarama.ConfigResourceType, of, name string) sarama.ConfigEntry {
	t.Helper()
	entries, err := admin.DescribeConfig(sarama.ConfigResource{Type: kind, Name: of, ConfigNames: []string{name}})
	if err != nil || len(entries) != 1 {
		t.Fatalf("%s of %q is %v, %v", name, of, entries, err)
	}
	return entries[0]
}

func TestSaramaAdministersTopics(t *testing.T) {
	for _, v := range []sarama.KafkaVersion{sarama.V1_0_0_0, sarama.V2_8_0_0, sarama.V4_0_0_0} {
		t.Run(v.String(), func(t *testing.T) {
			r := start(t, broker.Config{})
			admin := saramaAdmin(t, r, v)
			retention := "60000"
			detail := &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &retention}}
			if err := admin.CreateTopic("web_log", detail, true); err != nil {
				t.Fatal(err)
			}
			if err := admin.CreateTopic("web_log", detail, false); err != nil {
				t.Fatalf("after a dry run: %v", err)
			}
			assigned := &sarama.TopicDetail{NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: map[int32][]int32{0: {1}, 1: {1}, 2: {1}}}
			if err := admin.CreateTopic("assigned", assigned, false); err != nil {
				t.Fatal(err)
			}
			for name, c := range map[string]struct {
				detail sarama.TopicDetail
				want   sarama.KError
			}{
				"web_log":                {sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, sarama.ErrTopicAlreadyExists},
				"web.log":                {sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, sarama.ErrInvalidTopic},
				"..":                     {sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, sarama.ErrInvalidTopic},
				"bell\a":                 {sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, sarama.ErrInvalidTopic},
				strings.Repeat("x", 300): {sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, sarama.ErrInvalidTopic},
				"three":                  {sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 3}, sarama.ErrInvalidReplicationFactor},
				"none":                   {sarama.TopicDetail{NumPartitions: 0, ReplicationFactor: 1}, sarama.ErrInvalidPartitions},
				"elsewhere":              {sarama.TopicDetail{NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: map[int32][]int32{0: {2}}}, sarama.ErrInvalidReplicaAssignment},
				"set":                    {sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.mss": &retention}}, sarama.ErrInvalidConfig},
			} {
				if err := admin.CreateTopic(name, &c.detail, false); !errors.Is(err, c.want) {
					t.Errorf("creating %.20q: %v, want %v", name, err, c.want)
				}
			}
			wantSaramaTopics(t, admin)
		})
	}
}

// wantSaramaTopics looks at the topics of the test above, extends and deletes them.
func wantSaramaTopics(t *testing.T, admin sarama.ClusterAdmin) {
	t.Helper()
	if err := admin.CreatePartitions("web_log", 5, nil, false); err != nil {
		t.Fatal(err)
	}
	if err := admin.CreatePartitions("web_log", 6, [][]int32{{1}}, true); err != nil {
		t.Errorf("a dry run with an assignment: %v", err)
	}
	if err := admin.CreatePartitions("web_log", 5, nil, false); !errors.Is(err, sarama.ErrInvalidPartitions) {
		t.Errorf("as many partitions as there are: %v", err)
	}
	topics, err := admin.ListTopics()
	if err != nil {
		t.Fatal(err)
	}
	if d := topics["web_log"]; d.NumPartitions != 5 || d.ReplicationFactor != 1 || d.ConfigEntries["retention.ms"] == nil || *d.ConfigEntries["retention.ms"] != "60000" {
		t.Errorf("listed is %+v", d)
	}
	if d := topics["assigned"]; d.NumPartitions != 3 {
		t.Errorf("listed is %+v", d)
	}
	if d, err := admin.DescribeTopics([]string{"web_log", "nothing"}); err != nil || len(d) != 2 || len(d[0].Partitions) != 5 || d[1].Err != sarama.ErrUnknownTopicOrPartition {
		t.Errorf("described are %+v, %v", d, err)
	}
	if err := admin.DeleteTopic("web_log"); err != nil {
		t.Fatal(err)
	}
	if err := admin.DeleteTopic("web_log"); !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		t.Errorf("deleting it again: %v", err)
	}
}

func TestSaramaAdministersSettings(t *testing.T) {
	r := start(t, broker.Config{})
	admin := saramaAdmin(t, r, sarama.V2_8_0_0)
	if err := admin.CreateTopic("t", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false); err != nil {
		t.Fatal(err)
	}
	retention, policy, large := "60000", "compact", "2000000"
	if err := admin.AlterConfig(sarama.TopicResource, "t", map[string]*string{"retention.ms": &retention}, false); err != nil {
		t.Fatal(err)
	}
	changes := map[string]sarama.IncrementalAlterConfigsEntry{
		"cleanup.policy":    {Operation: sarama.IncrementalAlterConfigsOperationAppend, Value: &policy},
		"max.message.bytes": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &large},
		"segment.bytes":     {Operation: sarama.IncrementalAlterConfigsOperationDelete},
	}
	if err := admin.IncrementalAlterConfig(sarama.TopicResource, "t", changes, true); err != nil {
		t.Fatal(err)
	}
	if got := settingOf(t, admin, sarama.TopicResource, "t", "cleanup.policy"); got.Value != "delete" {
		t.Errorf("after a dry run cleanup.policy is %+v", got)
	}
	if err := admin.IncrementalAlterConfig(sarama.TopicResource, "t", changes, false); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"cleanup.policy": "delete,compact", "max.message.bytes": "2000000", "retention.ms": "60000", "segment.bytes": "1073741824"} {
		if got := settingOf(t, admin, sarama.TopicResource, "t", name); got.Value != want || got.Default != (name == "segment.bytes") {
			t.Errorf("%s is %+v, want %s", name, got, want)
		}
	}
	if err := admin.AlterConfig(sarama.TopicResource, "t", map[string]*string{"max.message.bytes": &large}, false); err != nil {
		t.Fatal(err)
	}
	if got := settingOf(t, admin, sarama.TopicResource, "t", "retention.ms"); got.Value != "604800000" || !got.Default {
		t.Errorf("AlterConfigs did not put back what it does not name: %+v", got)
	}
	for what, err := range map[string]error{
		"a bad value":         admin.AlterConfig(sarama.TopicResource, "t", map[string]*string{"retention.ms": &policy}, false),
		"an unknown topic":    admin.AlterConfig(sarama.TopicResource, "nothing", map[string]*string{"retention.ms": &retention}, false),
		"a read-only setting": admin.AlterConfig(sarama.BrokerResource, "1", map[string]*string{"num.partitions": &retention}, false),
		"another broker":      admin.AlterConfig(sarama.BrokerResource, "2", map[string]*string{"message.max.bytes": &retention}, false),
	} {
		if err == nil {
			t.Errorf("%s was taken", what)
		}
	}
	if err := admin.IncrementalAlterConfig(sarama.BrokerResource, "", map[string]sarama.IncrementalAlterConfigsEntry{"log.retention.ms": {Value: &retention}}, false); err != nil {
		t.Fatal(err)
	}
	if got := settingOf(t, admin, sarama.TopicResource, "t", "retention.ms"); got.Value != "60000" || got.Source != sarama.SourceDynamicDefaultBroker {
		t.Errorf("what the brokers were told is not the topic's: %+v", got)
	}
	if got := settingOf(t, admin, sarama.BrokerResource, "1", "ssl.keystore.password"); !got.Sensitive || got.Value != "" {
		t.Errorf("a password is shown as %+v", got)
	}
}

func TestSaramaAdministersTheRest(t *testing.T) {
	r := start(t, broker.Config{})
	admin := saramaAdmin(t, r, sarama.V2_8_0_0)
	r.produce(r.client(), "t", 0, 100)
	if brokers, controller, err := admin.DescribeCluster(); err != nil || len(brokers) != 1 || controller != 1 {
		t.Errorf("cluster has %d brokers and controller %d, %v", len(brokers), controller, err)
	}
	dirs, err := admin.DescribeLogDirs([]int32{1})
	if err != nil || len(dirs[1]) != 1 {
		t.Errorf("log dirs are %+v, %v", dirs, err)
	}
	if err := admin.DeleteRecords("t", map[int32]int64{0: 40}); err != nil {
		t.Errorf("deleting records: %v", err)
	}
	elected, err := admin.ElectLeaders(sarama.PreferredElection, map[string][]int32{"t": {0}})
	if err != nil || elected["t"][0] == nil || elected["t"][0].ErrorCode != sarama.ErrElectionNotNeeded {
		t.Errorf("elected are %+v, %v", elected, err)
	}
	if moving, err := admin.ListPartitionReassignments("t", []int32{0}); err != nil || len(moving) != 0 {
		t.Errorf("on their way are %+v, %v", moving, err)
	}
	if _, err := admin.UpdateFeatures([]sarama.FeatureUpdate{{Feature: "no.such", MaxVersionLevel: 1}}); err == nil {
		t.Error("a feature that is not there was updated")
	}
	if groups, err := admin.ListConsumerGroups(); err != nil || len(groups) != 0 {
		t.Errorf("groups are %v, %v", groups, err)
	}
}

func TestSaramaAdministersQuotas(t *testing.T) {
	r := start(t, broker.Config{})
	admin := saramaAdmin(t, r, sarama.V2_8_0_0)
	alice := []sarama.QuotaEntityComponent{{EntityType: sarama.QuotaEntityUser, MatchType: sarama.QuotaMatchExact, Name: "alice"}}
	if err := admin.AlterClientQuotas(alice, sarama.ClientQuotasOp{Key: "producer_byte_rate", Value: 1 << 20}, false); err != nil {
		t.Fatal(err)
	}
	if err := admin.AlterClientQuotas(alice, sarama.ClientQuotasOp{Key: "no_such_rate", Value: 1}, false); err == nil {
		t.Error("an unknown quota was taken")
	}
	filter := []sarama.QuotaFilterComponent{{EntityType: sarama.QuotaEntityUser, MatchType: sarama.QuotaMatchAny}}
	got, err := admin.DescribeClientQuotas(filter, true)
	if err != nil || len(got) != 1 || got[0].Values["producer_byte_rate"] != 1<<20 || len(got[0].Entity) != 1 || got[0].Entity[0].Name != "alice" {
		t.Errorf("quotas are %+v, %v", got, err)
	}
	if err := admin.AlterClientQuotas(alice, sarama.ClientQuotasOp{Key: "producer_byte_rate", Remove: true}, false); err != nil {
		t.Fatal(err)
	}
	if got, err := admin.DescribeClientQuotas(filter, false); err != nil || len(got) != 0 {
		t.Errorf("quotas are %+v, %v", got, err)
	}
}

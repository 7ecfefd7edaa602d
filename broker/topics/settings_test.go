package topics

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

func TestUnknownSettingNamesTheNearest(t *testing.T) {
	_, err := NewSettings(map[string]string{"num.partition": "3", "log.retention.hour": "1", "num.partitions": "0", "auto.create.topics.enable": "perhaps"})
	for _, want := range []string{`"num.partition" is unknown: did you mean "num.partitions"`, `did you mean "log.retention.hours"`,
		`Invalid value 0 for configuration num.partitions: Value must be at least 1`,
		`Invalid value perhaps for configuration auto.create.topics.enable: Expected value to be either true or false`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
}

func TestKafkasSettingsWithoutEffectAreListed(t *testing.T) {
	s, err := NewSettings(map[string]string{"zookeeper.connect": "x:2181", "num.network.threads": "3", "num.partitions": "2"})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(s.Idle(), "; "); got != "num.network.threads; zookeeper.connect (there is no ZooKeeper here)" {
		t.Errorf("listed are %s", got)
	}
}

func TestTopicWinsOverBrokerWinsOverDefault(t *testing.T) {
	s, err := NewSettings(map[string]string{"log.retention.hours": "2", "log.retention.bytes": "5000", "log.roll.hours": "3",
		"message.max.bytes": "2000", "log.message.timestamp.type": "LogAppendTime"})
	if err != nil {
		t.Fatal(err)
	}
	e := s.effective(nil)
	if e.Log.RetentionAge != 2*time.Hour || e.Log.RetentionBytes != 5000 || e.Log.SegmentAge != 3*time.Hour || e.MaxMessage != 2000 || !e.AppendTime {
		t.Errorf("the broker's settings come to %+v", e)
	}
	e = s.effective(map[string]string{"retention.ms": "-1", "max.message.bytes": "3000", "message.timestamp.type": "CreateTime", "segment.bytes": "9999"})
	if e.Log.RetentionAge >= 0 || e.MaxMessage != 3000 || e.AppendTime || e.Log.SegmentBytes != 9999 {
		t.Errorf("the topic's settings come to %+v", e)
	}
	own := map[string]string{"compression.type": "zstd", "compression.zstd.level": "19", "compression.gzip.level": "1"}
	if e := s.effective(own); !e.Recompress || e.Compression != record.Zstd || e.Level != 19 {
		t.Errorf("zstd at level 19 is %s at %d", e.Compression, e.Level)
	}
	if own["compression.type"] = "snappy"; s.effective(own).Level != 0 {
		t.Error("snappy has a level")
	}
	if e := (&Settings{}).effective(nil); e.MaxMessage != 1048588 || e.Log.RetentionAge != 7*24*time.Hour || e.Log.RetentionBytes != -1 || e.Log.SegmentBytes != 1<<30 {
		t.Errorf("the defaults come to %+v", e)
	}
}

func TestEveryDefaultIsAllowed(t *testing.T) {
	for _, list := range []map[string]*setting{brokerByName, topicByName} {
		for name, s := range list {
			if err := s.check(name, s.standard); err != nil && !s.null {
				t.Error(err)
			}
		}
	}
}

// Printed by org.apache.kafka.storage.internals.log.LogConfig of Kafka 4.3.1.
const topicNamesOfKafka = "cleanup.policy compression.gzip.level compression.lz4.level compression.type compression.zstd.level delete.retention.ms" +
	" file.delete.delay.ms flush.messages flush.ms follower.replication.throttled.replicas index.interval.bytes leader.replication.throttled.replicas" +
	" local.retention.bytes local.retention.ms max.compaction.lag.ms max.message.bytes message.timestamp.after.max.ms message.timestamp.before.max.ms" +
	" message.timestamp.type min.cleanable.dirty.ratio min.compaction.lag.ms min.insync.replicas preallocate remote.log.copy.disable" +
	" remote.log.delete.on.disable remote.storage.enable retention.bytes retention.ms segment.bytes segment.index.bytes segment.jitter.ms segment.ms" +
	" unclean.leader.election.enable"

func TestATopicShowsEverySettingThatKafkaHas(t *testing.T) {
	shown := map[string]Value{}
	for _, v := range new(Settings).Topic(nil) {
		shown[v.Name] = v
	}
	names := strings.Fields(topicNamesOfKafka)
	for _, name := range names {
		if v, ok := shown[name]; !ok || v.Null || v.Source != FromDefault {
			t.Errorf("%s is shown as %+v", name, v)
		}
	}
	if len(shown) != len(names)+1 { // and message.downconversion.enable, which Kafka 4 has no more
		t.Errorf("%d settings are shown, want %d", len(shown), len(names)+1)
	}
	for name, want := range map[string]string{"flush.ms": "9223372036854775807", "segment.ms": "604800000", "retention.ms": "604800000",
		"cleanup.policy": "delete", "message.timestamp.after.max.ms": "3600000", "leader.replication.throttled.replicas": "", "segment.jitter.ms": "0"} {
		if shown[name].Value != want {
			t.Errorf("%s is %q, want %q", name, shown[name].Value, want)
		}
	}
}

func TestSettingsShowWhereAValueComesFrom(t *testing.T) {
	s, err := NewSettings(map[string]string{"log.retention.minutes": "1"})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]Value{}
	for _, v := range s.Topic(map[string]string{"segment.bytes": "4096"}) {
		found[v.Name] = v
	}
	for name, want := range map[string]Value{
		"segment.bytes":     {Value: "4096", Source: FromTopic},
		"retention.ms":      {Value: "60000", Source: FromBroker},
		"max.message.bytes": {Value: "1048588", Source: FromDefault},
		"compression.type":  {Value: "producer", Source: FromDefault},
	} {
		if got := found[name]; got.Value != want.Value || got.Source != want.Source {
			t.Errorf("%s is %q from %d, want %q from %d", name, got.Value, got.Source, want.Value, want.Source)
		}
	}
	want := []Synonym{{"segment.bytes", "4096", FromTopic}, {"log.segment.bytes", "1073741824", FromDefault}}
	if got := found["segment.bytes"].Synonyms; !slices.Equal(got, want) {
		t.Errorf("synonyms of segment.bytes are %v, want %v", got, want)
	}
}

package topics

import (
	"strings"
	"testing"
	"time"
)

func TestUnknownSettingNamesTheNearest(t *testing.T) {
	_, err := NewSettings(map[string]string{"num.partition": "3", "log.retention.hour": "1", "num.partitions": "0", "auto.create.topics.enable": "perhaps"})
	for _, want := range []string{`"num.partition" is unknown: did you mean "num.partitions"`, `did you mean "log.retention.hours"`,
		`num.partitions ("0") must be a whole number of at least 1`, `auto.create.topics.enable ("perhaps") must be true or false`} {
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
	if e := (&Settings{}).effective(nil); e.MaxMessage != 1048588 || e.Log.RetentionAge != 7*24*time.Hour || e.Log.RetentionBytes != -1 || e.Log.SegmentBytes != 1<<30 {
		t.Errorf("the defaults come to %+v", e)
	}
}

func TestEveryDefaultIsAllowed(t *testing.T) {
	for _, set := range [][]setting{table, idleTopicNames} {
		for _, s := range set {
			if err := s.check(s.name+s.topic, s.standard); err != nil && s.choices != nil || s.name+s.topic == "" {
				t.Error(err)
			}
		}
	}
	for _, s := range table {
		if err := s.check(s.name, s.standard); err != nil {
			t.Error(err)
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
	if len(s.Broker()) != len(table) {
		t.Errorf("%d broker settings are shown, want %d", len(s.Broker()), len(table))
	}
}

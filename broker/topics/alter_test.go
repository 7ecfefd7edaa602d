package topics

import (
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

func TestWhatIsAlteredIsInForceAtOnceAndAfterARestart(t *testing.T) {
	dir := t.TempDir()
	topics := open(t, dir)
	topic, err := topics.Create("web_log", 2, map[string]string{"retention.ms": "5000"})
	if err != nil {
		t.Fatal(err)
	}
	own := map[string]string{"segment.bytes": "2048", "compression.type": "zstd", "cleanup.policy": "compact,delete", "message.timestamp.type": "LogAppendTime",
		"min.insync.replicas": "2", "message.timestamp.after.max.ms": "1000", "delete.retention.ms": "7", "min.cleanable.dirty.ratio": "0.1", "max.compaction.lag.ms": "9"}
	if err := topics.Alter("web_log", own); err != nil {
		t.Fatal(err)
	}
	check := func(topic *Topic) {
		t.Helper()
		e := topic.Effective()
		if e.Log.SegmentBytes != 2048 || e.Log.RetentionAge != 7*24*time.Hour || !e.Recompress || e.Compression != record.Zstd || !e.Compact || !e.Delete || !e.AppendTime ||
			e.TimestampAfter != time.Second || e.TimestampBefore >= 0 || e.DeleteRetention != 7*time.Millisecond || e.DirtyRatio != 0.1 || e.CompactionLimit != 9*time.Millisecond {
			t.Errorf("the settings come to %+v", e)
		}
	}
	check(topic)
	for range 40 { // 100 bytes each: the logs go by them too
		put(t, topic.Partition(1), strings.Repeat("x", 100))
	}
	if logs, err := filepath.Glob(filepath.Join(dir, "web_log-1", "*.log")); err != nil || len(logs) < 3 {
		t.Errorf("with segments of 2048 bytes there are %d of them, %v", len(logs), err)
	}
	if err := topics.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir).Get("web_log")
	check(again)
	if !maps.Equal(again.Own(), own) {
		t.Errorf("after a restart the topic's own settings are %v, want %v", again.Own(), own)
	}
}

func TestARefusedChangeLeavesEverythingAsItWas(t *testing.T) {
	dir := t.TempDir()
	topics := open(t, dir)
	topic, err := topics.Create("web_log", 1, map[string]string{"retention.ms": "5000"})
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, "web_log-0", manifestFile))
	if err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	for _, c := range []struct {
		name string
		edit func(own map[string]string) error
		want error
	}{
		{"web_log", func(own map[string]string) error { own["retention.ms"] = "soon"; return nil }, ErrSetting},
		{"web_log", func(own map[string]string) error { own["retention.mss"] = "1"; return nil }, ErrSetting},
		{"web_log", func(own map[string]string) error { clear(own); return boom }, boom},
		{"nothing", func(map[string]string) error { return nil }, ErrUnknown},
	} {
		if err := topics.CheckEdit(c.name, c.edit); !errors.Is(err, c.want) {
			t.Errorf("a dry run says %v, want %v", err, c.want)
		}
		if err := topics.Edit(c.name, c.edit); !errors.Is(err, c.want) {
			t.Errorf("altering says %v, want %v", err, c.want)
		}
	}
	if err := topics.CheckEdit("web_log", func(own map[string]string) error { own["retention.ms"] = "1"; return nil }); err != nil {
		t.Error(err)
	}
	after, err := os.ReadFile(filepath.Join(dir, "web_log-0", manifestFile))
	if err != nil || string(after) != string(before) || topic.Own()["retention.ms"] != "5000" || topic.Effective().Log.RetentionAge != 5*time.Second {
		t.Errorf("the topic is set to %v (%+v), its file says %s, %v", topic.Own(), topic.Effective(), after, err)
	}
}

func TestTheBrokersSettingsChangeWhileItRuns(t *testing.T) {
	dir := t.TempDir()
	settings, err := NewSettings(map[string]string{"message.max.bytes": "1000", "log.retention.hours": "1"})
	if err != nil {
		t.Fatal(err)
	}
	topics, err := Open(Config{Dir: dir, Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = topics.Close() })
	plain, err := topics.Create("plain", 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	set, err := topics.Create("set", 1, map[string]string{"max.message.bytes": "3000"})
	if err != nil {
		t.Fatal(err)
	}
	change := func(edit func(d *Dynamic)) {
		t.Helper()
		if err := topics.AlterBroker(func(d *Dynamic) error { edit(d); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	want := func(what string, bytes int, age time.Duration) {
		t.Helper()
		if e := plain.Effective(); e.MaxMessage != bytes || e.Log.RetentionAge != age {
			t.Errorf("%s: largest message %d and age %s, want %d and %s", what, e.MaxMessage, e.Log.RetentionAge, bytes, age)
		}
		if e := set.Effective(); e.MaxMessage != 3000 {
			t.Errorf("%s: the topic's own setting became %d", what, e.MaxMessage)
		}
	}
	want("at the start", 1000, time.Hour)
	change(func(d *Dynamic) { d.All["message.max.bytes"], d.All["log.retention.ms"] = "2000", "60000" })
	want("for all brokers", 2000, time.Minute)
	change(func(d *Dynamic) { d.Node["message.max.bytes"] = "2500" })
	want("for this broker", 2500, time.Minute)
	change(func(d *Dynamic) { delete(d.All, "log.retention.ms") })
	want("taken back", 2500, time.Hour)
	if got := settings.GroupMillis("g", "consumer.session.timeout.ms"); got != 45*time.Second {
		t.Errorf("a group's session is %s", got)
	}
	change(func(d *Dynamic) { d.Group("g")["consumer.session.timeout.ms"] = "50000" })
	if err := topics.Close(); err != nil {
		t.Fatal(err)
	}

	settings, err = NewSettings(map[string]string{"message.max.bytes": "1000", "log.retention.hours": "1"})
	if err != nil {
		t.Fatal(err)
	}
	again, err := Open(Config{Dir: dir, Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Close() })
	plain, set = again.Get("plain"), again.Get("set")
	want("after a restart", 2500, time.Hour)
	if got := settings.GroupMillis("g", "consumer.session.timeout.ms"); got != 50*time.Second {
		t.Errorf("after a restart a group's session is %s", got)
	}
	if got := settings.GroupMillis("h", "consumer.session.timeout.ms"); got != 45*time.Second {
		t.Errorf("another group's session is %s", got)
	}
	synonyms := []Synonym{{"message.max.bytes", "2500", FromNode}, {"message.max.bytes", "2000", FromCluster}, {"message.max.bytes", "1000", FromBroker}, {"message.max.bytes", "1048588", FromDefault}}
	for _, v := range settings.Broker() {
		if v.Name == "message.max.bytes" && (!slices.Equal(v.Synonyms, synonyms) || v.Value != "2500" || v.Source != FromNode || v.ReadOnly) {
			t.Errorf("shown as %+v, want the places %v", v, synonyms)
		}
	}
}

func TestWhatABrokerReadsAtItsStartIsReadOnly(t *testing.T) {
	topics := open(t, t.TempDir())
	for _, c := range []struct {
		node        bool
		name, value string
		want        error
		says        string
	}{
		{true, "num.partitions", "3", ErrReadOnly, "Cannot update these configs dynamically: [num.partitions]"},
		{false, "log.retention.hours", "3", ErrReadOnly, "dynamically: [log.retention.hours]"},
		{false, "principal.builder.class", "x", ErrReadOnly, "default cluster level, broker id must be specified"},
		{true, "message.max.bytes", "many", ErrSetting, "Not a number of type INT"},
		{true, "num.io.threads", "0", ErrSetting, "Value must be at least 1"},
		{true, "log.retention.mss", "1", ErrSetting, "did you mean log.retention.ms"},
	} {
		edit := func(d *Dynamic) error {
			if c.node {
				d.Node[c.name] = c.value
			} else {
				d.All[c.name] = c.value
			}
			return nil
		}
		for _, err := range []error{topics.CheckAlterBroker(edit), topics.AlterBroker(edit)} {
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s=%s: %v, want %v saying %q", c.name, c.value, err, c.want, c.says)
			}
		}
	}
	if d := topics.Settings().now().Dynamic; len(d.Node)+len(d.All) != 0 {
		t.Errorf("what was refused is kept: %+v", d)
	}
}

func TestADamagedFileOfChangedSettingsIsNamed(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, dynamicFile), []byte(`{"version": 2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), dynamicFile) {
		t.Errorf("opening says %v, want the file named", err)
	}
}

// TestSettingsModel holds random changes, with restarts between them, against two maps.
func TestSettingsModel(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	dir := t.TempDir()
	topics := open(t, dir)
	if _, err := topics.Create("t", 1, nil); err != nil {
		t.Fatal(err)
	}
	own, all, node := map[string]string{}, map[string]string{}, map[string]string{}
	toss := func(m map[string]string, name string) {
		if random.IntN(3) == 0 {
			delete(m, name)
		} else {
			m[name] = strconv.Itoa(random.IntN(1000) + 1)
		}
	}
	for step := range 300 {
		switch random.IntN(10) {
		case 0, 1, 2:
			toss(own, "max.message.bytes")
			if err := topics.Alter("t", own); err != nil {
				t.Fatal(err)
			}
		case 3, 4, 5, 6, 7:
			place, in := all, func(d *Dynamic) map[string]string { return d.All }
			if random.IntN(2) == 0 {
				place, in = node, func(d *Dynamic) map[string]string { return d.Node }
			}
			toss(place, "message.max.bytes")
			err := topics.AlterBroker(func(d *Dynamic) error {
				clear(in(d))
				maps.Copy(in(d), place)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		case 8:
			if err := topics.Close(); err != nil {
				t.Fatal(err)
			}
			topics = open(t, dir)
		}
		want := "1048588"
		for _, m := range []map[string]string{all, node} {
			if v, ok := m["message.max.bytes"]; ok {
				want = v
			}
		}
		if v, ok := own["max.message.bytes"]; ok {
			want = v
		}
		if got := topics.Get("t").Effective().MaxMessage; strconv.Itoa(got) != want {
			t.Fatalf("step %d: %v over %v over %v comes to %d, want %s", step, own, node, all, got, want)
		}
	}
}

// Kafka takes 0 for what it says, and people empty topics so.
func TestARetentionOfNothingKeepsNothing(t *testing.T) {
	for _, name := range []string{"retention.ms", "retention.bytes"} {
		topics := open(t, t.TempDir())
		topic, err := topics.Create("t", 1, map[string]string{"segment.bytes": "1024", name: "0"})
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			put(t, topic.Partition(0), strings.Repeat("x", 900))
		}
		log := topic.Partition(0).Log
		if err := log.Retain(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if kept := log.End() - log.Start(); kept > 1 { // of the size's the segment that is written to
			t.Errorf("%s=0 keeps %d of 10 records", name, kept)
		}
	}
}

func TestARetentionOfNothingIsNotForAllTopics(t *testing.T) {
	for _, name := range neverZero {
		if _, err := NewSettings(map[string]string{name: "0"}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=0: %v", name, err)
		}
		if _, err := NewSettings(map[string]string{name: "-1"}); err != nil {
			t.Errorf("%s=-1: %v", name, err)
		}
	}
}

func TestTheBrokersOwnTopicsKeepTheirState(t *testing.T) {
	topics := open(t, t.TempDir())
	if _, err := topics.Internal("__consumer_offsets", 1, map[string]string{"cleanup.policy": "compact"}); err != nil {
		t.Fatal(err)
	}
	for _, own := range []map[string]string{{}, {"cleanup.policy": "compact,delete"}, {"cleanup.policy": "delete", "retention.bytes": "1"}} {
		if err := topics.Alter("__consumer_offsets", own); !errors.Is(err, ErrSetting) {
			t.Errorf("with %v: %v, want ErrSetting", own, err)
		}
	}
	if err := topics.Alter("__consumer_offsets", map[string]string{"cleanup.policy": "compact", "segment.bytes": "4096"}); err != nil {
		t.Error(err)
	}
}

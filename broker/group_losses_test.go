package broker_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// commitAt commits an offset of partition 0 for a group without members.
func (r *running) commitAt(group, topic string, offset int64) {
	r.t.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = group, -1
	req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: topic, Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: offset}}}}
	resp := call[*kmsg.OffsetCommitResponse](r.t, r.dial(), 7, req)
	wantCode(r.t, "OffsetCommit", 7, resp.Topics[0].Partitions[0].ErrorCode, 0)
}

// series are a metric's values by its labels' values, joined by blanks.
func series(t *testing.T, registry *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			found[strings.Join(labels, " ")] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return found
}

func TestWhatGroupsLoseToRetentionIsCountedAndSaid(t *testing.T) {
	registry := prometheus.NewRegistry()
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}, Registry: registry,
		Settings: map[string]string{"log.segment.bytes": "1024", "log.retention.check.interval.ms": "10"}})
	conn := r.dial()
	batch := seal(t, 10, record.NoProducer, record.None)
	for range 20 {
		put(t, conn, 7, "web_log", 0, -1, batch)
	}
	r.commitAt("behind", "web_log", 13)
	r.commitAt("ahead", "web_log", 200)
	lag := series(t, registry, "loghaul_broker_group_lag_records")
	if len(lag) != 2 || lag["behind 0 web_log"] != 187 || lag["ahead 0 web_log"] != 0 {
		t.Errorf("lag is %v, want 187 and 0", lag)
	}
	r.setRetention("web_log", "1")
	var lost float64
	eventually(t, "the loss", func() bool {
		found := series(t, registry, "loghaul_broker_group_lost_records_total")
		lost = found["behind 0 web_log"]
		return lost > 0 && len(found) == 1
	})
	gone := series(t, registry, "loghaul_broker_deleted_records_total")["size web_log"]
	if lost != gone-13 {
		t.Errorf("%v records were deleted, and the group at 13 lost %v of them", gone, lost)
	}
	const line = "records were deleted that groups had not read"
	eventually(t, "the line", func() bool { return strings.Contains(r.log.String(), line) }) // it comes after the count
	if got := r.log.String(); strings.Count(got, line) != 1 || !strings.Contains(got, "retention.bytes") || !strings.Contains(got, "behind (") {
		t.Errorf("one line should name the group and the setting; the log:\n%s", got)
	}
	del := kmsg.NewPtrDeleteTopicsRequest()
	del.TopicNames = []string{"web_log"}
	call[*kmsg.DeleteTopicsResponse](t, conn, 3, del)
	for _, name := range []string{"group_lost_records_total", "group_lag_records", "deleted_records_total", "stored_bytes"} {
		for labels, v := range series(t, registry, "loghaul_broker_"+name) {
			if strings.Contains(labels, "web_log") {
				t.Errorf("%s of the deleted topic is still %v", name, v)
			}
		}
	}
}

// setRetention gives a topic a retention.bytes.
func (r *running) setRetention(topic, size string) {
	r.t.Helper()
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	alter.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: topic,
		Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "retention.bytes", Value: &size}}}}
	call[*kmsg.IncrementalAlterConfigsResponse](r.t, r.dial(), 1, alter)
}

func TestWhatGroupsHaveLostIsKnownAfterARestart(t *testing.T) {
	const metric = "loghaul_broker_group_lost_records_total"
	data := t.TempDir()
	run := func() (*running, *prometheus.Registry) {
		registry := prometheus.NewRegistry()
		return start(t, broker.Config{Data: data, CreateTopics: []string{"web_log:1", "other:1"}, Registry: registry,
			Settings: map[string]string{"log.segment.bytes": "1024", "log.retention.check.interval.ms": "10"}}), registry
	}
	r, registry := run()
	conn := r.dial()
	for _, topic := range []string{"web_log", "other"} {
		for range 20 {
			put(t, conn, 7, topic, 0, -1, seal(t, 10, record.NoProducer, record.None))
		}
		r.commitAt("behind", topic, 13)
		r.setRetention(topic, "1")
	}
	r.commitAt("gone", "web_log", 1000)
	var lost map[string]float64
	eventually(t, "the losses", func() bool {
		lost = series(t, registry, metric)
		return lost["behind 0 web_log"] > 0 && lost["behind 0 other"] > 0
	})
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r, registry = run()
	if got := series(t, registry, metric); len(got) != 2 || got["behind 0 web_log"] != lost["behind 0 web_log"] || got["behind 0 other"] != lost["behind 0 other"] {
		t.Errorf("after a restart lost are %v, want %v", got, lost)
	}
	del := kmsg.NewPtrDeleteTopicsRequest()
	del.TopicNames = []string{"other"}
	call[*kmsg.DeleteTopicsResponse](t, r.dial(), 3, del)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(data, "group-losses.json")
	b, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(b), "other") || !strings.HasPrefix(string(b), "#check ") {
		t.Errorf("the account is %q, %v, want the deleted topic forgotten", b, err)
	}
	if err := os.WriteFile(path, append(b, 'x'), 0o600); err != nil {
		t.Fatal(err)
	}
	r, registry = run()
	if got := series(t, registry, metric); len(got) != 0 || r.log.count("counting begins anew") != 1 {
		t.Errorf("from a damaged account %v lost are known, and %d lines say so", got, r.log.count("counting begins anew"))
	}
}

func TestWhatIsTrimmedOnPurposeIsNoLoss(t *testing.T) {
	registry := prometheus.NewRegistry()
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}, Registry: registry})
	conn := r.dial()
	put(t, conn, 7, "web_log", 0, -1, seal(t, 10, record.NoProducer, record.None))
	r.commitAt("g", "web_log", 3)
	del := kmsg.NewPtrDeleteRecordsRequest()
	del.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: "web_log", Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Offset: 7}}}}
	call[*kmsg.DeleteRecordsResponse](t, conn, 1, del)
	if got := series(t, registry, "loghaul_broker_deleted_records_total")["trim web_log"]; got != 7 {
		t.Errorf("%v records counted as trimmed, want 7", got)
	}
	if got := series(t, registry, "loghaul_broker_group_lost_records_total"); len(got) != 0 {
		t.Errorf("counted as lost: %v", got)
	}
}

// A group may be called anything; nobody's choice of a name may break the answer for all others.
func TestGroupsOfAnyNameDoNotBreakTheMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}, Registry: registry})
	for _, name := range []string{"a\xffb", "a\xfeb", "\"quoted\" and\nbroken", strings.Repeat("x", 4000), ""} {
		r.commitAt(name, "web_log", 0)
	}
	if got := series(t, registry, "loghaul_broker_groups"); got["Empty"] != 5 {
		t.Errorf("groups by state: %v, want 5 empty ones", got)
	}
	if got := series(t, registry, "loghaul_broker_group_lag_records"); len(got) != 2 {
		t.Errorf("lag of %v, want that of the two whose names are short texts", got)
	}
	if got := series(t, registry, "loghaul_broker_group_series_left_out")[""]; got != 6 {
		t.Errorf("%v series left out, want 6", got)
	}
}

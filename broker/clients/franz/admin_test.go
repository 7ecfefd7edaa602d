package franz_test

import (
	"errors"
	"testing"

	"github.com/loghaul/loghaul/broker/clients"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func TestAdmin(t *testing.T) {
	addr := serve(t)
	a, topic, group := kadm.NewClient(dial(t, addr)), clients.Name("web_log"), clients.Name("group")
	ok := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := a.CreateTopic(t.Context(), 2, 1, map[string]*string{"retention.ms": kadm.StringPtr("60000")}, topic)
	ok("creating a topic", err)
	if _, err := a.CreateTopic(t.Context(), 2, 1, nil, topic); !errors.Is(err, kerr.TopicAlreadyExists) {
		t.Errorf("creating it again: %v", err)
	}
	more, err := a.UpdatePartitions(t.Context(), 3, topic)
	ok("adding a partition", errors.Join(err, more.Error()))
	ok("producing", members[0].Produce(limit(t), addr, topic, "none", clients.Lines(0, 30, 3)))
	altered, err := a.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: kadm.StringPtr("2000000")}, {Op: kadm.DeleteConfig, Name: "retention.ms"},
		{Op: kadm.AppendConfig, Name: "cleanup.policy", Value: kadm.StringPtr("compact")}}, topic)
	ok("altering settings", err)
	_, err = altered.On(topic, func(r *kadm.AlterConfigsResponse) error { return r.Err })
	ok("altering its settings", err)
	shown, err := a.DescribeTopicConfigs(t.Context(), topic)
	ok("describing settings", err)
	want := map[string]string{"max.message.bytes": "2000000", "retention.ms": "604800000", "cleanup.policy": "delete,compact"}
	_, err = shown.On(topic, func(r *kadm.ResourceConfig) error {
		for _, c := range r.Configs {
			if w, asked := want[c.Key]; asked && c.MaybeValue() != w {
				t.Errorf("%s is %s, want %s", c.Key, c.MaybeValue(), w)
			}
		}
		return r.Err
	})
	ok("the topic's settings", err)
	cut, err := a.DeleteRecords(t.Context(), kadm.Offsets{topic: {1: {Topic: topic, Partition: 1, At: 4}}})
	ok("deleting records", errors.Join(err, cut.Error()))
	starts, err := a.ListStartOffsets(t.Context(), topic)
	ok("listing offsets", errors.Join(err, starts.Error()))
	if o, _ := starts.Lookup(topic, 1); o.Offset != 4 {
		t.Errorf("the oldest offset is %d, want 4", o.Offset)
	}
	latest, err := a.ListMaxTimestampOffsets(t.Context(), topic)
	ok("listing the newest times", errors.Join(err, latest.Error()))
	ok("committing", a.CommitAllOffsets(t.Context(), group, kadm.Offsets{topic: {0: {Topic: topic, Partition: 0, At: 5, LeaderEpoch: -1}}}))
	lags, err := a.Lag(t.Context(), group)
	ok("asking for the lag", errors.Join(err, lags.Error()))
	if lag, _ := lags[group].Lag.Lookup(topic, 0); lag.Lag != 5 {
		t.Errorf("the lag is %d, want 5", lag.Lag)
	}
	forgotten, err := a.DeleteOffsets(t.Context(), group, kadm.TopicsSet{topic: {0: {}}})
	ok("deleting offsets", errors.Join(err, forgotten.Error()))
	_, err = a.DeleteGroup(t.Context(), group)
	ok("deleting the group", err)
	_, err = a.DescribeAllLogDirs(t.Context(), nil)
	ok("describing folders", err)
	_, err = a.DeleteTopic(t.Context(), topic)
	ok("deleting the topic", err)
}

package broker_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// complaint is told what is not as it was promised.
type complaint func(format string, a ...any)

// check holds a broker, started on what is left, to what was promised; told says what has happened.
func (d *deeds) check(r *running, told string) {
	d.t.Helper()
	fail := func(format string, a ...any) {
		d.t.Helper()
		d.t.Errorf("%s: "+format, append([]any{told}, a...)...)
	}
	d.compare(r, fail, fail)
}

// compare tells apart what is wrong, and what is missing or refused.
func (d *deeds) compare(r *running, wrong, missing complaint) {
	d.t.Helper()
	d.conn = r.dial()
	topics := d.topics()
	for name, is := range map[string]bool{"web_log": slices.Contains(topics, "web_log"), "gone": slices.Contains(topics, "gone")} {
		made, deletion := d.flags["topic "+name], d.flags["deletion of "+name]
		if made == done && deletion == never && !is || deletion == done && is {
			missing("topic %s is there: %t; made: %d, deleted: %d", name, is, made, deletion)
		}
	}
	if !slices.Contains(topics, "web_log") {
		return
	}
	d.checkLines(r, wrong, missing)
	d.checkOffset(wrong, missing)
	d.checkSettings(missing)
}

func (d *deeds) topics() []string {
	d.t.Helper()
	var names []string
	for _, topic := range call[*kmsg.MetadataResponse](d.t, d.conn, 1, kmsg.NewPtrMetadataRequest()).Topics {
		names = append(names, *topic.Topic)
	}
	return names
}

// checkLines reads web_log.
func (d *deeds) checkLines(r *running, wrong, missing complaint) {
	d.t.Helper()
	next := -1
	for _, rec := range d.read(r, kgo.ReadUncommitted(), missing) {
		var n int
		if _, err := fmt.Sscanf(string(rec.Value), "line %d ", &n); err != nil || rec.Attrs.IsControl() {
			continue
		}
		if n >= len(d.lines) || string(rec.Value) != d.lines[n] || next >= 0 && n != next || next < 0 && n > 0 && d.flags["trim"] == never {
			wrong("offset %d holds %.20q, %d lines were sent, line %d is next", rec.Offset, rec.Value, len(d.lines), next)
		}
		next = n + 1
	}
	trimmed := next < 0 && d.flags["trim"] != never && d.acked <= 2 // all that there was
	if max(next, 0) < d.acked && !trimmed {
		missing("%d lines were acknowledged, line %d is the last", d.acked, next-1)
	}
	count := d.committed(r, missing)
	// A transaction whose end was decided is ended by the start, beside the first answers.
	for end := time.Now().Add(d.patience / 4); d.txns["kept"] == done && count["kept"] == 0 && time.Now().Before(end); {
		count = d.committed(r, missing)
	}
	if got := count["kept"]; got > 1 {
		wrong("the record of the committed transaction is there %d times", got)
	} else if d.txns["kept"] == done && got != 1 {
		missing("the record of the committed transaction is there %d times", got)
	}
	if count["dropped"] > 0 {
		wrong("the record of the aborted transaction is handed out")
	}
}

// committed counts the records that readers of committed ones may have now.
func (d *deeds) committed(r *running, missing complaint) map[string]int {
	d.t.Helper()
	count := map[string]int{}
	for _, rec := range d.read(r, kgo.ReadCommitted(), missing) {
		count[string(rec.Value)]++
	}
	return count
}

// read is all of web_log that readers of one kind may have now.
func (d *deeds) read(r *running, level kgo.IsolationLevel, missing complaint) (got []*kgo.Record) {
	d.t.Helper()
	latest := kmsg.NewPtrListOffsetsRequest()
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Timestamp = -1
	latest.ReplicaID, latest.Topics = -1, []kmsg.ListOffsetsRequestTopic{{Topic: "web_log", Partitions: []kmsg.ListOffsetsRequestTopicPartition{p}}}
	if level == kgo.ReadCommitted() {
		latest.IsolationLevel = 1
	}
	end := call[*kmsg.ListOffsetsResponse](d.t, d.conn, 4, latest).Topics[0].Partitions[0].Offset
	cl := r.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"web_log": {0: kgo.NewOffset().AtStart()}}), kgo.FetchIsolationLevel(level), kgo.KeepControlRecords())
	defer cl.Close()
	ctx, cancel := context.WithTimeout(d.t.Context(), d.patience)
	defer cancel()
	for at := int64(0); at < end && end > d.deleted; at = got[len(got)-1].Offset + 1 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			missing("reading web_log up to %d, %d records are read: %v", end, len(got), err)
			return got
		}
		if got = append(got, fetches.Records()...); len(got) == 0 {
			missing("web_log ends at %d and nothing is handed out", end)
			return got
		}
	}
	return got
}

func (d *deeds) checkOffset(wrong, missing complaint) {
	d.t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group, req.Topics = "readers", []kmsg.OffsetFetchRequestTopic{{Topic: "web_log", Partitions: []int32{0}}}
	got := call[*kmsg.OffsetFetchResponse](d.t, d.conn, 5, req).Topics[0].Partitions[0]
	switch at := slices.Index(append([]int64{-1}, d.commits...), got.Offset); {
	case at < 0:
		wrong("the group's offset is %d, committed were %v", got.Offset, d.commits)
	case at < d.kept, got.ErrorCode != 0:
		missing("the group's offset is %d (error %d), answered were %v", got.Offset, got.ErrorCode, d.commits[:d.kept])
	}
}

func (d *deeds) checkSettings(fail complaint) {
	d.t.Helper()
	want := func(name string, is bool) {
		if d.flags[name] == done && !is || d.flags[name] == never && is {
			fail("%s is there: %t, asked for: %d", name, is, d.flags[name])
		}
	}
	want("setting retention.ms", d.setting(kmsg.ConfigResourceTypeTopic, "web_log", "retention.ms") == "777000000")
	want("setting log.segment.bytes", d.setting(kmsg.ConfigResourceTypeBroker, "1", "log.segment.bytes") == "7770000")
	quotas := kmsg.NewPtrDescribeClientQuotasRequest()
	got := call[*kmsg.DescribeClientQuotasResponse](d.t, d.conn, 0, quotas).Entries
	want("quota", len(got) == 1 && got[0].Values[0].Value == 123456)
	users := call[*kmsg.DescribeUserSCRAMCredentialsResponse](d.t, d.conn, 0, kmsg.NewPtrDescribeUserSCRAMCredentialsRequest()).Results
	want("user", len(users) == 1 && users[0].User == "alice")
}

func (d *deeds) setting(kind kmsg.ConfigResourceType, name, key string) string {
	d.t.Helper()
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kind, ResourceName: name, ConfigNames: []string{key}}}
	for _, c := range call[*kmsg.DescribeConfigsResponse](d.t, d.conn, 1, req).Resources[0].Configs {
		if c.Name == key && c.Value != nil {
			return *c.Value
		}
	}
	return ""
}

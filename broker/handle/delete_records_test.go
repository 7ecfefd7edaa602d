package handle

import (
	"context"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/internal/record"
)

// logsOf is handlers over a folder with topics of one partition each, whose logs hold ten records in batches of two.
func logsOf(t *testing.T, policies map[string]string) *Handlers {
	t.Helper()
	ts, err := topics.Open(topics.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ts.Close() })
	for name, policy := range policies {
		topic, err := ts.Create(name, 1, map[string]string{"cleanup.policy": policy, "segment.bytes": "1024"})
		if err != nil {
			t.Fatal(err)
		}
		for i := range int32(5) {
			appendPair(t, topic.Partition(0).Log, record.Producer{ID: 7, Sequence: 2 * i}, false)
		}
	}
	return New(Config{Topics: ts})
}

func appendPair(t *testing.T, log *commitlog.Log, p record.Producer, transactional bool) {
	t.Helper()
	b := record.NewBuilder(0)
	b.Append(0, []byte("key"), fmt.Appendf(nil, "%0300d", p.Sequence), 0, nil)
	b.Append(0, []byte("key"), fmt.Appendf(nil, "%0300d", p.Sequence+1), 0, nil)
	batch, err := b.Seal(nil, p, record.None, 1000, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if transactional {
		record.SetTransactional(batch)
	}
	if _, err := log.Append(batch); err != nil {
		t.Fatal(err)
	}
}

func deleteUpTo(t *testing.T, h *Handlers, topic string, partition int32, offset int64) (code int16, low int64) {
	t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Version = 2
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Partition, p.Offset = partition, offset
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic, rt.Partitions = topic, append(rt.Partitions, p)
	req.Topics = append(req.Topics, rt)
	resp, err := h.deleteRecords(context.Background(), &Request{Body: req, Peer: Peer{Principal: "User:ann", IP: "127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	answer := resp.(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0]
	return answer.ErrorCode, answer.LowWatermark
}

func TestDeleteRecordsMovesTheStartAndFreesTheDisk(t *testing.T) {
	h := logsOf(t, map[string]string{"web_log": "delete", "table": "compact", "both": "compact,delete"})
	log := h.cfg.Topics.Get("web_log").Partition(0).Log
	size := log.Size()
	for _, c := range []struct {
		topic     string
		partition int32
		offset    int64
		code      int16
		low       int64
	}{
		{"web_log", 0, 3, errNone, 3}, // inside a batch
		{"web_log", 0, 1, errNone, 3}, // before the start
		{"web_log", 0, 11, errOffsetOutOfRange, -1},
		{"web_log", 0, -2, errOffsetOutOfRange, -1},
		{"web_log", 1, 0, errUnknownTopicOrPartition, -1},
		{"nobody", 0, 0, errUnknownTopicOrPartition, -1},
		{"table", 0, 3, errPolicyViolation, -1},
		{"both", 0, 3, errNone, 3},
		{"web_log", 0, 7, errNone, 7},
		{"web_log", 0, -1, errNone, 10},
	} {
		if code, low := deleteUpTo(t, h, c.topic, c.partition, c.offset); code != c.code || low != c.low {
			t.Errorf("%s-%d before %d: got code %d and low watermark %d, want %d and %d", c.topic, c.partition, c.offset, code, low, c.code, c.low)
		}
		if c.topic == "web_log" && c.offset == 7 && log.Size() > size/2 {
			t.Errorf("%d of %d bytes are left after seven of ten records were deleted", log.Size(), size)
		}
	}
	if log.Size() != 0 || log.Start() != 10 || log.End() != 10 {
		t.Errorf("an emptied log has %d bytes and goes from %d to %d", log.Size(), log.Start(), log.End())
	}
}

func TestDeleteRecordsLeavesTheBrokersOwnTopicsAlone(t *testing.T) {
	h := logsOf(t, map[string]string{"__consumer_offsets": "delete"})
	if code, _ := deleteUpTo(t, h, "__consumer_offsets", 0, 3); code != errInvalidTopic {
		t.Fatalf("got code %d, want %d", code, errInvalidTopic)
	}
}

func TestDeletingAndDescribingProducersNeedTheirRights(t *testing.T) {
	h := logsOf(t, map[string]string{"web_log": "delete"})
	access, err := acl.Open(acl.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	h.cfg.Access = access
	producers := func() int16 {
		t.Helper()
		req := kmsg.NewPtrDescribeProducersRequest()
		rt := kmsg.NewDescribeProducersRequestTopic()
		rt.Topic, rt.Partitions = "web_log", []int32{0}
		req.Topics = append(req.Topics, rt)
		resp, err := h.describeProducers(context.Background(), &Request{Body: req, Peer: Peer{Principal: "User:ann", IP: "127.0.0.1"}})
		if err != nil {
			t.Fatal(err)
		}
		return resp.(*kmsg.DescribeProducersResponse).Topics[0].Partitions[0].ErrorCode
	}
	if code, low := deleteUpTo(t, h, "web_log", 0, 3); code != errTopicAuthorizationFailed || low != -1 {
		t.Fatalf("without any right: code %d, low watermark %d", code, low)
	}
	if code := producers(); code != errTopicAuthorizationFailed {
		t.Fatalf("describing producers without any right: code %d", code)
	}
	for _, op := range []acl.Operation{acl.Read, acl.Delete} {
		rule := acl.Rule{Kind: acl.Topic, Pattern: acl.Literal, Name: "web_log", Principal: "User:ann", Host: "*", Operation: op, Permission: acl.Allow}
		if err := access.Add(rule); err != nil {
			t.Fatal(err)
		}
	}
	if code, low := deleteUpTo(t, h, "web_log", 0, 3); code != errNone || low != 3 {
		t.Fatalf("with the right: code %d, low watermark %d", code, low)
	}
	if code := producers(); code != errNone {
		t.Fatalf("describing producers with the right: code %d", code)
	}
}

func TestDescribeProducersTellsOfOpenTransactions(t *testing.T) {
	h := logsOf(t, map[string]string{"web_log": "delete"})
	log := h.cfg.Topics.Get("web_log").Partition(0).Log
	appendPair(t, log, record.Producer{ID: 8, Epoch: 3}, true)
	appendPair(t, log, record.Producer{ID: 9}, true)
	if _, err := log.AppendMarker(commitlog.Marker{ProducerID: 9, Commit: true, CoordinatorEpoch: 5}); err != nil {
		t.Fatal(err)
	}
	req := kmsg.NewPtrDescribeProducersRequest()
	rt := kmsg.NewDescribeProducersRequestTopic()
	rt.Topic, rt.Partitions = "web_log", []int32{0, 1}
	bad := kmsg.NewDescribeProducersRequestTopic()
	bad.Topic, bad.Partitions = "..", []int32{0}
	req.Topics = append(req.Topics, rt, bad)
	resp, err := h.describeProducers(context.Background(), &Request{Body: req})
	if err != nil {
		t.Fatal(err)
	}
	if code := resp.(*kmsg.DescribeProducersResponse).Topics[1].Partitions[0].ErrorCode; code != errInvalidTopic {
		t.Fatalf("the name .. got code %d", code)
	}
	parts := resp.(*kmsg.DescribeProducersResponse).Topics[0].Partitions
	var got string
	for _, p := range parts[0].ActiveProducers {
		got += fmt.Sprintf("%d/%d seq %d txn %d coordinator %d; ", p.ProducerID, p.ProducerEpoch, p.LastSequence, p.CurrentTxnStartOffset, p.CoordinatorEpoch)
	}
	want := "7/0 seq 9 txn -1 coordinator -1; 8/3 seq 1 txn 10 coordinator -1; 9/0 seq 1 txn -1 coordinator 5; "
	if got != want || parts[0].ErrorCode != errNone || parts[1].ErrorCode != errUnknownTopicOrPartition {
		t.Fatalf("got %q, codes %d and %d; want %q", got, parts[0].ErrorCode, parts[1].ErrorCode, want)
	}
}

package broker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// txnConn is a producer that speaks the protocol by hand.
type txnConn struct {
	t    *testing.T
	conn *kafka.Conn
	id   string
	pid  int64
	ep   int16
	seq  map[string]int32 // by topic
}

func (r *running) txnConn(id string) *txnConn {
	return &txnConn{t: r.t, conn: r.dial(), id: id, pid: -1, ep: -1}
}

// init asks for a producer until none is being aborted.
func (c *txnConn) init() *txnConn {
	c.t.Helper()
	eventually(c.t, "a producer for "+c.id, func() bool { return c.askInit(4, 60_000, -1, -1) == 0 })
	return c
}

func (c *txnConn) askInit(v int16, timeout int32, pid int64, epoch int16) int16 {
	c.t.Helper()
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis, req.ProducerID, req.ProducerEpoch = &c.id, timeout, pid, epoch
	resp := call[*kmsg.InitProducerIDResponse](c.t, c.conn, v, req)
	if resp.ErrorCode == 0 {
		c.pid, c.ep, c.seq = resp.ProducerID, resp.ProducerEpoch, map[string]int32{}
	}
	return resp.ErrorCode
}

// add puts partition 0 of topics into the transaction and returns each one's code.
func (c *txnConn) add(v int16, topics ...string) (codes []int16) {
	c.t.Helper()
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = c.id, c.pid, c.ep
	for _, topic := range topics {
		req.Topics = append(req.Topics, kmsg.AddPartitionsToTxnRequestTopic{Topic: topic, Partitions: []int32{0}})
	}
	for _, topic := range call[*kmsg.AddPartitionsToTxnResponse](c.t, c.conn, v, req).Topics {
		codes = append(codes, topic.Partitions[0].ErrorCode)
	}
	return codes
}

func (c *txnConn) addOffsets(v int16, group string) int16 {
	c.t.Helper()
	req := kmsg.NewPtrAddOffsetsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = c.id, c.pid, c.ep, group
	return call[*kmsg.AddOffsetsToTxnResponse](c.t, c.conn, v, req).ErrorCode
}

func (c *txnConn) commitOffset(v int16, group, topic string, offset int64) int16 {
	c.t.Helper()
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = c.id, c.pid, c.ep, group
	req.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: topic, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{{Offset: offset, LeaderEpoch: -1}}}}
	return call[*kmsg.TxnOffsetCommitResponse](c.t, c.conn, v, req).Topics[0].Partitions[0].ErrorCode
}

// put sends one transactional record to partition 0 of a topic.
func (c *txnConn) put(topic, value string) int16 {
	c.t.Helper()
	return c.putIn(9, topic, value)
}

func (c *txnConn) putIn(v int16, topic, value string) int16 {
	c.t.Helper()
	b := record.NewBuilder(64)
	b.Append(0, nil, []byte(value), 0, nil)
	now := time.Now().UnixMilli()
	batch, err := b.Seal(nil, record.Producer{ID: c.pid, Epoch: c.ep, Sequence: c.seq[topic]}, record.None, now, now)
	if err != nil {
		c.t.Fatal(err)
	}
	record.SetTransactional(batch)
	req := produceRequest(topic, 0, -1, batch)
	req.TransactionID = &c.id
	code := call[*kmsg.ProduceResponse](c.t, c.conn, v, req).Topics[0].Partitions[0].ErrorCode
	if code == 0 {
		c.seq[topic]++
	}
	return code
}

func (c *txnConn) end(v int16, commit bool) int16 {
	c.t.Helper()
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = c.id, c.pid, c.ep, commit
	return call[*kmsg.EndTxnResponse](c.t, c.conn, v, req).ErrorCode
}

// state is what DescribeTransactions says, with the number of its partitions.
func (c *txnConn) state() string {
	c.t.Helper()
	req := kmsg.NewPtrDescribeTransactionsRequest()
	req.TransactionalIDs = []string{c.id}
	s := call[*kmsg.DescribeTransactionsResponse](c.t, c.conn, 0, req).TransactionStates[0]
	n := 0
	for _, topic := range s.Topics {
		n += len(topic.Partitions)
	}
	return fmt.Sprintf("%s/%d/%d", s.State, n, s.ErrorCode)
}

func (c *txnConn) offset(group, topic string, stable bool) (int64, int16) {
	c.t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = stable
	req.Group, req.Topics = group, []kmsg.OffsetFetchRequestTopic{{Topic: topic, Partitions: []int32{0}}}
	p := call[*kmsg.OffsetFetchResponse](c.t, c.conn, 7, req).Topics[0].Partitions[0]
	return p.Offset, p.ErrorCode
}

func wantCodes(t *testing.T, what string, got []int16, want ...int16) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s answers %v, want %v", what, got, want)
	}
}

func TestATransactionsWholeLifeInEveryVersion(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1", "other:1"}})
	for v := range int16(6) {
		c := r.txnConn(fmt.Sprintf("life-%d", v))
		wantCode(t, "InitProducerId", v, c.askInit(v, 60_000, -1, -1), 0)
		for round := range 2 {
			wantCodes(t, "AddPartitionsToTxn", c.add(min(v, 3), "web_log", "other"), 0, 0)
			wantCode(t, "Produce", 9, c.put("web_log", "a"), 0)
			wantCode(t, "Produce", 9, c.put("other", "b"), 0)
			wantCode(t, "AddOffsetsToTxn", v, c.addOffsets(min(v, 4), "g"), 0)
			wantCode(t, "TxnOffsetCommit", v, c.commitOffset(min(v, 4), "g", "web_log", int64(100*v)+int64(round)), 0)
			if got := c.state(); got != "Ongoing/3/0" {
				t.Errorf("v%d: the open transaction is described as %s", v, got)
			}
			if _, code := c.offset("g", "web_log", true); code != 88 {
				t.Errorf("v%d: a stable offset is asked for while a transaction moves it: %d, want 88", v, code)
			}
			wantCode(t, "EndTxn", v, c.end(min(v, 4), round == 0), 0)
			if got, code := c.offset("g", "web_log", true); got != int64(100*v) || code != 0 {
				t.Errorf("v%d round %d: committed offset %d (%d), want %d", v, round, got, code, 100*v)
			}
		}
		if got := c.state(); got != "CompleteAbort/0/0" {
			t.Errorf("v%d: the aborted transaction is described as %s", v, got)
		}
	}
}

func TestTransactionsAreRefusedWithKafkasCodes(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1", "other:1"}})
	empty := ""
	for v := range int16(6) {
		anyone := r.txnConn(empty)
		wantCode(t, "InitProducerId of an empty id", v, anyone.askInit(v, 60_000, -1, -1), 42)
		anyone.id = "x"
		wantCode(t, "InitProducerId with a timeout of 0", v, anyone.askInit(v, 0, -1, -1), 50)
		wantCode(t, "InitProducerId with a timeout above the limit", v, anyone.askInit(v, 900_001, -1, -1), 50)
	}
	old := r.txnConn("orders").init()
	stranger := r.txnConn("nobody")
	stranger.pid, stranger.ep, stranger.seq = old.pid, 0, map[string]int32{}
	now := r.txnConn("orders").init()
	for v := range int16(5) {
		fenced := int16(90)
		if v < 2 {
			fenced = 47
		}
		wantCodes(t, "AddPartitionsToTxn of a fenced producer", old.add(min(v, 3), "web_log"), fenced)
		wantCode(t, "AddOffsetsToTxn of a fenced producer", v, old.addOffsets(v, "g"), fenced)
		wantCode(t, "EndTxn of a fenced producer", v, old.end(v, true), fenced)
		wantCodes(t, "AddPartitionsToTxn of nobody", stranger.add(min(v, 3), "web_log"), 49)
		wantCode(t, "AddOffsetsToTxn of nobody", v, stranger.addOffsets(v, "g"), 49)
		wantCode(t, "EndTxn of nobody", v, stranger.end(v, true), 49)
		wantCode(t, "EndTxn of nothing", v, now.end(v, true), 48)
		wantCode(t, "TxnOffsetCommit of a fenced producer", v, old.commitOffset(v, "g", "web_log", 1), 47)
		wantCode(t, "TxnOffsetCommit of nobody", v, stranger.commitOffset(v, "g", "web_log", 1), 49)
		outside := int16(48)
		if v >= 4 {
			outside = 120
		}
		wantCode(t, "TxnOffsetCommit outside a transaction", v, now.commitOffset(v, "g", "web_log", 1), outside)
		wantCodes(t, "AddPartitionsToTxn with one that is not there", now.add(min(v, 3), "web_log", "missing", "__consumer_offsets"), 55, 3, 29)
	}
	wantCode(t, "InitProducerId of a fenced producer", 3, old.askInit(3, 60_000, old.pid, old.ep), 47)
	wantCode(t, "InitProducerId of a fenced producer", 4, old.askInit(4, 60_000, old.pid, old.ep), 90)
	wantCode(t, "InitProducerId with an id and no epoch", 4, old.askInit(4, 60_000, old.pid, -1), 42)
	wantCode(t, "Produce outside a transaction", 9, now.put("web_log", "a"), 48)
	wantCode(t, "Produce outside a transaction", 11, now.putIn(11, "web_log", "a"), 120)
	wantCodes(t, "AddPartitionsToTxn", now.add(3, "web_log"), 0)
	wantCode(t, "Produce into a partition that was not added", 9, now.put("other", "a"), 48)
	wantCode(t, "Produce of a fenced producer", 9, old.put("web_log", "a"), 47)
	wantCode(t, "Produce of nobody", 9, stranger.put("web_log", "a"), 49)
	wantCode(t, "Produce", 9, now.put("web_log", "a"), 0)
	wantCode(t, "InitProducerId while a transaction is open", 4, r.txnConn("orders").askInit(4, 60_000, -1, -1), 51)
	wantCode(t, "Produce after it", 9, now.put("web_log", "a"), 47)
}

func TestTransactionsAreListedAndHungOnesEnded(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}})
	r.txnConn("open").init()
	open, idle := r.txnConn("open").init(), r.txnConn("idle").init()
	open.add(3, "web_log")
	wantCode(t, "Produce", 9, open.put("web_log", "a"), 0)
	list := func(change func(*kmsg.ListTransactionsRequest)) string {
		req := kmsg.NewPtrListTransactionsRequest()
		change(req)
		resp := call[*kmsg.ListTransactionsResponse](t, open.conn, 2, req)
		out := fmt.Sprint(resp.ErrorCode, resp.UnknownStateFilters)
		for _, s := range resp.TransactionStates {
			out += " " + s.TransactionalID + ":" + s.TransactionState
		}
		return out
	}
	pattern := func(p string) func(*kmsg.ListTransactionsRequest) {
		return func(q *kmsg.ListTransactionsRequest) { q.TransactionalIDPattern = &p }
	}
	for what, c := range map[string]struct {
		change func(*kmsg.ListTransactionsRequest)
		want   string
	}{
		"all":            {func(*kmsg.ListTransactionsRequest) {}, "0 [] idle:Empty open:Ongoing"},
		"by state":       {func(q *kmsg.ListTransactionsRequest) { q.StateFilters = []string{"Ongoing", "Dead"} }, "0 [] open:Ongoing"},
		"unknown states": {func(q *kmsg.ListTransactionsRequest) { q.StateFilters = []string{"Odd"} }, "0 [Odd]"},
		"by producer":    {func(q *kmsg.ListTransactionsRequest) { q.ProducerIDFilters = []int64{idle.pid} }, "0 [] idle:Empty"},
		"by time": {func(q *kmsg.ListTransactionsRequest) {
			q.DurationFilterMillis, q.StateFilters = 3_600_000, []string{"Ongoing"}
		}, "0 []"},
		"by pattern":       {pattern("o.*"), "0 [] open:Ongoing"},
		"a pattern's part": {pattern("pe"), "0 []"},
		"a bad pattern":    {pattern("("), "128 []"},
		"a huge pattern":   {pattern("(?:" + strings.Repeat("a?", 500) + "){1000}"), "128 []"},
	} {
		if got := list(c.change); got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
	twice := kmsg.NewPtrDescribeTransactionsRequest()
	twice.TransactionalIDs = []string{"open", "missing", "open"}
	if got := call[*kmsg.DescribeTransactionsResponse](t, open.conn, 0, twice).TransactionStates; len(got) != 2 {
		t.Errorf("an id named twice has %d answers with those of another", len(got))
	}
	markers := func(v int16, pid int64, epoch int16, topic string) int16 {
		req := kmsg.NewPtrWriteTxnMarkersRequest()
		m := kmsg.NewWriteTxnMarkersRequestMarker()
		m.ProducerID, m.ProducerEpoch, m.CoordinatorEpoch = pid, epoch, 0
		m.Topics = []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: topic, Partitions: []int32{0}}}
		req.Markers = append(req.Markers, m)
		return call[*kmsg.WriteTxnMarkersResponse](t, open.conn, v, req).Markers[0].Topics[0].Partitions[0].ErrorCode
	}
	wantCode(t, "WriteTxnMarkers for a topic that is not there", 1, markers(1, open.pid, open.ep, "missing"), 3)
	wantCode(t, "WriteTxnMarkers of no producer", 1, markers(1, -1, -1, "web_log"), -1)
	wantCode(t, "WriteTxnMarkers of an older epoch", 0, markers(0, open.pid, open.ep-1, "web_log"), 47)
	if n := len(r.values("web_log", kgo.ReadUncommitted(), 1)); n != 1 {
		t.Errorf("%d records", n)
	}
	wantCode(t, "WriteTxnMarkers", 1, markers(1, open.pid, open.ep, "web_log"), 0)
	wantCode(t, "WriteTxnMarkers again", 0, markers(0, open.pid, open.ep, "web_log"), 0)
}

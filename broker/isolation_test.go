package broker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// latestOffset asks where partition 0 ends for readers of an isolation level.
func latestOffset(t *testing.T, conn *kafka.Conn, topic string, isolation int8, ms int64) int64 {
	t.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	req.IsolationLevel = isolation
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Timestamp = ms
	req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: topic, Partitions: []kmsg.ListOffsetsRequestTopicPartition{p}}}
	got := call[*kmsg.ListOffsetsResponse](t, conn, 7, req).Topics[0].Partitions[0]
	if got.ErrorCode != 0 {
		t.Fatalf("the offset of %d: code %d", ms, got.ErrorCode)
	}
	return got.Offset
}

func TestReadersOfCommittedRecordsStopAtTheLastStableOffset(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}})
	conn, txn := r.dial(), r.txnConn("mover").init()
	ask := func(version int16, offset int64, committed bool, wait int32) kmsg.FetchResponseTopicPartition {
		req := fetchRequest("web_log", 0, offset, 1, wait)
		if committed {
			req.IsolationLevel = 1
		}
		if version >= 13 {
			t.Fatal("ids are another test's")
		}
		return call[*kmsg.FetchResponse](t, conn, version, req).Topics[0].Partitions[0]
	}
	want := func(what string, p kmsg.FetchResponseTopicPartition, high, stable int64, records bool, aborted string) {
		t.Helper()
		list := "none"
		if p.AbortedTransactions != nil {
			list = ""
			for _, a := range p.AbortedTransactions {
				list += fmt.Sprintf("%d ", a.FirstOffset)
			}
		}
		if p.ErrorCode != 0 || p.HighWatermark != high || p.LastStableOffset != stable || len(p.RecordBatches) > 0 != records || list != aborted {
			t.Errorf("%s: code %d, watermark %d, stable %d, %d bytes, aborted %q; want %d, %d, %v, %q",
				what, p.ErrorCode, p.HighWatermark, p.LastStableOffset, len(p.RecordBatches), list, high, stable, records, aborted)
		}
	}
	put(t, conn, 7, "web_log", 0, -1, seal(t, 2, record.NoProducer, record.None)) // 0, 1
	wantCodes(t, "adding", txn.add(0, "web_log"), 0)
	if code := txn.put("web_log", "first"); code != 0 { // 2
		t.Fatalf("code %d", code)
	}
	for version := int16(4); version <= 12; version++ {
		want("everything, while a transaction is open", ask(version, 0, false, 0), 3, 2, true, "none")
		want("up to the transaction", ask(version, 0, true, 0), 3, 2, true, "")
		want("the transaction, for everybody", ask(version, 2, false, 0), 3, 2, true, "none")
		want("the transaction, for readers of committed records", ask(version, 2, true, 0), 3, 2, false, "")
	}
	for isolation, end := range map[int8]int64{0: 3, 1: 2} {
		if got := latestOffset(t, conn, "web_log", isolation, -1); got != end {
			t.Errorf("isolation %d: latest is %d, want %d", isolation, got, end)
		}
	}
	if got := latestOffset(t, conn, "web_log", 1, time.Now().Add(-time.Minute).UnixMilli()); got != -1 {
		t.Errorf("a record of the open transaction was found by its time: offset %d", got)
	}
	if code := txn.end(1, false); code != 0 { // marker at 3
		t.Fatalf("ending: code %d", code)
	}
	eventually(t, "the abort", func() bool { return latestOffset(t, conn, "web_log", 1, -1) == 4 })
	want("an aborted transaction", ask(4, 0, true, 0), 4, 4, true, "2 ")
	first := fetchRequest("web_log", 0, 0, 1, 0)
	first.IsolationLevel, first.Topics[0].Partitions[0].PartitionMaxBytes = 1, 1
	want("a batch before it", get(t, conn, 11, first), 4, 4, true, "")
	want("behind its record", ask(12, 3, true, 0), 4, 4, true, "2 ")
	want("behind its marker", ask(12, 4, true, 0), 4, 4, false, "")
	want("for everybody", ask(12, 0, false, 0), 4, 4, true, "none")

	// Whoever waits at the last stable offset is woken when it rises.
	wantCodes(t, "adding", txn.add(0, "web_log"), 0)
	if code := txn.put("web_log", "second"); code != 0 { // 4
		t.Fatalf("code %d", code)
	}
	answered := make(chan kmsg.FetchResponseTopicPartition, 1)
	waiting := r.dial()
	began := time.Now()
	go func() {
		req := fetchRequest("web_log", 0, 4, 1, 20_000)
		req.IsolationLevel = 1
		answered <- get(t, waiting, 11, req)
	}()
	put(t, conn, 7, "web_log", 0, -1, seal(t, 1, record.NoProducer, record.None)) // 5: wakes nobody for good
	select {
	case p := <-answered:
		t.Fatalf("answered before the transaction ended: %+v", p)
	case <-time.After(100 * time.Millisecond):
	}
	if code := txn.end(1, true); code != 0 {
		t.Fatalf("ending: code %d", code)
	}
	want("after the commit", <-answered, 7, 7, true, "")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	// Old clients know no transactions: they get everything but markers.
	old := ask(2, 0, false, 0).RecordBatches
	var offsets []int64
	for _, m := range readOldSet(t, old, 1) {
		offsets = append(offsets, m.offset)
	}
	if fmt.Sprint(offsets) != "[0 1 2 4 5]" {
		t.Errorf("version 2 gets the offsets %v", offsets)
	}
	if p := ask(2, 3, false, 0); len(readOldSet(t, p.RecordBatches, 1)) != 2 {
		t.Errorf("version 2 from a marker on: %d bytes", len(p.RecordBatches))
	}
	if p := ask(2, 6, false, 50); p.ErrorCode != 0 || len(p.RecordBatches) != 0 {
		t.Errorf("version 2 from the last marker on: code %d, %d bytes", p.ErrorCode, len(p.RecordBatches))
	}
}

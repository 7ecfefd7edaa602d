package broker_test

import (
	"net"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Consumers of many partitions send large requests and let them wait: that must not use up the memory for requests, or
// nobody could produce what they wait for.
func TestWaitingFetchesLeaveRoomForProducers(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"},
		Settings: map[string]string{"queued.max.request.bytes": "3000000", "socket.request.max.bytes": "1000000"}})
	req := fetchRequest("web_log", 0, 0, 1<<30, 60_000)
	p := req.Topics[0].Partitions[0]
	for range 5000 {
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, p)
	}
	req.SetVersion(3)
	frame := kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)
	for range 40 {
		conn, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write(frame); err != nil {
			t.Fatal(err)
		}
	}
	batch := seal(t, 1, record.NoProducer, record.None)
	big := produceRequest("web_log", 0, 1, batch)
	for range 20_000 { // a large frame of refused partitions
		big.Topics[0].Partitions = append(big.Topics[0].Partitions, kmsg.ProduceRequestTopicPartition{Partition: 7, Records: batch[:20]})
	}
	conn := r.dial()
	began := time.Now()
	for range 5 {
		if got := call[*kmsg.ProduceResponse](t, conn, 3, big).Topics[0].Partitions[0]; got.ErrorCode != 0 {
			t.Fatalf("code %d", got.ErrorCode)
		}
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("five batches took %s", took)
	}
}

// Consumers of fewer partitions, each request too small to be asked about, hold as much together. Others are answered all
// the same, at once and not when the first of them has waited long enough.
func TestManySmallWaitingFetchesLeaveRoomForAnswers(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:100", "other:1"},
		Settings: map[string]string{"queued.max.request.bytes": "4000000", "socket.request.max.bytes": "1000000"}})
	req := fetchRequest("web_log", 0, 0, 1<<30, 60_000)
	for p := range int32(99) {
		again := req.Topics[0].Partitions[0]
		again.Partition = p + 1
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, again)
	}
	req.SetVersion(4)
	frame := kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)
	for range 150 {
		conn, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write(frame); err != nil {
			t.Fatal(err)
		}
	}
	conn := r.dial()
	call[*kmsg.ProduceResponse](t, conn, 3, produceRequest("other", 0, 1, seal(t, 1, record.NoProducer, record.None)))
	began := time.Now()
	for range 10 {
		if r.clusterID() == "" {
			t.Fatal("no answer")
		}
		old := call[*kmsg.FetchResponse](t, conn, 2, fetchRequest("other", 0, 0, 1, 1000)) // is converted in memory
		if len(old.Topics[0].Partitions[0].RecordBatches) == 0 {
			t.Fatal("an old client gets no record, there is no room")
		}
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("ten requests took %s", took)
	}
}

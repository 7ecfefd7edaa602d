package handle

import (
	"encoding/binary"
	"testing"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// producing is a Produce request of one batch, named for so many times for each of these partitions.
func producing(acks int16, batch []byte, partitions ...int32) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.SetVersion(8)
	req.Acks, req.TimeoutMillis = acks, 5000
	topic := kmsg.ProduceRequestTopic{Topic: "web_log"}
	for _, p := range partitions {
		topic.Partitions = append(topic.Partitions, kmsg.ProduceRequestTopicPartition{Partition: p, Records: batch})
	}
	req.Topics = append(req.Topics, topic)
	return req
}

// A small request with many small batches of many wrong records must not become an answer a thousand times its size.
func TestAnswersNameABoundedNumberOfRecords(t *testing.T) {
	h, _ := oldTopic(t, 1)
	b := record.NewBuilder(1 << 20)
	for range 2000 {
		b.Append(0, nil, nil, 0, nil)
	}
	const farAhead = 1 << 50
	batch, err := b.Seal(nil, record.NoProducer, record.Gzip, farAhead, farAhead)
	if err != nil {
		t.Fatal(err)
	}
	req := producing(1, batch, make([]int32, 100)...)
	body := req.AppendTo(nil)
	_, reply, err := h.Handle(t.Context(), frameOf(t, kmsg.Produce, 8, body), NewSession(Peer{}, nil))
	if err != nil {
		t.Fatal(err)
	}
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	if err := resp.ReadFrom(reply.(bytesReply)[8:]); err != nil {
		t.Fatal(err)
	}
	named := 0
	for i, p := range resp.Topics[0].Partitions {
		if named += len(p.ErrorRecords); p.ErrorCode != errInvalidTimestamp {
			t.Fatalf("partition %d: code %d, want %d", i, p.ErrorCode, errInvalidTimestamp)
		}
	}
	if named != mostFaults {
		t.Errorf("%d records are named in %d bytes, for a request of %d; want %d", named, len(reply.(bytesReply)), len(body), mostFaults)
	}
}

// Without acks an error closes the connection, but takes nothing from the partitions beside it.
func TestProducingWithoutAcksAppendsWhatItCan(t *testing.T) {
	h, topic := oldTopic(t, 2)
	req := producing(0, lines(t, record.None, "a"), 0, 7, 1)
	_, reply, err := h.Handle(t.Context(), frameOf(t, kmsg.Produce, 8, req.AppendTo(nil)), NewSession(Peer{}, nil))
	if reply != nil || err == nil {
		t.Errorf("an unknown partition without acks: %v, %v; want an error alone", reply, err)
	}
	for i := range int32(2) {
		if end := topic.Partition(i).Log.End(); end != 1 {
			t.Errorf("partition %d ends at %d, want 1", i, end)
		}
	}
}

// Kafka's clients read lengths of at most five bytes; a batch with a longer form of one would stop them.
func TestLengthsInALongerFormAreRefused(t *testing.T) {
	long := []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x00}
	sound := []byte{0, 0, 0, 0, 0, 0} // attributes, time, number, no bytes of key and value, no headers
	header := lines(t, record.None, "")[:record.HeaderSize]
	pack := func(rec, size []byte) []byte {
		batch := append(append(header[:record.HeaderSize:record.HeaderSize], size...), rec...)
		binary.BigEndian.PutUint32(batch[8:], uint32(len(batch)-12))
		record.SetMaxTime(batch, 10)
		return batch
	}
	var tool tool
	if _, err := tool.Check(pack(sound, []byte{12}), 1<<20); err != nil {
		t.Fatal(err)
	}
	if _, err := tool.Check(pack(sound, []byte{0x8c, 0x80, 0x80, 0x80, 0x80, 0x00}), 1<<20); err == nil {
		t.Error("a record's size of six bytes is taken")
	}
	for field := 2; field < len(sound); field++ {
		rec := append(append(append([]byte{}, sound[:field]...), long...), sound[field+1:]...)
		if _, err := tool.Check(pack(rec, []byte{byte(2 * len(rec))}), 1<<20); err == nil {
			t.Errorf("field %d of a record in six bytes is taken", field)
		}
	}
}

package handle

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/broker/wire"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetchOnce sends a Fetch request of a version for partition 0 and returns the part of the answer about it.
func fetchOnce(t *testing.T, h *Handlers, version int16) kmsg.FetchResponseTopicPartition {
	t.Helper()
	p := kmsg.NewFetchRequestTopicPartition()
	p.PartitionMaxBytes = 1 << 20
	return fetchAll(t, h, version, p)[0]
}

// fetchAll is fetchOnce for several partitions.
func fetchAll(t *testing.T, h *Handlers, version int16, asked ...kmsg.FetchRequestTopicPartition) []kmsg.FetchResponseTopicPartition {
	t.Helper()
	req := kmsg.NewPtrFetchRequest()
	req.SetVersion(version)
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = int32(fetchPatience.Milliseconds()), 1, 1<<20
	req.Topics = []kmsg.FetchRequestTopic{{Topic: "web_log", Partitions: asked}}
	_, reply, err := h.Handle(t.Context(), frameOf(t, kmsg.Fetch, version, req.AppendTo(nil)), NewSession(Peer{}, nil))
	if err != nil {
		t.Fatal(err)
	}
	client, server := net.Pipe()
	defer client.Close()
	sent := make(chan error, 1)
	go func() {
		sent <- reply.Send(t.Context(), wire.NewOut(server))
		server.Close()
	}()
	b, err := io.ReadAll(client)
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	resp := req.ResponseKind().(*kmsg.FetchResponse)
	if err != nil || int(binary.BigEndian.Uint32(b)) != len(b)-4 || resp.ReadFrom(b[8:]) != nil {
		t.Fatalf("the answer is %x, %v", b, err)
	}
	return resp.Topics[0].Partitions
}

// Answers in old formats lie in memory until their clients have taken them. When there are as many as there may be, the next
// client gets none for now; those of newer versions are not held up.
func TestConvertedAnswersShareTheirRoom(t *testing.T) {
	opened, err := topics.Open(topics.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	topic, err := opened.Create("web_log", 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	batch := sealed(t, record.Snappy)
	record.SetProducer(batch, record.NoProducer)
	if _, err := topic.Partition(0).Log.Append(bytes.Clone(batch)); err != nil {
		t.Fatal(err)
	}
	h := New(Config{Topics: opened})
	if !h.converted.TryAcquire(convertedRoom) { // others are being sent
		t.Fatal("there is no room at the start")
	}
	if p := fetchOnce(t, h, 4); p.ErrorCode != 0 || len(p.RecordBatches) != len(batch) {
		t.Errorf("version 4 beside others: code %d, %d bytes", p.ErrorCode, len(p.RecordBatches))
	}
	began := time.Now()
	if p := fetchOnce(t, h, 3); p.ErrorCode != 0 || len(p.RecordBatches) != 0 || p.HighWatermark != 3 {
		t.Errorf("version 3 beside others: code %d, %d bytes, watermark %d", p.ErrorCode, len(p.RecordBatches), p.HighWatermark)
	}
	if took := time.Since(began); took < roomPatience {
		t.Errorf("it waited %s for room, want %s", took, roomPatience)
	}
	h.converted.Release(convertedRoom)
	if p := fetchOnce(t, h, 3); p.ErrorCode != 0 || len(p.RecordBatches) == 0 {
		t.Errorf("version 3 alone: code %d, %d bytes", p.ErrorCode, len(p.RecordBatches))
	}
	if !h.converted.TryAcquire(convertedRoom) {
		t.Error("an answer that is sent keeps its room")
	}
}

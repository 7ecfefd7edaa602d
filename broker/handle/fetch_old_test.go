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

// fetchAll sends a Fetch request of a version and returns the parts of the answer about each partition.
func fetchAll(t *testing.T, h *Handlers, version int16, asked ...kmsg.FetchRequestTopicPartition) []kmsg.FetchResponseTopicPartition {
	t.Helper()
	return fetchBeside(t, h, wire.NewUnsent(64<<20), version, asked...)
}

// fetchBeside is fetchAll among other answers.
func fetchBeside(t *testing.T, h *Handlers, others *wire.Unsent, version int16, asked ...kmsg.FetchRequestTopicPartition) []kmsg.FetchResponseTopicPartition {
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
		out := wire.NewOut(server)
		defer out.Share(others)()
		sent <- reply.Send(t.Context(), out)
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
	room := wire.NewUnsent(64 << 20)
	_, silent := net.Pipe()
	defer silent.Close()
	other := wire.NewOut(silent)
	defer other.Share(room)()
	other.Hold(64 << 20) // waits for something else than its client
	p := kmsg.NewFetchRequestTopicPartition()
	p.PartitionMaxBytes = 1 << 20
	if p := fetchBeside(t, h, room, 4, p)[0]; p.ErrorCode != 0 || len(p.RecordBatches) != len(batch) {
		t.Errorf("version 4 beside others: code %d, %d bytes", p.ErrorCode, len(p.RecordBatches))
	}
	began := time.Now()
	if p := fetchBeside(t, h, room, 3, p)[0]; p.ErrorCode != 0 || len(p.RecordBatches) != 0 || p.HighWatermark != 3 {
		t.Errorf("version 3 beside others: code %d, %d bytes, watermark %d", p.ErrorCode, len(p.RecordBatches), p.HighWatermark)
	}
	if took := time.Since(began); took < roomPatience {
		t.Errorf("it waited %s for room, want %s", took, roomPatience)
	}
	other.Release(64 << 20)
	if p := fetchBeside(t, h, room, 3, p)[0]; p.ErrorCode != 0 || len(p.RecordBatches) == 0 {
		t.Errorf("version 3 alone: code %d, %d bytes", p.ErrorCode, len(p.RecordBatches))
	}
	if held, _ := room.Held(); held != 0 {
		t.Errorf("an answer that is sent keeps %d bytes of the room", held)
	}
}

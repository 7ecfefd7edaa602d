package broker_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// tiny is a sound batch of so many records of seven bytes.
func tiny(t *testing.T, codec record.Codec, n int) []byte {
	t.Helper()
	b := record.NewBuilder(8 * n)
	for range n {
		b.Append(0, nil, nil, 0, nil)
	}
	batch, err := b.Seal(nil, record.NoProducer, codec, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

// crowd has so many clients do the same at once, and says how much memory that took.
func crowd(r *running, many int, do func(conn *kafka.Conn)) int64 {
	var clients sync.WaitGroup
	risen := memory()
	for range many {
		conn := r.dial()
		clients.Go(func() { do(conn) })
	}
	clients.Wait()
	return risen()
}

// untilConverted asks until there is an answer with records: while others are converted there may be none.
func untilConverted(t *testing.T, conn *kafka.Conn, version int16, topic string) {
	t.Helper()
	for range 20 {
		got := get(t, conn, version, fetchRequest(topic, 0, 0, 1<<20, 0))
		if got.ErrorCode != 0 {
			t.Errorf("%s in version %d: code %d", topic, version, got.ErrorCode)
		}
		if got.ErrorCode != 0 || len(got.RecordBatches) > 0 {
			return
		}
	}
	t.Errorf("%s in version %d: never any records", topic, version)
}

// What a broker has taken it must be able to hand out: batches that are just not too large, by whatever way they are
// unpacked, and however many clients ask at once.
func TestStoredBombsAreNotUnpackedIntoMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it unpacks gigabytes, which takes minutes under the race detector; left to go test without -short")
	}
	const most = 450 << 20 // one is unpacked at a time; half of it is for the collector
	r := start(t, broker.Config{CreateTopics: []string{"large:1"}})
	conn := r.dial()
	createTopic(t, conn, "packed", "compression.type", "zstd")
	createTopic(t, conn, "tiny", "max.message.bytes", "20000000")
	createTopic(t, conn, "plain", "compression.type", "uncompressed")
	messages := oldMessage(0, 0, int8(record.Gzip), 0, nil, pack(t, record.Gzip, bytes.Repeat(oldMessage(0, 0, 0, 0, nil, nil), 2_300_000)))
	large := bomb(t, record.Gzip, 60<<20, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
	for topic, batch := range map[string][]byte{"large": large, "tiny": tiny(t, record.Gzip, 4_000_000)} {
		if got := put(t, conn, 8, topic, 0, -1, batch); got.ErrorCode != 0 {
			t.Fatalf("%s: code %d for %d bytes", topic, got.ErrorCode, len(batch))
		}
	}
	leave := r.neighbour()
	for name, do := range map[string]func(conn *kafka.Conn){
		"fetched as format 0": func(conn *kafka.Conn) {
			untilConverted(t, conn, 1, "large")
		},
		"many records fetched as format 1": func(conn *kafka.Conn) {
			untilConverted(t, conn, 3, "tiny")
		},
		"asked for a time": func(conn *kafka.Conn) {
			req := kmsg.NewPtrListOffsetsRequest()
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Timestamp, p.CurrentLeaderEpoch = 1, -1
			req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "large", Partitions: []kmsg.ListOffsetsRequestTopicPartition{p}}}
			if got := call[*kmsg.ListOffsetsResponse](t, conn, 1, req).Topics[0].Partitions[0]; got.ErrorCode != 0 || got.Offset != 0 {
				t.Errorf("asked for a time: code %d, offset %d", got.ErrorCode, got.Offset)
			}
		},
		"many messages packed anew": func(conn *kafka.Conn) {
			if got := put(t, conn, 1, "packed", 0, 1, messages); got.ErrorCode != 10 { // numbered, they are more than max.message.bytes
				t.Errorf("many messages packed anew: code %d, want 10", got.ErrorCode)
			}
		},
		"packed anew": func(conn *kafka.Conn) {
			if got := put(t, conn, 8, "packed", 0, 1, large); got.ErrorCode != 0 {
				t.Errorf("packed anew: code %d", got.ErrorCode)
			}
		},
		"unpacked": func(conn *kafka.Conn) {
			if got := put(t, conn, 8, "plain", 0, 1, large); got.ErrorCode != 10 {
				t.Errorf("unpacked: code %d, want 10", got.ErrorCode)
			}
		},
	} {
		began := time.Now()
		many, most := 8, int64(most)
		if name == "asked for a time" {
			many, most = 20, 600<<20 // two at a time
		}
		used := crowd(r, many, do)
		t.Logf("%s: %d MiB, %s", name, used>>20, time.Since(began))
		wantMemory(t, used, most)
	}
	leave()
}

// Packed bytes that make work and no records.
func TestBombsOfWorkEndSoon(t *testing.T) {
	if testing.Short() {
		t.Skip("under the race detector everything is work; left to go test without -short")
	}
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}})
	var frame, member, content bytes.Buffer
	w := lz4.NewWriter(&frame)
	if err := w.Apply(lz4.BlockSizeOption(lz4.Block4Mb), lz4.ChecksumOption(false)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	gzip.NewWriter(&member).Close()
	z, err := zstd.NewWriter(&content)
	if err != nil {
		t.Fatal(err)
	}
	z.Write([]byte{0})
	z.Close()
	says64 := binary.LittleEndian.AppendUint32([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0}, 60<<20) // a frame of one segment that says its content
	says64 = append(says64, 0x01, 0x00, 0x00)
	block := s2.EncodeSnappy(nil, nil)
	xerial := append([]byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"), bytes.Repeat(append(binary.BigEndian.AppendUint32(nil, uint32(len(block))), block...), 150_000)...)
	messages := bytes.Repeat(oldMessage(0, 0, 0, 0, nil, nil), 38_000)
	for name, c := range map[string]struct {
		codec  record.Codec
		packed []byte
	}{
		"lz4 frames":           {record.Lz4, bytes.Repeat(frame.Bytes(), 1_000_000/frame.Len())},
		"gzip members":         {record.Gzip, bytes.Repeat(member.Bytes(), 1_000_000/member.Len())},
		"zstd frames":          {record.Zstd, bytes.Repeat(content.Bytes(), 1_000_000/content.Len())},
		"zstd that says 60 MB": {record.Zstd, bytes.Repeat(says64, 1_000_000/len(says64))},
		"snappy blocks":        {record.Snappy, xerial},
	} {
		batch := packedBatch(t, c.codec, c.packed)
		began := time.Now()
		used := crowd(r, 20, func(conn *kafka.Conn) {
			if got := put(t, conn, 8, "web_log", 0, 1, batch); got.ErrorCode == 0 {
				t.Errorf("%s: taken", name)
			}
		})
		t.Logf("%s: %d MiB, %s", name, used>>20, time.Since(began))
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s kept the broker busy for %s", name, took)
		}
		wantMemory(t, used, 450<<20)
	}
	began := time.Now()
	used := crowd(r, 20, func(conn *kafka.Conn) {
		if got := put(t, conn, 1, "web_log", 0, 1, messages); got.ErrorCode != 0 {
			t.Errorf("many messages: code %d", got.ErrorCode)
		}
	})
	t.Logf("many messages: %d MiB, %s", used>>20, time.Since(began))
}

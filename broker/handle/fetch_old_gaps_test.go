package handle

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// oldTopic is handlers with one topic of so many partitions.
func oldTopic(t *testing.T, partitions int) (*Handlers, *topics.Topic) {
	t.Helper()
	opened, err := topics.Open(topics.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { opened.Close() })
	topic, err := opened.Create("web_log", partitions, nil)
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{Topics: opened}), topic
}

// lines is a batch of one record a value.
func lines(t *testing.T, codec record.Codec, values ...string) []byte {
	t.Helper()
	b := record.NewBuilder(256)
	for _, v := range values {
		b.Append(0, nil, []byte(v), 0, nil)
	}
	batch, err := b.Seal(nil, record.NoProducer, codec, 10, 10)
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

func appendTo(t *testing.T, log *commitlog.Log, batch []byte) {
	t.Helper()
	if _, err := log.Append(batch); err != nil {
		t.Fatal(err)
	}
}

// firstOf keeps the first record of a batch, as compaction may.
func firstOf(t *testing.T, batch []byte) []byte {
	t.Helper()
	out, _, err := new(record.Sieve).Sift(nil, batch, 1<<20, 0, false, func(r *record.Record) bool { return r.Offset == 0 })
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func asked(partition int32, offset int64, most int32) kmsg.FetchRequestTopicPartition {
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, offset, most
	return p
}

// A partition in which nothing but markers is left takes nothing away from those behind it in the request.
func TestOldFetchesGiveEachPartitionItsOwn(t *testing.T) {
	h, topic := oldTopic(t, 3)
	if _, err := topic.Partition(0).Log.AppendMarker(commitlog.Marker{ProducerID: 5, Commit: true}); err != nil {
		t.Fatal(err)
	}
	appendTo(t, topic.Partition(1).Log, lines(t, record.None, "one"))
	appendTo(t, topic.Partition(2).Log, lines(t, record.None, "two"))
	for i, p := range fetchAll(t, h, 3, asked(0, 0, 1000), asked(1, 0, 1000), asked(2, 0, 1000)) {
		want := [][]byte{nil, []byte("one"), []byte("two")}[i]
		if p.ErrorCode != 0 || !bytes.HasSuffix(p.RecordBatches, want) || (len(p.RecordBatches) == 0) != (want == nil) {
			t.Errorf("partition %d: code %d, %q, want %q", i, p.ErrorCode, p.RecordBatches, want)
		}
	}
}

// A client of an old version goes on behind the last record it gets. Where compaction has taken the end of a batch away it
// must get what follows, not the same batch for ever.
func TestOldFetchesGoOnBehindCompactedBatches(t *testing.T) {
	for _, codec := range []record.Codec{record.None, record.Gzip, record.Snappy, record.Lz4} {
		h, topic := oldTopic(t, 1)
		appendTo(t, topic.Partition(0).Log, firstOf(t, lines(t, codec, "a", "b", "c")))
		appendTo(t, topic.Partition(0).Log, lines(t, codec, "d"))
		for _, version := range []int16{0, 3} {
			p := fetchAll(t, h, version, asked(0, 1, 1))[0]
			if len(p.RecordBatches) < 8 || binary.BigEndian.Uint64(p.RecordBatches) != 3 {
				t.Errorf("%s, version %d, from offset 1: code %d, %x; want the message at 3", codec, version, p.ErrorCode, p.RecordBatches)
			}
		}
	}
}

// When nothing that is left can be shown, the client waits as long as it said it would, and does not ask in a circle.
func TestOldFetchesWaitBehindEmptyBatches(t *testing.T) {
	h, topic := oldTopic(t, 1)
	log := topic.Partition(0).Log
	empty, err := record.AppendEmpty(nil, lines(t, record.None, "a"))
	if err != nil {
		t.Fatal(err)
	}
	for name, batch := range map[string][]byte{"a batch without records": empty, "the end of a batch": firstOf(t, lines(t, record.Gzip, "a", "b"))} {
		appendTo(t, log, batch)
		began := time.Now()
		if p := fetchAll(t, h, 3, asked(0, int64(log.End())-1, 1000))[0]; p.ErrorCode != 0 || len(p.RecordBatches) != 0 {
			t.Errorf("%s: code %d, %x", name, p.ErrorCode, p.RecordBatches)
		}
		if took := time.Since(began); took < fetchPatience {
			t.Errorf("%s: answered after %s, want %s", name, took, fetchPatience)
		}
	}
}

// fetchPatience is how long fetchAll's requests wait.
const fetchPatience = 50 * time.Millisecond

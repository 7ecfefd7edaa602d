package txn

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/loghaul/loghaul/internal/record"
)

// newBatch is a batch of one record.
func newBatch(t *testing.T, key, value []byte) []byte {
	t.Helper()
	b := record.NewBuilder(64)
	if value == nil {
		b.AppendTombstone(0, key)
	} else {
		b.Append(0, key, value, 0, nil)
	}
	batch, err := b.Seal(nil, record.NoProducer, record.None, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

func TestOlderKafkasRecordsAreRead(t *testing.T) {
	v := kmsg.TxnMetadataValue{Version: 0, ProducerID: 4711, ProducerEpoch: 3, TimeoutMillis: 60000, State: 1, LastUpdateTimestamp: 2, StartTimestamp: 1,
		Topics: []kmsg.TxnMetadataValueTopic{{Topic: "a", Partitions: []int32{0, 1}}}}
	tx := newTransaction(nil, "x")
	if err := decodeValue(v.AppendTo(nil), tx); err != nil {
		t.Fatal(err)
	}
	if tx.state != Ongoing || tx.producer != (Producer{4711, 3}) || !tx.partitions[a0] || !tx.partitions[a1] || tx.lastEpoch != -1 || tx.timeout != minute {
		t.Fatalf("read %+v", tx)
	}
}

func TestAnEmptyTransactionHasNoListOfPartitionsAsInKafka(t *testing.T) {
	tx := newTransaction(nil, "x")
	tx.producer = Producer{1, 0}
	var v kmsg.TxnMetadataValue
	if err := v.ReadFrom(encodeValue(tx)); err != nil || v.Topics != nil {
		t.Fatalf("%v, %v", v.Topics, err)
	}
	tx.state = CompleteCommit
	if err := v.ReadFrom(encodeValue(tx)); err != nil || v.Topics == nil {
		t.Fatalf("%v, %v", v.Topics, err)
	}
}

// Whatever is read is written again as it was, and nothing makes the reader fall over.
func FuzzDecode(f *testing.F) {
	tx := newTransaction(nil, "x")
	tx.state, tx.producer, tx.previous, tx.lastEpoch = Ongoing, Producer{7, 3}, 5, 2
	tx.partitions[a0], tx.partitions[a1], tx.partitions[b0] = true, true, true
	f.Add(encodeKey("x"), encodeValue(tx))
	tx.state, tx.partitions = Empty, map[Partition]bool{}
	f.Add(encodeKey("another id"), encodeValue(tx))
	f.Add([]byte{0, 0, 0, 0}, []byte{0, 1})
	f.Add([]byte{}, []byte{})
	f.Add([]byte("0101"), []byte("\x00\x01\x00\x00\x00\x00\x00\x00\x00\a\x00\x03\x00\x00\x00\x00\x01\x03\x02a\x03\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x02\x00\b\x00\x00\x00")) // 4e9 tags
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if id, err := decodeKey(key); err == nil && !bytes.HasPrefix(key, encodeKey(id)) {
			t.Fatalf("key %x reads as %q, which is written %x", key, id, encodeKey(id))
		}
		one, two := newTransaction(nil, "x"), newTransaction(nil, "x")
		if decodeValue(value, one) != nil {
			return
		}
		written := encodeValue(one)
		if err := decodeValue(written, two); err != nil {
			t.Fatalf("%x is read, and what is written of it (%x) is not: %v", value, written, err)
		}
		if again := encodeValue(two); !bytes.Equal(written, again) {
			t.Fatalf("%x is written as %x, then as %x", value, written, again)
		}
	})
}

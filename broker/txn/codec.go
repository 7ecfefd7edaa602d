package txn

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The log holds Kafka's records: key TransactionLogKey version 0 (the id), value TransactionLogValue version 1:
//
//	key    │ version i16 = 0 │ transactional id: length i16, bytes │
//	value  │ version i16 = 1 │ producer id i64 │ epoch i16 │ timeout i32 (ms) │ state i8 │
//	       │ partitions by topic, null in state Empty │ last update i64 │ start i64 │ tags │
//
// Tag 0 is Kafka's, the producer id before. Tag tagLastEpoch is ours: the epoch before, i16, so that InitProducerId may
// be asked again over a restart. Kafka's readers pass over tags they do not know.
const (
	keyVersion   = 0
	valueVersion = 1
	tagPrevious  = 0
	tagLastEpoch = 7001
)

func encodeKey(id ID) []byte {
	k := kmsg.TxnMetadataKey{Version: keyVersion, TransactionalID: string(id)}
	return k.AppendTo(nil)
}

// encodeValue is a transaction, locked, as it is stored.
func encodeValue(t *transaction) []byte {
	v := kmsg.NewTxnMetadataValue()
	v.Version = valueVersion
	v.ProducerID, v.ProducerEpoch = int64(t.producer.ID), t.producer.Epoch
	v.TimeoutMillis, v.State = int32(t.timeout.Milliseconds()), kmsg.TransactionState(t.state)
	v.LastUpdateTimestamp, v.StartTimestamp = t.updated, t.started
	v.PreviousProducerID = int64(t.previous)
	if t.lastEpoch >= 0 {
		v.UnknownTags.Set(tagLastEpoch, binary.BigEndian.AppendUint16(nil, uint16(t.lastEpoch)))
	}
	if t.state != Empty {
		v.Topics = []kmsg.TxnMetadataValueTopic{}
	}
	for _, p := range slices.SortedFunc(slices.Values(t.names()), comparePartitions) {
		if n := len(v.Topics); n == 0 || v.Topics[n-1].Topic != p.Topic {
			topic := kmsg.NewTxnMetadataValueTopic()
			topic.Topic = p.Topic
			v.Topics = append(v.Topics, topic)
		}
		last := &v.Topics[len(v.Topics)-1]
		last.Partitions = append(last.Partitions, p.Index)
	}
	return v.AppendTo(nil)
}

func comparePartitions(a, b Partition) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Index, b.Index))
}

package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/loghaul/loghaul/broker/kraft"
	"github.com/loghaul/loghaul/broker/statelog"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/broker/txn"
	"github.com/loghaul/loghaul/internal/record"
)

// gather brings the state of groups or transactions that a Kafka kept in many partitions into partition 0, where this
// broker keeps all of it. What is copied is durable before the old records are let go of, so a start that is cut short
// does it once more; nobody is served meanwhile.
func (b *Broker) gather(ctx context.Context, t *topics.Topics, topic *topics.Topic) error {
	target := b.stateLog(t, topic)
	w := statelog.NewWriter(statelog.Config{Name: topic.Name}, target)
	from, records := 0, 0
	for _, p := range topic.Partitions()[1:] {
		if p.Log.Start() == p.Log.End() {
			continue
		}
		var k keyed
		if err := (groupsLog{log: p.Log, tell: t.Damaged}).Replay(ctx, k.take); err != nil {
			return fmt.Errorf("taking over %s: %w", p.Log.Name(), err)
		}
		n, last, err := k.write(w)
		if err == nil && n > 0 {
			err = target.WaitDurable(ctx, last)
		}
		if err == nil {
			err = p.Log.DeleteBefore(p.Log.HighWatermark())
		}
		if err != nil {
			return fmt.Errorf("taking over %s: %w", p.Log.Name(), err)
		}
		from, records = from+1, records+n
	}
	if from > 0 {
		b.cfg.Logger.Info("took over the state that a Kafka kept in many partitions", "topic", topic.Name, "partitions", from, "records", records,
			"note", "it lies in partition 0 from now on: a Kafka that is started in this folder again does not find it there, and needs its groups' offsets set anew")
	}
	return nil
}

// keyed is the last record of each key of a partition, in the order of the log.
type keyed struct {
	reader record.Reader
	last   map[string]value
	open   map[int64]*pending // records of transactions that have not ended, by producer
}

type value struct {
	at    record.Offset
	bytes []byte // nil: the key is deleted
}

type pending struct {
	producer record.Producer
	entries  []statelog.Entry
	at       record.Offset
}

// largestState bounds one batch of a Kafka's state, unpacked.
const largestState = 64 << 20

// take takes one batch. What a transaction wrote counts from its end on, if that is a commit.
func (k *keyed) take(batch []byte) error {
	if k.last == nil {
		k.last, k.open = map[string]value{}, map[int64]*pending{}
	}
	h, err := record.ParseHeader(batch)
	if err != nil {
		return err
	}
	if !record.CheckCRC(batch) {
		return fmt.Errorf("the batch at offset %d has a bad checksum", h.BaseOffset)
	}
	return k.reader.Read(batch, largestState, func(r *record.Record) error {
		switch {
		case h.Control():
			return k.end(h, r)
		case h.Transactional():
			t := k.open[h.ProducerID]
			if t == nil {
				t = &pending{at: r.Offset}
				k.open[h.ProducerID] = t
			}
			t.producer = record.Producer{ID: h.ProducerID, Epoch: h.ProducerEpoch, Sequence: -1}
			t.entries = append(t.entries, statelog.Entry{Key: slices.Clone(r.Key), Value: slices.Clone(r.Value)})
		default:
			k.set(r.Key, r.Value, r.Offset)
		}
		return nil
	})
}

// end ends a transaction as its marker says.
func (k *keyed) end(h record.Header, r *record.Record) error {
	var key kmsg.ControlRecordKey
	if err := key.ReadFrom(r.Key); err != nil {
		return fmt.Errorf("reading a marker's key: %w", err)
	}
	if t := k.open[h.ProducerID]; t != nil && key.Type == kmsg.ControlRecordKeyTypeCommit {
		for _, e := range t.entries {
			k.set(e.Key, e.Value, r.Offset)
		}
	}
	delete(k.open, h.ProducerID)
	return nil
}

// set remembers a record. One that deletes its key is copied too: partition 0 may hold the key from an earlier take-over.
func (k *keyed) set(key, v []byte, at record.Offset) {
	k.last[string(key)] = value{at, slices.Clone(v)}
}

// write appends what counts, then what open transactions hold, in their names.
func (k *keyed) write(w *statelog.Writer) (records int, last record.Offset, err error) {
	keys := slices.SortedFunc(maps.Keys(k.last), func(a, b string) int { return int(k.last[a].at - k.last[b].at) })
	entries := make([]statelog.Entry, 0, len(keys))
	for _, key := range keys {
		entries = append(entries, statelog.Entry{Key: []byte(key), Value: k.last[key].bytes})
	}
	last = -1
	if len(entries) > 0 {
		if last, err = w.AppendAs(record.NoProducer, entries, nil); err != nil {
			return 0, last, err
		}
	}
	records = len(entries)
	for _, t := range slices.SortedFunc(maps.Values(k.open), func(a, b *pending) int { return int(a.at - b.at) }) {
		if last, err = w.AppendAs(t.producer, t.entries, nil); err != nil {
			return records, last, err
		}
		records += len(t.entries)
	}
	return records, last, nil
}

// apartFromKafka is how far above a Kafka's producer ids those of this broker begin: the Kafka may be started here again
// and goes on with its own, and a new producer must not be taken for an old one, whose batches would be its duplicates.
const apartFromKafka = 1 << 32

// kafkaProducerID is above every producer id that a Kafka has handed to its brokers, in blocks, and will hand out; 0 when
// there was none, or when this broker has begun to give out its own.
func (b *Broker) kafkaProducerID(ids string) txn.ProducerID {
	if _, err := b.cfg.Disk.Stat(ids); !errors.Is(err, os.ErrNotExist) {
		return 0
	}
	kafka, err := kraft.Read(b.cfg.Disk, b.cfg.Data)
	switch {
	case err != nil:
		b.cfg.Logger.Warn("producer ids that the Kafka gave out are known from its logs only", "error", err)
		return 0
	case kafka == nil:
		return 0
	}
	return txn.ProducerID(kafka.ProducerID) + apartFromKafka
}

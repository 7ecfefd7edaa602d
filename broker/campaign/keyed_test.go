package campaign

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// keyed writes to a compacted topic: whatever compaction takes away, the latest of each key is there, deletions count,
// and what is left is in order.
type keyed struct {
	w    *world
	sent [2][40]atomic.Int64 // by partition and key: versions 1 to n
}

const keyedTopic = "keyed"

func (*keyed) topics() []kmsg.CreateTopicsRequestTopic {
	return []kmsg.CreateTopicsRequestTopic{topic(keyedTopic, 2, "cleanup.policy", "compact", "segment.bytes", "8192", "min.cleanable.dirty.ratio", "0.01", "delete.retention.ms", "300")}
}

// deletes tells whether a version of a key is a deletion.
func deletes(version int64) bool { return version%5 == 0 }

func (k *keyed) run(ctx context.Context) {
	cl := k.w.client()
	defer cl.Close()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for going := true; going; {
		select {
		case <-ctx.Done():
			going = false
		case <-tick.C:
			for range 1 + rand.IntN(8) {
				k.send(cl, rand.IntN(2), rand.IntN(40))
			}
		}
	}
	limit, cancel := context.WithTimeout(k.w.life, patience)
	defer cancel()
	if err := cl.Flush(limit); err != nil {
		k.w.fail("the last records of %s were not answered: %v", keyedTopic, err)
	}
}

func (k *keyed) send(cl *kgo.Client, partition, key int) {
	version := k.sent[partition][key].Add(1)
	r := &kgo.Record{Topic: keyedTopic, Partition: int32(partition), Key: fmt.Append(nil, key), Headers: []kgo.RecordHeader{{Key: "v", Value: fmt.Append(nil, version)}}}
	if !deletes(version) {
		r.Value = []byte(line(fmt.Sprint("k", key), version))
	}
	cl.Produce(k.w.life, r, func(_ *kgo.Record, err error) {
		if err != nil {
			k.w.fail("version %d of key %d of %s-%d was refused: %v", version, key, keyedTopic, partition, err)
			return
		}
		k.w.count.records.Add(1)
	})
}

func (k *keyed) check(ctx context.Context) {
	var latest [2][40]int64
	k.w.read(ctx, keyedTopic, 2, func(r *kgo.Record) {
		key, err := strconv.Atoi(string(r.Key))
		if err != nil || key >= 40 || len(r.Headers) != 1 {
			k.w.fail("%s-%d: at offset %d is a record that nobody sent: %.60q", keyedTopic, r.Partition, r.Offset, r.Key)
			return
		}
		version, _ := strconv.ParseInt(string(r.Headers[0].Value), 10, 64)
		name, n, ok := parse(string(r.Value))
		if deletes(version) != (r.Value == nil) || r.Value != nil && (!ok || n != version || name != fmt.Sprint("k", key)) {
			k.w.fail("%s-%d: at offset %d is %.60q for version %d of key %d", keyedTopic, r.Partition, r.Offset, r.Value, version, key)
		}
		if at := &latest[r.Partition][key]; version <= *at {
			k.w.fail("%s-%d: at offset %d is version %d of key %d, after %d", keyedTopic, r.Partition, r.Offset, version, key, *at)
		} else {
			*at = version
		}
	})
	for p := range k.sent {
		for key := range k.sent[p] {
			want, got := k.sent[p][key].Load(), latest[p][key]
			if want != got && !(deletes(want) && got == 0) {
				k.w.fail("%s-%d: the latest of key %d is version %d, want %d", keyedTopic, p, key, got, want)
			}
		}
	}
}

package broker_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/realkafka"
)

// back is a folder that goes from a Kafka to this broker and back, and how much is in it.
type back struct {
	lines [2]int // in each partition of web_log
	keyed int    // values in the topic latest
}

// write lets whoever serves go on with both topics, each client under a producer id of its own.
func (b *back) write(t *testing.T, r *running) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cl := r.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.UnknownTopicRetries(100))
	defer cl.Close()
	send := func(rec *kgo.Record) {
		t.Helper()
		if err := cl.ProduceSync(ctx, rec).FirstErr(); err != nil {
			t.Fatalf("producing %s: %v", rec.Value, err)
		}
	}
	for p := range b.lines {
		for range 30 {
			send(&kgo.Record{Topic: "web_log", Partition: int32(p), Value: fmt.Appendf(nil, "line %d", b.lines[p])})
			b.lines[p]++
		}
	}
	for range 60 {
		send(&kgo.Record{Topic: "latest", Key: fmt.Appendf(nil, "key %d", b.keyed%3), Value: fmt.Appendf(nil, "value %d", b.keyed)})
		b.keyed++
	}
}

// want reads all of it.
func (b *back) want(t *testing.T, r *running, from [2]int) {
	t.Helper()
	seen := from
	for _, rec := range r.consume("web_log", b.lines[0]+b.lines[1]-from[0]-from[1]) {
		p := rec.Partition
		if rec.Offset != int64(seen[p]) || string(rec.Value) != fmt.Sprint("line ", seen[p]) {
			t.Fatalf("web_log-%d has %q at offset %d, want line %d", p, rec.Value, rec.Offset, seen[p])
		}
		seen[p]++
	}
	for n := b.keyed - 3; n < b.keyed; n++ {
		if got := lastOf(t, r, fmt.Sprint("key ", n%3)); got != fmt.Sprint("value ", n) {
			t.Errorf("the last value of key %d is %q, want value %d", n%3, got, n)
		}
	}
}

// A Kafka that is started again on a folder that this broker has taken over and written to reads all of it, and what it
// then does there, compactions, new partitions and records under epochs of its own, is read by this broker's next start.
func TestAFolderGoesBackToAKafkaAndComesAgain(t *testing.T) {
	for _, story := range []struct {
		version realkafka.Version
		kill    bool
	}{{realkafka.V4, true}, {realkafka.V3, false}} {
		t.Run(fmt.Sprintf("%s killed %v", story.version, story.kill), func(t *testing.T) {
			if testing.Short() {
				t.Skip("two starts of a real Kafka")
			}
			goesBack(t, story.version, story.kill)
		})
	}
}

func goesBack(t *testing.T, version realkafka.Version, kill bool) {
	data := filepath.Join(t.TempDir(), "logs")
	var b back
	kafka := func(do func(r *running)) {
		t.Helper()
		t.Run("a Kafka", func(t *testing.T) {
			k := realkafka.Start(t, realkafka.Config{Version: version, Properties: map[string]string{"log.dirs": filepath.ToSlash(data),
				"offsets.topic.num.partitions": "8", "log.cleaner.backoff.ms": "100", "log.initial.task.delay.ms": "500"}})
			do(&running{t: t, addr: k.Addr})
			if !kill {
				k.Stop(t)
			}
		})
	}
	kafka(func(r *running) {
		adm := kadm.NewClient(r.client())
		created(t, adm, 2, nil, "web_log")
		created(t, adm, 1, map[string]*string{"cleanup.policy": kadm.StringPtr("compact"), "segment.ms": kadm.StringPtr("100"), "min.cleanable.dirty.ratio": kadm.StringPtr("0.01")}, "latest")
		b.write(t, r)
		commit(t, adm, 25)
	})
	for range 2 { // under epochs that the Kafka will come to later
		r := start(t, broker.Config{Data: data})
		b.want(t, r, [2]int{})
		b.write(t, r)
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	}
	r := start(t, broker.Config{Data: data})
	r.produce(r.client(), "ours", 0, 20)
	adm := kadm.NewClient(r.client())
	trim := kadm.Offsets{}
	trim.Add(kadm.Offset{Topic: "web_log", Partition: 1, At: 10})
	if _, err := adm.DeleteRecords(t.Context(), trim); err != nil {
		t.Fatal(err)
	}
	commit(t, adm, 50)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	kafka(func(r *running) {
		b.want(r.t, r, [2]int{})
		b.write(r.t, r)
		adm := kadm.NewClient(r.client())
		if _, err := adm.UpdatePartitions(r.t.Context(), 3, "web_log"); err != nil {
			r.t.Fatal(err)
		}
		created(r.t, adm, 1, nil, "theirs")
		r.produce(r.client(kgo.UnknownTopicRetries(100)), "theirs", 0, 20)
		compacted(r.t, r, b.keyed)
		b.write(r.t, r)
		commit(r.t, adm, 80)
	})
	for again := range 2 {
		r := start(t, broker.Config{Data: data})
		b.want(t, r, [2]int{1: 10})
		wantLines(t, r.consume("ours", 20), 20)
		wantLines(t, r.consume("theirs", 20), 20)
		b.write(t, r)
		if n := len(r.broker.Addrs()); n != 1 {
			t.Errorf("%d listeners", n)
		}
		got, err := kadm.NewClient(r.client()).FetchOffsets(t.Context(), "readers")
		if o, _ := got.Lookup("web_log", 0); err != nil || o.At != 80 {
			t.Errorf("start %d: the group is at %+v, %v, want 80", again, o, err)
		}
		topics, err := kadm.NewClient(r.client()).ListTopics(t.Context(), "web_log")
		if n := len(topics["web_log"].Partitions); err != nil || n != 3 {
			t.Errorf("start %d: web_log has %d partitions, %v, want 3", again, n, err)
		}
		if r.log.count("recovered") > 0 || r.log.count("level=ERROR") > 0 || again == 1 && r.log.count("epochs")+r.log.count("took")+r.log.count("a Kafka") > 0 {
			t.Errorf("start %d says\n%s", again, r.log)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	}
}

func created(t *testing.T, adm *kadm.Client, partitions int32, own map[string]*string, topic string) {
	t.Helper()
	if _, err := adm.CreateTopic(t.Context(), partitions, 1, own, topic); err != nil {
		t.Fatalf("creating %s: %v", topic, err)
	}
}

func commit(t *testing.T, adm *kadm.Client, at int64) {
	t.Helper()
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: "web_log", Partition: 0, At: at, LeaderEpoch: -1})
	if err := adm.CommitAllOffsets(t.Context(), "readers", offsets); err != nil {
		t.Fatal(err)
	}
}

// compacted waits until the Kafka has taken values out of the topic latest, those that this broker wrote among them.
func compacted(t *testing.T, r *running, written int) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		cl := r.client(kgo.ConsumeTopics("latest"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		var offsets []int64
		for len(offsets) == 0 || offsets[len(offsets)-1] < int64(written)-1 {
			for _, rec := range poll(t, cl, 1) {
				offsets = append(offsets, rec.Offset)
			}
		}
		cl.Close()
		if !slices.ContainsFunc(offsets, func(o int64) bool { return o >= 60 && o < 100 }) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the Kafka has compacted nothing of what this broker wrote: %v", offsets)
		}
	}
}

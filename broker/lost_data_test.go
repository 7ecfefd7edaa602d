package broker_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/internal/kafka"
)

// commitTo sets a group's offset in partition 0 of web_log, or another one.
func (r *running) commitTo(group string, partition int32, offset int64) {
	r.t.Helper()
	var offsets kadm.Offsets
	offsets.AddOffset("web_log", partition, offset, -1)
	if err := kadm.NewClient(r.client()).CommitAllOffsets(r.t.Context(), group, offsets); err != nil {
		r.t.Fatal(err)
	}
}

// inGroup reads n records as a member of a group.
func (r *running) inGroup(group string, n int) []*kgo.Record {
	r.t.Helper()
	cl := r.client(kgo.ConsumerGroup(group), kgo.ConsumeTopics("web_log"), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer cl.Close()
	return poll(r.t, cl, n)
}

// wantSaid expects so many lines with all of the words.
func (r *running) wantSaid(times int, words ...string) {
	r.t.Helper()
	said := func() (n int) {
		for line := range strings.Lines(r.log.String()) {
			all := true
			for _, w := range words {
				all = all && strings.Contains(line, w)
			}
			if all {
				n++
			}
		}
		return n
	}
	eventually(r.t, fmt.Sprintf("%d lines with %q", times, words), func() bool { return said() >= times })
	if n := said(); n != times {
		r.t.Fatalf("%d lines say %q, want %d", n, words, times)
	}
}

// segmentsOf are the files of a partition with their first offsets.
func segmentsOf(t *testing.T, data, partition string) (paths []string, first []int64) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(data, partition, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		var n int64
		if _, err := fmt.Sscanf(filepath.Base(p), "%d.log", &n); err != nil {
			t.Fatal(err)
		}
		first = append(first, n)
	}
	return paths, first
}

var smallSegments = map[string]string{"log.segment.bytes": "1024"}

// A group has read everything, then the last file is lost: it gets exactly what is produced from then on, a slower one
// stands at the hole, and after the file was put back nothing is missing.
func TestAGroupPassesOverNothingWhenTheLastSegmentIsLost(t *testing.T) {
	const lines = 60
	data := filled(t, broker.Config{Settings: smallSegments}, lines)
	r := start(t, broker.Config{Data: data, Settings: smallSegments})
	r.commitTo("quick", 0, lines)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	paths, first := segmentsOf(t, data, "web_log-0")
	last, from := paths[len(paths)-1], first[len(first)-1]
	if fmt.Sprint(from) == fmt.Sprint(lines) { // an empty one was begun
		last, from = paths[len(paths)-2], first[len(first)-2]
		if err := os.Remove(paths[len(paths)-1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(last, last+".bak"); err != nil {
		t.Fatal(err)
	}
	r = start(t, broker.Config{Data: data, Settings: smallSegments})
	r.wantSaid(1, fmt.Sprintf("offsets %d to %d of web_log-0 are lost", from, lines-1), "put back a copy", "loghaul topic trim web_log --partition 0 --before 60 --yes")
	r.produce(r.client(kgo.ProducerLinger(0)), "web_log", lines, lines+5)
	for i, rec := range r.inGroup("quick", 5) {
		if want := fmt.Sprintf("line %d", lines+i); rec.Offset != int64(lines+i) || string(rec.Value) != want {
			t.Fatalf("the group got %q at %d, want %q", rec.Value, rec.Offset, want)
		}
	}
	wantRefused(t, r.addr, from)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(last+".bak", last); err != nil {
		t.Fatal(err)
	}
	r = start(t, broker.Config{Data: data, Settings: smallSegments})
	r.wantSaid(1, "is taken in again", filepath.Base(last))
	wantLines(t, r.consume("web_log", lines+5), lines+5)
}

// wantRefused expects each version of Fetch to say CORRUPT_MESSAGE at an offset.
func wantRefused(t *testing.T, addr string, offset int64) {
	t.Helper()
	conn, err := kafka.Config{}.Dial(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, version := range []int16{0, 3, 4, 11, 12} {
		if got := get(t, conn, version, fetchRequest("web_log", 0, offset, 1, 60_000)); got.ErrorCode != 2 || len(got.RecordBatches) > 0 {
			t.Errorf("version %d at offset %d: error %d with %d bytes, want 2", version, offset, got.ErrorCode, len(got.RecordBatches))
		}
	}
}

func TestDamagedRecordsAreRefusedToEveryClientAndTheRestServed(t *testing.T) {
	const lines = 60
	data := filled(t, broker.Config{Settings: smallSegments}, lines)
	paths, first := segmentsOf(t, data, "web_log-0")
	b, err := os.ReadFile(paths[1])
	if err != nil {
		t.Fatal(err)
	}
	b[70] ^= 1 // in the first batch's record
	if err := os.WriteFile(paths[1], b, 0o600); err != nil {
		t.Fatal(err)
	}
	scrubOnce(t, filepath.Join(data, "web_log-0"))
	bad := first[1]
	r := start(t, broker.Config{Data: data, Settings: smallSegments})
	r.wantSaid(1, filepath.Base(paths[1])+" is damaged at position 0", fmt.Sprintf("offsets %d to %d of web_log-0", bad, bad), "not served", "topic trim")
	wantRefused(t, r.addr, bad)
	r.wantSaid(1, "a reader is at records that are damaged", "loghaul topic trim")

	cfg := sarama.NewConfig()
	cfg.Consumer.Return.Errors, cfg.Consumer.Retry.Backoff = true, time.Millisecond
	consumer, err := sarama.NewConsumer([]string{r.addr}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	pc, err := consumer.ConsumePartition("web_log", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer pc.AsyncClose()
	for next := int64(0); next < bad; next++ {
		select {
		case m := <-pc.Messages():
			if m.Offset != next {
				t.Fatalf("sarama got offset %d, want %d", m.Offset, next)
			}
		case err := <-pc.Errors():
			t.Fatalf("sarama at %d: %v", next, err)
		case <-time.After(20 * time.Second):
			t.Fatalf("sarama got nothing at %d", next)
		}
	}
	for range 2 { // it stays there, and says so each time
		select {
		case m := <-pc.Messages():
			t.Fatalf("sarama passed over the damage to %d", m.Offset)
		case err := <-pc.Errors():
			if !errors.Is(err, sarama.ErrInvalidMessage) {
				t.Fatalf("sarama says %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("sarama says nothing")
		}
	}

	at := map[string]map[int32]kgo.Offset{"web_log": {0: kgo.NewOffset().At(bad)}}
	cl := r.client(kgo.ConsumePartitions(at), kgo.KeepRetryableFetchErrors())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for told := false; !told; {
		fetches := cl.PollFetches(ctx)
		if len(fetches.Records()) > 0 || ctx.Err() != nil {
			t.Fatalf("franz-go got %d records, %v", len(fetches.Records()), ctx.Err())
		}
		fetches.EachError(func(_ string, _ int32, err error) { told = told || errors.Is(err, kerr.CorruptMessage) })
	}
	at["web_log"][0] = kgo.NewOffset().At(bad + 1)
	for i, rec := range poll(t, r.client(kgo.ConsumePartitions(at)), lines-int(bad)-1) {
		if rec.Offset != bad+1+int64(i) {
			t.Fatalf("offset %d follows %d", rec.Offset, bad+int64(i))
		}
	}
	r.wantSaid(1, "a reader is at records that are damaged") // once an hour
}

// scrubOnce reads a log as the broker does in the background, which would come to it later.
func scrubOnce(t *testing.T, dir string) {
	t.Helper()
	l, err := commitlog.Open(dir, commitlog.Config{SegmentBytes: 1024}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for next, more := l.Start(), true; more; {
		if next, more, err = l.Scrub(t.Context(), next, func(context.Context, int) error { return nil }, func(commitlog.Damage) {}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAPartitionFolderThatIsGoneIsNamedAndItsOffsetsStayUsed(t *testing.T) {
	data := t.TempDir()
	counts := [2]int64{7, 5}
	r := start(t, broker.Config{Data: data, CreateTopics: []string{"web_log:2"}})
	cl := r.client(kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	put := func(partition int32) int64 {
		rec, err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "web_log", Partition: partition, Value: []byte("a line")}).First()
		if err != nil {
			t.Fatal(err)
		}
		return rec.Offset
	}
	for partition, n := range counts {
		for range n {
			put(int32(partition))
		}
	}
	r.commitTo("quick", 1, counts[1])
	r.commitTo("wild", 0, counts[0]+1000)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(t.TempDir(), "web_log-1")
	if err := os.Rename(filepath.Join(data, "web_log-1"), kept); err != nil {
		t.Fatal(err)
	}
	r = start(t, broker.Config{Data: data})
	r.wantSaid(1, "the folder, or the files in it, were gone and it was made anew", "web_log-1", "put back copies of the files") // one line for each partition
	if n := r.log.count("made anew"); n != 1 {
		t.Errorf("%d lines tell of the folder, want one:\n%s", n, r.log)
	}
	r.wantSaid(1, "behind the partition's end", "group=wild", "partition=0", fmt.Sprintf("committed=%d", counts[0]+1000), fmt.Sprintf("end=%d", counts[0]), "loghaul group reset")
	cl = r.client(kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if at := put(1); at != counts[1] {
		t.Fatalf("the first new record is at %d, the group has read up to %d", at, counts[1])
	}
	if at := put(0); at != counts[0] {
		t.Fatalf("a commit alone moved the log to %d, it ended at %d", at, counts[0])
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	files, _, err := copyLogs(kept, filepath.Join(data, "web_log-1"))
	if err != nil || files == 0 {
		t.Fatalf("%d files were put back: %v", files, err)
	}
	r = start(t, broker.Config{Data: data})
	r.wantSaid(1, "is taken in again", "web_log-1")
	records := r.consume("web_log", int(counts[0]+counts[1])+2)
	seen := map[int32]int64{}
	for _, rec := range records {
		if rec.Offset != seen[rec.Partition] {
			t.Fatalf("partition %d: offset %d after %d", rec.Partition, rec.Offset, seen[rec.Partition]-1)
		}
		seen[rec.Partition]++
	}
}

// copyLogs puts the segments of one folder into another.
func copyLogs(from, to string) (files int, bytes int64, err error) {
	paths, err := filepath.Glob(filepath.Join(from, "*.log"))
	for _, p := range paths {
		b, rerr := os.ReadFile(p)
		err = errors.Join(err, rerr, os.WriteFile(filepath.Join(to, filepath.Base(p)), b, 0o600))
		files, bytes = files+1, bytes+int64(len(b))
	}
	return files, bytes, err
}

func TestATopicThatIsGoneIsNamedWithTheGroupsThatReadIt(t *testing.T) {
	data := filled(t, broker.Config{}, 10)
	r := start(t, broker.Config{Data: data})
	r.commitTo("quick", 0, 10)
	r.commitTo("slow", 0, 4)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(t.TempDir(), "web_log-0")
	if err := os.Rename(filepath.Join(data, "web_log-0"), kept); err != nil {
		t.Fatal(err)
	}
	r = start(t, broker.Config{Data: data})
	r.wantSaid(1, "a topic is gone", "topic=web_log", "quick (partition 0 at 10), slow (partition 0 at 4)", "--delete-offsets")
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(kept, filepath.Join(data, "web_log-0")); err != nil {
		t.Fatal(err)
	}
	r = start(t, broker.Config{Data: data})
	wantLines(t, r.consume("web_log", 10), 10)
	if n := r.log.count("level=ERROR"); n > 0 {
		t.Errorf("%d errors in a folder that is whole", n)
	}
}

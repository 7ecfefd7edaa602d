package broker_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// move is one transaction: a number into each of three partitions.
func move(cl *kgo.Client, ctx context.Context, n int, commit bool) error {
	if err := cl.BeginTransaction(); err != nil {
		return err
	}
	var list []*kgo.Record
	for p := range int32(3) {
		list = append(list, &kgo.Record{Topic: "sums", Partition: p, Value: fmt.Appendf(nil, "%d", n)})
	}
	if err := cl.ProduceSync(ctx, list...).FirstErr(); err != nil {
		_ = cl.EndTransaction(ctx, kgo.TryAbort) // the next one says what is wrong
		return err
	}
	return cl.EndTransaction(ctx, kgo.TransactionEndTry(commit))
}

// A producer writes a number into three partitions in each transaction, and aborts every fifth, while the broker is killed
// again and again. A reader of committed records finds each number in all three partitions or in none, once, and every
// one whose commit was answered.
func TestMovesBetweenPartitionsAreSeenWholeOverKills(t *testing.T) {
	dir, addr := t.TempDir(), freeAddr(t)
	child := spawn(t, dir, addr)
	r := &running{t: t, addr: addr}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	if _, err := kadm.NewClient(r.client()).CreateTopic(ctx, 3, 1, nil, "sums"); err != nil {
		t.Fatal(err)
	}
	var answered atomic.Int64
	committed := map[int]bool{}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		opts := []kgo.Opt{kgo.SeedBrokers(addr), kgo.TransactionalID("moves"), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
			kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }), kgo.MetadataMinAge(20 * time.Millisecond)}
		cl, err := kgo.NewClient(opts...)
		for n := 0; err == nil && ctx.Err() == nil; n++ {
			select {
			case <-stop:
				cl.Close()
				return
			default:
			}
			commit := n%5 != 4
			if move(cl, ctx, n, commit) == nil {
				committed[n] = commit
				answered.Add(1)
				continue
			}
			cl.Close() // its outcome is not known: a new producer takes over
			cl, err = kgo.NewClient(opts...)
		}
		t.Errorf("the producer gave up: %v, %v", err, ctx.Err())
	}()
	for range 5 {
		before := answered.Load()
		eventually(t, "another 30 transactions", func() bool { return answered.Load() > before+30 || ctx.Err() != nil })
		kill(child)
		child = spawn(t, dir, addr)
	}
	close(stop)
	<-stopped
	kill(child)
	b := start(t, broker.Config{Data: dir})
	inTransaction(t, b.transact("moves"), kgo.TryCommit, // ends what was open, and marks the end of each partition
		&kgo.Record{Topic: "sums", Partition: 0, Value: []byte("end")}, &kgo.Record{Topic: "sums", Partition: 1, Value: []byte("end")}, &kgo.Record{Topic: "sums", Partition: 2, Value: []byte("end")})
	seen := b.untilEnd("sums", 3)
	for n, commit := range committed {
		if got := seen[fmt.Sprint(n)]; commit && got != [3]int{1, 1, 1} || !commit && got != [3]int{} {
			t.Errorf("transaction %d, commit %v, is seen as %v", n, commit, got)
		}
	}
	for n, got := range seen {
		if got != [3]int{1, 1, 1} {
			t.Errorf("transaction %s is seen in part: %v", n, got)
		}
	}
	t.Logf("%d transactions answered, %d seen", len(committed), len(seen))
}

// untilEnd counts in which of three partitions a reader of committed records sees each value, up to the "end" of each.
func (r *running) untilEnd(topic string, partitions int) map[string][3]int {
	r.t.Helper()
	cl := r.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	defer cl.Close()
	seen, ends := map[string][3]int{}, 0
	for ends < partitions {
		for _, rec := range poll(r.t, cl, 1) {
			counts := seen[string(rec.Value)]
			counts[rec.Partition]++
			seen[string(rec.Value)] = counts
			if string(rec.Value) == "end" {
				ends++
			}
		}
	}
	return seen
}

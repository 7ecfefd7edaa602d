package broker_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/loghaul/loghaul/broker"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// transact is a transactional franz-go client.
func (r *running) transact(id string, opts ...kgo.Opt) *kgo.Client {
	return r.client(append([]kgo.Opt{kgo.TransactionalID(id), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0)}, opts...)...)
}

// inTransaction sends values to partition 0 of topics in one transaction and ends it.
func inTransaction(t *testing.T, cl *kgo.Client, end kgo.TransactionEndTry, records ...*kgo.Record) {
	t.Helper()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := cl.EndTransaction(t.Context(), end); err != nil {
		t.Fatal(err)
	}
}

func value(topic, v string) *kgo.Record { return &kgo.Record{Topic: topic, Value: []byte(v)} }

// values are those that a consumer of one kind sees, from the start to the last offset it may see.
func (r *running) values(topic string, level kgo.IsolationLevel, n int) (list []string) {
	r.t.Helper()
	for _, rec := range r.consume(topic, n, kgo.FetchIsolationLevel(level)) {
		list = append(list, string(rec.Value))
	}
	return list
}

func TestReadersSeeATransactionWhenItHasCommitted(t *testing.T) {
	r := start(t, broker.Config{})
	cl := r.transact("orders")
	inTransaction(t, cl, kgo.TryCommit, value("web_log", "a"), value("other", "x"), value("web_log", "b"))
	inTransaction(t, cl, kgo.TryAbort, value("web_log", "c"))
	inTransaction(t, cl, kgo.TryCommit, value("web_log", "d"))
	if got := fmt.Sprint(r.values("web_log", kgo.ReadCommitted(), 3)); got != "[a b d]" {
		t.Errorf("a reader of committed records sees %s", got)
	}
	if got := fmt.Sprint(r.values("web_log", kgo.ReadUncommitted(), 4)); got != "[a b c d]" {
		t.Errorf("a reader of all records sees %s", got)
	}
	if got := fmt.Sprint(r.values("other", kgo.ReadCommitted(), 1)); got != "[x]" {
		t.Errorf("the other topic has %s", got)
	}
	if err := cl.BeginTransaction(); err != nil { // and an open one, which holds back what comes after it
		t.Fatal(err)
	}
	if err := cl.ProduceSync(t.Context(), value("web_log", "e")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	plain := r.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := plain.ProduceSync(t.Context(), value("web_log", "f")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	admin := kadm.NewClient(plain)
	ends, err := admin.ListEndOffsets(t.Context(), "web_log")
	if err != nil {
		t.Fatal(err)
	}
	stable, err := admin.ListCommittedOffsets(t.Context(), "web_log")
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup("web_log", 0)
	last, _ := stable.Lookup("web_log", 0)
	if end.Offset != 9 || last.Offset != 7 { // a b C c A d C e f
		t.Errorf("the end is %d and the last stable offset %d, want 9 and 7", end.Offset, last.Offset)
	}
	if err := cl.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(r.values("web_log", kgo.ReadCommitted(), 5)); got != "[a b d e f]" {
		t.Errorf("a reader of committed records sees %s", got)
	}
}

func TestASecondProducerFencesTheFirst(t *testing.T) {
	r := start(t, broker.Config{})
	first := r.transact("orders")
	inTransaction(t, first, kgo.TryCommit, value("web_log", "a"))
	if err := first.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := first.ProduceSync(t.Context(), value("web_log", "lost")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	second := r.transact("orders")
	inTransaction(t, second, kgo.TryCommit, value("web_log", "b"))
	err := first.ProduceSync(t.Context(), value("web_log", "zombie")).FirstErr()
	if err == nil {
		err = first.EndTransaction(t.Context(), kgo.TryCommit)
	}
	if !errors.Is(err, kerr.ProducerFenced) && !errors.Is(err, kerr.InvalidProducerEpoch) {
		t.Errorf("the first producer goes on with %v", err)
	}
	inTransaction(t, second, kgo.TryCommit, value("web_log", "c"))
	if got := fmt.Sprint(r.values("web_log", kgo.ReadCommitted(), 3)); got != "[a b c]" {
		t.Errorf("a reader of committed records sees %s", got)
	}
}

func TestATransactionThatTakesTooLongIsAborted(t *testing.T) {
	r := start(t, broker.Config{Settings: map[string]string{"transaction.abort.timed.out.transaction.cleanup.interval.ms": "50"}})
	slow := r.transact("slow", kgo.TransactionTimeout(200*time.Millisecond))
	if err := slow.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := slow.ProduceSync(t.Context(), value("web_log", "late")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	plain := r.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := plain.ProduceSync(t.Context(), value("web_log", "behind it")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(r.values("web_log", kgo.ReadCommitted(), 1)); got != "[behind it]" {
		t.Errorf("a reader of committed records sees %s", got)
	}
	if err := slow.EndTransaction(t.Context(), kgo.TryCommit); err == nil {
		t.Error("the transaction that timed out was committed")
	}
}

func TestSaramasTransactionalProducer(t *testing.T) {
	for _, version := range []sarama.KafkaVersion{sarama.V0_11_0_0, sarama.V2_8_0_0, sarama.V4_0_0_0} {
		t.Run(version.String(), func(t *testing.T) {
			r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}})
			cfg := saramaConfig(version)
			cfg.Producer.Idempotent, cfg.Producer.RequiredAcks, cfg.Net.MaxOpenRequests = true, sarama.WaitForAll, 1
			cfg.Producer.Transaction.ID = "orders"
			p, err := sarama.NewSyncProducer([]string{r.addr}, cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			for i, v := range []string{"a", "lost", "b"} {
				if err := p.BeginTxn(); err != nil {
					t.Fatal(err)
				}
				if _, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: "web_log", Value: sarama.StringEncoder(v)}); err != nil {
					t.Fatal(err)
				}
				end := p.CommitTxn
				if i == 1 {
					end = p.AbortTxn
				}
				if err := end(); err != nil {
					t.Fatal(err)
				}
			}
			cfg = saramaConfig(version)
			cfg.Consumer.IsolationLevel = sarama.ReadCommitted
			consumer, err := sarama.NewConsumer([]string{r.addr}, cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer consumer.Close()
			c, err := consumer.ConsumePartition("web_log", 0, sarama.OffsetOldest)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for _, want := range []string{"a", "b"} {
				select {
				case m := <-c.Messages():
					if string(m.Value) != want {
						t.Fatalf("got %q, want %q", m.Value, want)
					}
				case <-time.After(20 * time.Second):
					t.Fatalf("waited 20 s for %q", want)
				}
			}
		})
	}
}

// Each line of a topic is read by a member of a group, written to another topic and its offset committed, in one
// transaction. Members come and go, some transactions are aborted: each line arrives once.
func TestConsumeProcessProduceOnceAcrossRebalances(t *testing.T) {
	const lines = 2000
	r := start(t, broker.Config{CreateTopics: []string{"in:4", "out:2"}, Settings: map[string]string{"group.initial.rebalance.delay.ms": "0"}})
	in := r.client()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var members sync.WaitGroup
	defer members.Wait()
	member := func(n int) (leave func()) {
		life, end := context.WithCancel(ctx)
		members.Go(func() { copyLines(t, life, r.addr, n) })
		return end
	}
	defer member(0)()
	r.produce(in, "in", 0, lines/2)
	leave := member(1)
	defer member(2)()
	reader := r.client(kgo.ConsumeTopics("out"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	seen := map[string]int{}
	for len(seen) < lines {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("%d of %d lines: %v", len(seen), lines, err)
		}
		fetches.EachRecord(func(rec *kgo.Record) { seen[string(rec.Value)]++ })
		if len(seen) > lines/4 && leave != nil {
			leave()
			leave = nil
			r.produce(in, "in", lines/2, lines)
		}
	}
	for line, n := range seen {
		if n != 1 {
			t.Errorf("%q came %d times", line, n)
		}
	}
	cancel()
	members.Wait()
	if sum := r.committed("g"); sum != lines {
		t.Errorf("the group has committed %d offsets, want %d", sum, lines)
	}
}

// copyLines is a member that copies in to out until ctx ends; every seventh transaction it aborts.
func copyLines(t *testing.T, ctx context.Context, addr string, n int) {
	s, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(addr), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("in"), kgo.TransactionalID(fmt.Sprintf("copy-%d", n)),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.RequireStableFetchOffsets(),
		kgo.FetchMaxWait(50*time.Millisecond), kgo.ProducerLinger(0))
	if err != nil {
		t.Error(err)
		return
	}
	defer s.Close()
	for round := 1; ctx.Err() == nil; round++ {
		fetches := s.PollRecords(ctx, 50)
		if fetches.NumRecords() == 0 {
			continue
		}
		if err := s.Begin(); err != nil {
			t.Errorf("member %d: %v", n, err)
			return
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			s.Produce(context.Background(), &kgo.Record{Topic: "out", Value: rec.Value}, nil)
		})
		if _, err := s.End(context.Background(), kgo.TransactionEndTry(round%7 != 0)); err != nil {
			t.Errorf("member %d: %v", n, err)
			return
		}
	}
}

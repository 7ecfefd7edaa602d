package franz_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker/clients"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestReadersOfCommittedSeeWhatWasCommitted(t *testing.T) {
	addr := serve(t)
	topic := clients.Topic(t, addr, "committed", 2)
	cl := dial(t, addr, kgo.TransactionalID(clients.Name("id")), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for round, end := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		records := clients.Lines(0, 20, 2)
		for i := range records {
			records[i].Key = fmt.Append(nil, round)
		}
		if err := cl.ProduceSync(t.Context(), outgoing(topic, records)...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := cl.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	for p := range int32(2) {
		from := map[string]map[int32]kgo.Offset{topic: {p: kgo.NewOffset().AtStart()}}
		committed, err := poll(limit(t), dial(t, addr, kgo.ConsumePartitions(from), kgo.FetchIsolationLevel(kgo.ReadCommitted())), 20)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range committed {
			if want := fmt.Sprint(1 + i/10*2); string(r.Key) != want {
				t.Errorf("record %d of partition %d is of round %s, want %s: the others were aborted", i, p, r.Key, want)
			}
		}
		if _, err := poll(limit(t), dial(t, addr, kgo.ConsumePartitions(from)), 40); err != nil {
			t.Errorf("a reader of all: %v", err)
		}
	}
}

func TestAGroupTransactsFromTopicToTopic(t *testing.T) {
	addr := serve(t)
	from, to := clients.Topic(t, addr, "from", 2), clients.Topic(t, addr, "to", 1)
	if err := members[0].Produce(limit(t), addr, from, "none", clients.Lines(0, 200, 2)); err != nil {
		t.Fatal(err)
	}
	group, id := clients.Name("group"), clients.Name("id")
	session := func() *kgo.GroupTransactSession {
		s, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(addr), kgo.TransactionalID(id), kgo.ConsumerGroup(group), kgo.ConsumeTopics(from),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.RequireStableFetchOffsets(), kgo.FetchMaxWait(100*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := session()
	for moved, round := 0, 0; moved < 200; round++ {
		fetches := s.PollRecords(limit(t), 50)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		if err := s.Begin(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			s.Produce(context.Background(), &kgo.Record{Topic: to, Value: r.Value}, func(_ *kgo.Record, err error) {
				if err != nil && !errors.Is(err, kgo.ErrAborting) {
					t.Error(err)
				}
			})
		})
		committed, err := s.End(limit(t), kgo.TransactionEndTry(round%2 == 1)) // the first try of each is given up
		if err != nil {
			t.Fatal(err)
		}
		if committed {
			moved += fetches.NumRecords()
		}
		if round == 2 { // another takes over in the middle
			s.Close()
			s = session()
		}
	}
	s.Close()
	got, err := poll(limit(t), dial(t, addr, kgo.ConsumeTopics(to), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted())), 200)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range got {
		seen[string(r.Value)] = true
	}
	if len(seen) != 200 {
		t.Errorf("%d different lines of 200 arrived", len(seen))
	}
}

func TestAFencedProducerHearsOfIt(t *testing.T) {
	addr := serve(t)
	topic, id := clients.Topic(t, addr, "fenced", 1), clients.Name("id")
	old, next := dial(t, addr, kgo.TransactionalID(id), kgo.DefaultProduceTopic(topic)), dial(t, addr, kgo.TransactionalID(id), kgo.DefaultProduceTopic(topic))
	for _, cl := range []*kgo.Client{old, next} {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := cl.ProduceSync(limit(t), kgo.StringRecord("a line")).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if err := old.ProduceSync(limit(t), kgo.StringRecord("too late")).FirstErr(); !errors.Is(err, kerr.InvalidProducerEpoch) && !errors.Is(err, kerr.ProducerFenced) {
		t.Errorf("the old producer gets %v", err)
	}
	if err := next.EndTransaction(limit(t), kgo.TryCommit); err != nil {
		t.Error(err)
	}
	clients.Eventually(t, "the transaction to be complete", func() bool {
		described, err := kadm.NewClient(next).DescribeTransactions(limit(t), id)
		return err == nil && described[id].State == "CompleteCommit"
	})
}

// dial makes a client that ends with the test.
func dial(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr), kgo.FetchMaxWait(100 * time.Millisecond)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// limit is how long one step may take.
func limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

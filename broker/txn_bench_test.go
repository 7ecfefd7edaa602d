package broker_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// BenchmarkTransaction is one record in a transaction of its own, from its begin to the answer to EndTxn.
func BenchmarkTransaction(b *testing.B) {
	addr := serveBench(b, 1)
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.TransactionalID("bench"), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	if err != nil {
		b.Fatal(err)
	}
	defer cl.Close()
	for b.Loop() {
		if err := cl.BeginTransaction(); err != nil {
			b.Fatal(err)
		}
		if err := cl.ProduceSync(b.Context(), &kgo.Record{Topic: "bench", Value: []byte("a line")}).FirstErr(); err != nil {
			b.Fatal(err)
		}
		if err := cl.EndTransaction(b.Context(), kgo.TryCommit); err != nil {
			b.Fatal(err)
		}
	}
}

package topics

import (
	"testing"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/internal/record"
)

// BenchmarkOpenAThousandPartitions is a start after a clean stop.
func BenchmarkOpenAThousandPartitions(b *testing.B) {
	dir := b.TempDir()
	opened := func() *Topics {
		t, err := Open(Config{Dir: dir, Syncer: commitlog.NewSyncer(commitlog.SyncerConfig{})})
		if err != nil {
			b.Fatal(err)
		}
		return t
	}
	t := opened()
	if _, err := t.Create("web_log", 1000, nil); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := t.Close(); err != nil {
			b.Fatal(err)
		}
		t = opened()
	}
	b.StopTimer()
	if err := t.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkOpenAfterACrash is a start after a kill: a thousand logs of a megabyte each have no recovery point.
func BenchmarkOpenAfterACrash(b *testing.B) {
	const logs, batches = 1000, 16
	dir := b.TempDir()
	opened := func() *Topics {
		t, err := Open(Config{Dir: dir, Syncer: commitlog.NewSyncer(commitlog.SyncerConfig{})})
		if err != nil {
			b.Fatal(err)
		}
		return t
	}
	abandon := func(t *Topics) {
		for _, p := range t.Get("web_log").Partitions() {
			p.Log.Abandon()
		}
	}
	t := opened()
	topic, err := t.Create("web_log", logs, nil)
	if err != nil {
		b.Fatal(err)
	}
	builder := record.NewBuilder(64 << 10)
	for builder.Len() < 64<<10 {
		builder.Append(0, nil, make([]byte, 500), 0, nil)
	}
	batch, err := builder.Seal(nil, record.NoProducer, record.None, 1, 1)
	if err != nil {
		b.Fatal(err)
	}
	for range batches {
		for _, p := range topic.Partitions() {
			if _, err := p.Log.Append(batch); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.SetBytes(int64(len(batch) * batches * logs))
	for b.Loop() {
		abandon(t)
		t = opened()
	}
	abandon(t)
}

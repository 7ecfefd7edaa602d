package e2e

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestALineOf100MegabytesArrivesInPiecesAndHoldsNobodyUp(t *testing.T) {
	size := 100_000_000
	if testing.Short() {
		size = 10_000_000
	}
	p := newPipe(t)
	long := make([]byte, size)
	rng := rand.NewChaCha8([32]byte{1})
	rng.Read(long)
	for i, b := range long {
		long[i] = 'a' + b%26
	}
	file := append([]byte("before\n"), long...)
	file = append(file, "\nafter\n"...)
	if err := os.WriteFile(filepath.Join(p.logs, "long.log"), file, 0o644); err != nil {
		t.Fatal(err)
	}
	stop := p.write("beside.log")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(p.broker.ready["broker"]), kgo.ConsumeTopics("web_log"), kgo.UnknownTopicRetries(-1),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var got, last []byte
	pieces := 0
	for string(last) != "after" {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d pieces with %d of %d bytes came, then none", pieces, len(got), size)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !bytes.HasSuffix(r.Key, []byte("long.log")) {
				return
			}
			last = r.Value
			for _, h := range r.Headers {
				if h.Key == "part" {
					pieces, got = pieces+1, append(got, r.Value...)
				}
			}
		})
	}
	if !bytes.Equal(got, long) {
		t.Errorf("the %d pieces hold %d bytes of %d, or others", pieces, len(got), size)
	}
	stop()
}

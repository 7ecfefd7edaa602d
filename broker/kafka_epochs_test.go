package broker_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/realkafka"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A Kafka that was killed and started again has written under several leader epochs, and its compacted topics have
// gaps. All of it is read by every later start here, whatever that holds against the batches.
func TestAFolderOfAKafkaThatWasKilledIsReadAtEveryStart(t *testing.T) {
	if testing.Short() {
		t.Skip("two starts of a real Kafka")
	}
	const lives, lines = 2, 60
	logs, data := filepath.Join(t.TempDir(), "logs"), t.TempDir()
	for life := range lives {
		t.Run(fmt.Sprint("life ", life), func(t *testing.T) {
			k := realkafka.Start(t, realkafka.Config{Properties: map[string]string{"log.dirs": filepath.ToSlash(logs), "log.cleaner.backoff.ms": "100"}})
			livesInKafka(t, &running{t: t, addr: k.Addr}, life, lines)
		})
	}
	if err := os.CopyFS(data, os.DirFS(logs)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(data, ".lock")); err != nil {
		t.Fatal(err)
	}
	epochs, err := os.ReadFile(filepath.Join(data, "plain-0", "leader-epoch-checkpoint"))
	if err != nil || len(strings.Fields(string(epochs))) < 2+2*2 {
		t.Fatalf("the Kafka wrote under no more than one epoch: %q, %v", epochs, err)
	}
	for again := range 3 {
		r := start(t, broker.Config{Data: data})
		plain := r.consume("plain", lives*lines+again)
		for i, rec := range plain {
			if want := fmt.Sprintf("line %d", i); string(rec.Value) != want || rec.Offset != int64(i) {
				t.Fatalf("start %d: offset %d is %q, want %q", again, rec.Offset, rec.Value, want)
			}
		}
		for key, want := range map[string]string{"key 0": "life 1 57", "key 1": "life 1 58", "key 2": "life 1 59"} {
			if got := lastOf(t, r, key); got != want {
				t.Errorf("start %d: the last value of %s is %q, want %q", again, key, got, want)
			}
		}
		r.produce(r.client(), "plain", lives*lines+again, lives*lines+again+1)
		if r.log.count("recovered") > 0 || r.log.count("damage") > 0 || r.log.count("level=ERROR") > 0 {
			t.Errorf("start %d says\n%s", again, r.log)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	}
}

// livesInKafka writes to a plain and to a compacted topic.
func livesInKafka(t *testing.T, r *running, life, lines int) {
	t.Helper()
	cl := r.client(kgo.UnknownTopicRetries(100))
	adm := kadm.NewClient(cl)
	if life == 0 {
		if _, err := adm.CreateTopic(t.Context(), 1, 1, nil, "plain"); err != nil {
			t.Fatal(err)
		}
		own := map[string]*string{"cleanup.policy": kadm.StringPtr("compact"), "segment.ms": kadm.StringPtr("100"), "min.cleanable.dirty.ratio": kadm.StringPtr("0.01")}
		if _, err := adm.CreateTopic(t.Context(), 1, 1, own, "latest"); err != nil {
			t.Fatal(err)
		}
	}
	r.produce(cl, "plain", life*lines, (life+1)*lines)
	for i := range lines {
		rec := &kgo.Record{Topic: "latest", Key: fmt.Appendf(nil, "key %d", i%3), Value: fmt.Appendf(nil, "life %d %d", life, i)}
		if err := cl.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

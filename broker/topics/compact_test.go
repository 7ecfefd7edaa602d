package topics

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/loghaul/loghaul/internal/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sizeAfter appends the same key over and over, lets Run work for a while and returns the partition's size.
func sizeAfter(t *testing.T, broker, own map[string]string) (before, after int64) {
	t.Helper()
	settings, err := NewSettings(broker)
	if err != nil {
		t.Fatal(err)
	}
	topics, err := Open(Config{Dir: t.TempDir(), Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	topic, err := topics.Create("table", 1, own)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		b := record.NewBuilder(64)
		b.Append(0, []byte("key"), fmt.Appendf(nil, "%0100d", i), 0, nil)
		batch, err := b.Seal(nil, record.NoProducer, record.None, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := topic.Partition(0).Log.Append(batch); err != nil {
			t.Fatal(err)
		}
	}
	before = topic.Partition(0).Log.Size()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- topics.Run(ctx) }()
	time.Sleep(time.Minute) // of the bubble
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	after = topic.Partition(0).Log.Size()
	if err := topics.Close(); err != nil {
		t.Error(err)
	}
	return before, after
}

func TestOnlyTopicsWithThatPolicyAreCompacted(t *testing.T) {
	for _, c := range []struct {
		policy, enabled string
		less            bool
	}{{"compact", "true", true}, {"compact,delete", "true", true}, {"delete", "true", false}, {"compact", "false", false}} {
		synctest.Test(t, func(t *testing.T) {
			before, after := sizeAfter(t, map[string]string{"log.cleaner.enable": c.enabled}, map[string]string{"cleanup.policy": c.policy, "segment.bytes": "1024"})
			if (after < before/2) != c.less {
				t.Errorf("cleanup.policy=%s, log.cleaner.enable=%s: %d bytes became %d", c.policy, c.enabled, before, after)
			}
		})
	}
}

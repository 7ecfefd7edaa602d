package topics

import (
	"context"
	"time"
)

// compact looks for something to compact every log.cleaner.backoff.ms until ctx ends: one log after the other, beside
// retention, which must not wait for it.
func (t *Topics) compact(ctx context.Context) {
	if !t.Settings().Bool("log.cleaner.enable") {
		return
	}
	for {
		rest := time.NewTimer(max(t.Settings().Millis("log.cleaner.backoff.ms"), time.Millisecond))
		select {
		case <-ctx.Done():
			rest.Stop()
			return
		case <-rest.C:
			t.compactAll(ctx, t.cfg.Now())
		}
	}
}

// compactAll compacts what is worth it. The broker's own topics are left to their owners, who rewrite them.
func (t *Topics) compactAll(ctx context.Context, now time.Time) {
	for _, topic := range t.List() {
		if !topic.Effective().Log.Compact || IsInternal(topic.Name) {
			continue
		}
		for _, p := range topic.Partitions() {
			stats, err := p.Log.Compact(ctx, now)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				t.log.Error("compacting", "partition", folder(topic.Name, p.Index), "error", err)
			case stats.Ran:
				t.log.Info("compacted", "partition", folder(topic.Name, p.Index), "from", stats.From, "to", stats.To,
					"records", stats.Records, "kept", stats.Kept, "bytes", stats.Before, "left", stats.After)
			}
		}
	}
}

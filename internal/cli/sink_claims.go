package cli

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/etcdconf"
)

const (
	// claimsPatience is how long nothing is known of the sinks when neither etcd nor what it said last can be read: then the
	// groups that the broker has seen are all there are.
	claimsPatience = time.Minute
	// claimsSilence is how long that is nothing to speak of.
	claimsSilence = 10 * time.Second
)

// sinkClaims tells the broker which groups belong to sinks, as etcd has them: the broker itself knows no etcd. While etcd
// is away it goes by what etcd said last, over restarts too.
type sinkClaims struct {
	src      etcdconf.Source
	file     string          // remembers what src said
	after    <-chan struct{} // the broker serves: the folder of the file is its own then
	log      *slog.Logger
	patience time.Duration

	ready chan struct{}
	known atomic.Pointer[[]broker.SinkClaim] // nil: not known yet
}

func newSinkClaims(log *slog.Logger) *sinkClaims {
	c := &sinkClaims{log: log, patience: claimsPatience, ready: make(chan struct{})}
	close(c.ready) // nobody waits for the sinks
	return c
}

// claims are those of this moment; false: not known yet.
func (c *sinkClaims) claims() ([]broker.SinkClaim, bool) {
	if list := c.known.Load(); list != nil {
		return *list, true
	}
	return nil, false
}

// Ready makes this a part of a process.
func (c *sinkClaims) Ready() <-chan struct{} { return c.ready }

// watch says what Run is to watch.
func (c *sinkClaims) watch(src etcdconf.Source, data string, after <-chan struct{}) {
	c.src, c.file, c.after = src, filepath.Join(data, "last-sinks.json"), after
}

// Run watches until ctx ends; watch comes before.
func (c *sinkClaims) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-c.after:
	}
	const mend = "; see that etcd can be reached, or say --etcd none where there is none"
	silent := time.AfterFunc(min(claimsSilence, c.patience/2), func() {
		if c.known.Load() == nil {
			c.log.Warn("etcd has not said yet which sinks there are: nothing is deleted for the disk budget until it does, or for " + c.patience.String() + mend)
		}
	})
	defer silent.Stop()
	late := time.AfterFunc(c.patience, func() {
		if c.known.CompareAndSwap(nil, &[]broker.SinkClaim{}) {
			c.log.Warn("etcd has not said which sinks there are: for the disk budget only groups with members, or with commits in the last 7 days, count until it does" + mend)
		}
	})
	defer late.Stop()
	return etcdconf.WatchSinks(ctx, etcdconf.Cached(c.file, c.src, 0, c.log), nil, func(s etcdconf.Sinks) {
		list := make([]broker.SinkClaim, 0, len(s.Good))
		for _, sink := range s.Good {
			list = append(list, broker.SinkClaim{Sink: sink.Name, Group: sink.Group, Takes: sink.Taker(), Letters: sink.Letters()})
		}
		c.known.Store(&list)
	})
}

package broker

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/loghaul/loghaul/broker/wire"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// trace is what one connection has done, for the lines at level debug. Below that level it costs a few additions.
type trace struct {
	opened   time.Time
	requests atomic.Int64
}

// talks says whether lines at level debug are wanted now: a client may change that while the broker runs.
func (s *server) talks(ctx context.Context) bool {
	return s.log.log.Enabled(ctx, slog.LevelDebug)
}

// open notes that a connection is served.
func (c *connection) open(ctx context.Context) {
	c.trace.opened = time.Now()
	if c.server.talks(ctx) {
		c.server.log.log.Debug("connection opened", c.session.Peer().Who(), "listener", c.door.name)
	}
}

// ended notes that a connection is not served any more; whatever went wrong with it has its own line.
func (c *connection) ended(ctx context.Context) {
	if c.server.talks(ctx) {
		c.server.log.log.Debug("connection closed", c.session.Peer().Who(), "listener", c.door.name,
			"requests", c.trace.requests.Load(), "open", time.Since(c.trace.opened))
	}
}

// arrived notes a request of so many bytes.
func (c *connection) arrived(ctx context.Context, h wire.Header, size int) {
	if c.server.talks(ctx) {
		c.server.log.log.Debug("request", c.session.Peer().Who(), "request", kmsg.NameForKey(h.Key), "version", h.Version, "correlation", h.Correlation, "bytes", size)
	}
}

// answered counts a request that is done: its answer has been sent, or it wants none.
func (c *connection) answered(ctx context.Context, key int16, began time.Time) {
	took := time.Since(began)
	c.trace.requests.Add(1)
	c.server.metrics.answered(key, took)
	if c.server.talks(ctx) {
		c.server.log.log.Debug("answered", "connection", c.peer.Connection, "peer", c.peer.Remote, "request", kmsg.NameForKey(key), "took", took)
	}
}

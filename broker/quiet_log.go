package broker

import (
	"log/slog"
	"sync"
	"time"
)

// Anybody who reaches the port can cause lines about refused connections, so there are at most so many in a while.
const (
	quietLines = 20
	quietTime  = 10 * time.Second
)

// quietLog passes on warnings, but not a flood of them.
type quietLog struct {
	log *slog.Logger
	mu  struct {
		sync.Mutex
		began   time.Time
		lines   int
		skipped int
	}
}

// warn logs a warning, or counts it when there were many lately.
func (q *quietLog) warn(message string, args ...any) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now := time.Now(); now.Sub(q.mu.began) > quietTime {
		if q.mu.skipped > 0 {
			q.log.Warn("left out lines like the last", "lines", q.mu.skipped)
		}
		q.mu.began, q.mu.lines, q.mu.skipped = now, 0, 0
	}
	if q.mu.lines++; q.mu.lines > quietLines {
		q.mu.skipped++
		return
	}
	q.log.Warn(message, args...)
}

package broker

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/broker/diskroom"
	"github.com/loghaul/loghaul/broker/topics"
)

// recovery is what one start did to logs that the last stop had not closed.
type recovery struct {
	mu struct {
		sync.Mutex
		cuts  int
		bytes int64
	}
}

// cut counts; logs are opened several at a time.
func (r *recovery) cut(c commitlog.Cut) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.cuts++
	r.mu.bytes += c.Bytes
}

// tell says in one line that the last stop was not a clean one, and what came of it; each cut has its own line besides.
func (r *recovery) tell(log *slog.Logger, t *topics.Topics, took time.Duration) {
	logs, checked := 0, int64(0)
	for _, topic := range t.List() {
		for _, p := range topic.Partitions() {
			if p.Log.Unclean() {
				logs++
				checked += p.Log.Rechecked()
			}
		}
	}
	if logs == 0 {
		return
	}
	r.mu.Lock()
	cuts, bytes := r.mu.cuts, r.mu.bytes
	r.mu.Unlock()
	outcome := "nothing had to be cut off"
	if cuts > 0 {
		outcome = fmt.Sprintf("%s had to be cut off in %d places", diskroom.Bytes(bytes), cuts)
	}
	log.Info(fmt.Sprintf("the last stop was not a clean one: %s of %d logs were checked in %s, and %s",
		diskroom.Bytes(checked), logs, took.Round(time.Millisecond), outcome))
}

// filesBeside is how many files are open beside those of partitions that are written to: connections, mostly.
const filesBeside = 1000

// warnOfFiles says so when more partitions may be written to than files may be open.
func warnOfFiles(log *slog.Logger, t *topics.Topics, most int64) {
	partitions := int64(0)
	for _, topic := range t.List() {
		partitions += int64(len(topic.Partitions()))
	}
	if most > 0 && partitions+filesBeside > most {
		log.Warn("each partition that is written to holds a file open, and this process may not have so many: allow more with ulimit -n, or LimitNOFILE= of the service",
			"partitions", partitions, "most files", most, "wanted", partitions+filesBeside)
	}
}

package broker

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/broker/group"
	"github.com/loghaul/loghaul/internal/record"
)

const (
	mostLosses = 10_000     // partitions of groups that are counted for themselves
	mostNamed  = 10         // groups that one line names
	others     = "(others)" // those beyond
)

// Loss says how many records one group has lost in one partition: age, size or want of room deleted them before the group
// had committed that it read them. What is trimmed on purpose is no loss.
type Loss struct {
	Group     string `json:"group"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Records   int64  `json:"records"`
}

// lossKey is whose loss it is.
type lossKey struct {
	group string
	at    group.Partition
}

// losses counts what groups lose to retention.
type losses struct {
	log     *slog.Logger
	changed chan struct{} // buffered: there is something to write down
	mu      struct {
		sync.Mutex
		records map[lossKey]int64
	}
}

func newLosses(log *slog.Logger) *losses {
	l := &losses{log: log, changed: make(chan struct{}, 1)}
	l.mu.records = map[lossKey]int64{}
	return l
}

// note holds a deletion against what the groups have read, counts what each has lost and says so in one line.
func (l *losses) note(d commitlog.Deletion, at group.Partition, readers []group.Reader) {
	if lost, named := l.count(at, d.From, d.To, readers); lost > 0 {
		l.log.Warn("records were deleted that groups had not read: let them read faster, or keep more with "+settingOf(d.Reason),
			"topic", at.Topic, "partition", at.Index, "from", int64(d.From), "to", int64(d.To), "reason", string(d.Reason), "groups", named)
	}
}

// count adds what each group had not read of the records between two offsets, and says how many that are and whose.
func (l *losses) count(at group.Partition, from, to record.Offset, readers []group.Reader) (lost int64, groups string) {
	var named []string
	for _, r := range readers {
		n := int64(to - max(from, r.Offset))
		if n <= 0 {
			continue
		}
		l.add(lossKey{r.Group, at}, n)
		if lost += n; len(named) < mostNamed {
			named = append(named, fmt.Sprintf("%s (%d)", r.Group, n))
		} else if len(named) == mostNamed {
			named = append(named, "and others")
		}
	}
	return lost, strings.Join(named, ", ")
}

// settingOf is what decides about deletions for a reason.
func settingOf(r commitlog.Reason) string {
	switch r {
	case commitlog.ReasonAge:
		return "retention.ms"
	case commitlog.ReasonSize:
		return "retention.bytes"
	}
	return "--disk-budget"
}

// add counts for one group; beyond mostLosses they are counted together.
func (l *losses) add(k lossKey, n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.mu.records[k]; !known && len(l.mu.records) >= mostLosses {
		k = lossKey{group: others}
	}
	l.mu.records[k] += n
	l.touch()
}

// forget drops a topic that is gone.
func (l *losses) forget(topic string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := len(l.mu.records)
	maps.DeleteFunc(l.mu.records, func(k lossKey, _ int64) bool { return k.at.Topic == topic && k.group != others })
	if len(l.mu.records) < before {
		l.touch()
	}
}

// touch has the account written down.
func (l *losses) touch() {
	select {
	case l.changed <- struct{}{}:
	default: // it will be
	}
}

// list are all losses, in order.
func (l *losses) list() []Loss {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]Loss, 0, len(l.mu.records))
	for k, n := range l.mu.records {
		list = append(list, Loss{k.group, k.at.Topic, k.at.Index, n})
	}
	slices.SortFunc(list, func(a, b Loss) int {
		return cmp.Or(strings.Compare(a.Group, b.Group), strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return list
}

// partitionOf takes a log's name apart: web_log-0.
func partitionOf(log string) (group.Partition, bool) {
	dash := strings.LastIndexByte(log, '-')
	if dash < 0 {
		return group.Partition{}, false
	}
	index, err := strconv.ParseInt(log[dash+1:], 10, 32)
	return group.Partition{Topic: log[:dash], Index: int32(index)}, err == nil
}

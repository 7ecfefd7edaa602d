package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/record"
)

// point is a place in a topic as --from and --to name it: beginning, end, OFFSET, -N (that many before the end of each
// partition), TIME or AGE.
type point struct {
	kind pointKind
	n    int64 // the offset, the count, or milliseconds since 1970
}

type pointKind int

const (
	atBeginning pointKind = iota
	atEnd
	atOffset
	beforeEnd
	atTime
)

// timeLayouts are what a TIME may look like; without a zone it is UTC, as everything printed is.
var timeLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"}

func parsePoint(flag, s string, now time.Time) (point, error) {
	switch s {
	case "beginning":
		return point{kind: atBeginning}, nil
	case "end":
		return point{kind: atEnd}, nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if n < 0 {
			return point{beforeEnd, -n}, nil
		}
		return point{atOffset, n}, nil
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return point{atTime, t.UnixMilli()}, nil
		}
	}
	if age, err := etcdconf.ParseDuration(s); err == nil && age >= 0 {
		return point{atTime, now.Add(-age).UnixMilli()}, nil
	}
	return point{}, usageErrorf("--%s %s: must be beginning, end, an offset, -N, a time such as 2026-11-21T10:00Z, or an age such as 15m", flag, s)
}

// bounds are the offsets a partition holds: Start is there, End is not yet.
type bounds struct{ start, end record.Offset }

// resolve finds the point in every partition, within its bounds. A time later than every record is the end.
func (p point) resolve(ctx context.Context, c *cluster, topic string, leaders map[int32]string, held map[int32]bounds) (map[int32]record.Offset, error) {
	at := map[int32]record.Offset{}
	var timed map[int32]record.Offset
	if p.kind == atTime {
		var err error
		if timed, err = c.offsets(ctx, topic, leaders, p.n); err != nil {
			return nil, fmt.Errorf("finding the time in the topic: %w", err)
		}
	}
	for n, b := range held {
		o := b.start
		switch p.kind {
		case atEnd:
			o = b.end
		case atOffset:
			o = record.Offset(p.n)
		case beforeEnd:
			o = b.end - record.Offset(p.n)
		case atTime:
			if o = timed[n]; o < 0 {
				o = b.end
			}
		}
		at[n] = o
	}
	return at, nil
}

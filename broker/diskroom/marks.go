package diskroom

import "fmt"

// marks are the levels of the budget, in bytes; see the drawing in room.go.
type marks struct{ target, begin, resume, limit, budget int64 }

// marksOf divides a budget: the last twentieth is the reserve.
func marksOf(budget int64) marks {
	limit := budget - budget/20
	return marks{target: limit - limit/10, begin: limit - limit/20, resume: limit - limit/50, limit: limit, budget: budget}
}

// MostSegment is how big a segment may grow under a budget, in bytes: what is deleted for room is whole segments, and
// shall not be much more than what is needed. 0: no budget, no limit.
func MostSegment(budget int64) int64 { return marksOf(budget).limit / 32 }

// worth is how big it must be to be sealed when room is needed, so that not every look makes a tiny segment.
func (m marks) worth(logs int) int64 { return max(m.limit/int64(max(256, 4*logs)), 1) }

// Bytes writes a size for people: 1.5 GiB.
func Bytes(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d bytes", n)
	}
	f, i := float64(n)/1024, 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	return fmt.Sprintf("%.1f %ciB", f, units[i])
}

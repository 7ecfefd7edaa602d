package topics

import "github.com/loghaul/loghaul/broker/commitlog"

// logConfig are the settings of a topic's logs. With little room on the disk segments are small, whatever segment.bytes
// says, because only whole ones can make room; a compacted topic makes none, and keeps its own.
func (t *Topics) logConfig(e *Effective) commitlog.Config {
	c := e.Log
	if most := t.cfg.MostSegment; most > 0 && !c.Compact {
		c.SegmentBytes = min(c.SegmentBytes, most)
	}
	return c
}

package journal

import "time"

// today is the day that generations are remembered by: since 1970, while clocks are right
// and agents run. Days in which no agent ran, and those that a clock jumps over, are at
// most one: no file was looked for in them, and none is forgotten for them. mu is held.
func (j *Journal) today() int32 {
	now := j.cfg.Now()
	if j.mu.opened.IsZero() {
		j.mu.opened, j.mu.day = now, day(now)
		newest := int32(-1)
		for _, g := range j.mu.gens {
			newest = max(newest, g.Seen)
		}
		if newest >= 0 {
			j.mu.day = max(newest, min(j.mu.day, newest+1))
		}
	}
	return j.mu.day + max(0, int32(now.Sub(j.mu.opened)/(24*time.Hour)))
}

func day(t time.Time) int32 { return int32(t.Unix() / 86400) }

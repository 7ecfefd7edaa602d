package group

import "time"

// consumerTimes are how long a member of this consumer group may say nothing, and the time between two heartbeats that it
// is told: the group's own, or those for all.
func (g *group) consumerTimes() (session, interval time.Duration) {
	if g.c.cfg.ConsumerTimes != nil {
		return g.c.cfg.ConsumerTimes(string(g.id))
	}
	return g.c.cfg.ConsumerSession, g.c.cfg.ConsumerInterval
}

package bench

import (
	"context"
	"time"
)

// AgentSize is how much the legs of an agent's measurement move.
type AgentSize struct {
	Name    string
	Rounds  int           // of the legs that compare speed
	Lines   int           // of the log that goes to a topic or to nothing
	Nothing int           // MB that go to nothing at least: processor time is told in hundredths of a second
	Visible time.Duration // how long lines are appended and looked for
	Idle    time.Duration // how long an idle agent is watched
	Few     int           // idle files, beside 50 that are written to
	Many    int           // idle files
}

// AgentSizes are those that can be asked for by name.
var AgentSizes = []AgentSize{
	{Name: "full", Rounds: 3, Lines: 3_000_000, Nothing: 1500, Visible: 15 * time.Second, Idle: 60 * time.Second, Few: 10_000, Many: 100_000},
	{Name: "short", Rounds: 1, Lines: 1_000_000, Nothing: 500, Visible: 8 * time.Second, Idle: 20 * time.Second, Few: 10_000, Many: 100_000},
}

// agentLeg is one measurement, of each agent in turn.
type agentLeg struct {
	name    string // as it is asked for
	rounds  int    // at most
	measure func(context.Context, *agentBench) ([]BrokerLeg, error)
}

var agentLegs = []agentLeg{
	{"topic", 3, toTopic("none", true)},
	{"topic-snappy", 3, toTopic("snappy", false)},
	{"topic-lz4", 3, toTopic("lz4", false)},
	{"nothing", 3, toNothing},
	{"visible", 3, visible},
	{"idle", 1, agentIdle},
	{"many", 1, agentMany},
}

// AgentLegs are the names of the legs, in their order.
func AgentLegs() []string {
	var names []string
	for _, l := range agentLegs {
		names = append(names, l.name)
	}
	return names
}

package bench

import (
	"context"
	"time"
)

// Size is how much the legs move.
type Size struct {
	Name    string
	Rounds  int           // of the legs that compare speed
	Warm    int           // MB that go through before a leg that compares speed: a JVM compiles what it runs often
	Perf    int           // MB that Kafka's own tools move
	Sarama  time.Duration // how long sarama writes and reads
	Old     int           // records that one of its consumers reads again and again
	Raw     int           // MB in batches built by hand
	Small   time.Duration // how long small batches are sent
	Seen    time.Duration // how long a consumer waits for records at 50 MB/s
	Idle    time.Duration // how long an idle broker is watched
	Parts   int           // partitions of an idle broker
	Crash   int           // MB on disk when the broker is killed
	Spread  int           // partitions that these are spread over, the second time
	Clients int           // open connections
	Many    int           // partitions that are to work
}

// Sizes are those that can be asked for by name.
var Sizes = []Size{
	{Name: "full", Rounds: 3, Warm: 800, Perf: 1000, Sarama: 15 * time.Second, Old: 2_100_000, Raw: 2000, Small: 10 * time.Second, Seen: 15 * time.Second,
		Idle: 30 * time.Second, Parts: 1000, Crash: 10_000, Spread: 1000, Clients: 5000, Many: 10_000},
	{Name: "short", Rounds: 1, Warm: 300, Perf: 300, Sarama: 5 * time.Second, Old: 2_100_000, Raw: 1000, Small: 4 * time.Second, Seen: 5 * time.Second,
		Idle: 10 * time.Second, Parts: 1000, Crash: 1000, Spread: 1000, Clients: 5000, Many: 10_000},
}

// leg is one measurement, of each server in turn.
type leg struct {
	name    string // as it is asked for
	java    bool   // needs Kafka's own tools
	alone   bool   // of this broker only: a Kafka needs more open files for it than most machines allow
	rounds  int    // at most
	measure func(context.Context, *brokerBench, *server) ([]BrokerLeg, error)
}

var legs = []leg{
	{"perf-127", true, false, 3, perf(127)},
	{"perf-1000", true, false, 3, perf(1000)},
	{"sarama", false, false, 3, saramaBothWays},
	{"raw-64k", false, false, 3, raw(64 << 10)},
	{"raw-256k", false, false, 3, raw(256 << 10)},
	{"raw-1m", false, false, 3, raw(1 << 20)},
	{"small", false, false, 3, small},
	{"seen", false, false, 3, seen},
	{"idle", false, false, 1, idle},
	{"crash-one", false, false, 1, crashOne},
	{"crash-spread", false, false, 1, crashSpread},
	{"clients", false, false, 1, clients},
	{"many", false, true, 1, many},
}

// BrokerLegs are the names of the legs, in their order.
func BrokerLegs() []string {
	var names []string
	for _, l := range legs {
		names = append(names, l.name)
	}
	return names
}

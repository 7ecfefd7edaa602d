package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

// brokers starts a cluster that is not ours, so that the commands are held to the protocol and not to our broker.
func brokers(t *testing.T, opts ...kfake.Opt) string {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(2)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return strings.Join(c.ListenAddrs(), ",")
}

func TestATopicsLife(t *testing.T) {
	at := brokers(t)
	loghaul(t, "topic", "list", "--brokers", at).want(t, exitDone, "no topics yet")
	loghaul(t, "topic", "create", "orders", "--partitions", "3", "--replicas", "1", "--set", "retention.ms=1000", "--brokers", at).want(t, exitDone, "created topic orders")
	loghaul(t, "topic", "create", "orders", "--partitions", "3", "--replicas", "1", "--brokers", at).want(t, exitFailed, "topic orders exists already")
	loghaulWith(t, "a\nb\nc\n", "produce", "orders", "--partition", "1", "--brokers", at).want(t, exitDone)

	if o := loghaul(t, "topic", "list", "-o", "name", "--brokers", at).want(t, exitDone); o.stdout != "orders\n" {
		t.Errorf("topic list -o name = %q", o.stdout)
	}
	var list struct {
		Topics []struct {
			Topic      string
			Partitions int
		}
	}
	o := loghaul(t, "topic", "list", "-o", "json", "--brokers", at).want(t, exitDone)
	if err := json.Unmarshal([]byte(o.stdout), &list); err != nil || len(list.Topics) != 1 || list.Topics[0].Partitions != 3 {
		t.Errorf("topic list -o json = %s, %v", o.stdout, err)
	}
	d := describe(t, at, "orders")
	if len(d.Partitions) != 3 || d.Partitions[1].Latest != 3 || d.Partitions[0].Latest != 0 || d.ID == "" {
		t.Errorf("topic describe = %+v, want an id and 3 partitions, the second with 3 records", d)
	}
	if d.Configs["retention.ms"] != "1000" {
		t.Errorf("configs = %v, want retention.ms=1000", d.Configs)
	}
	if o := loghaul(t, "topic", "describe", "orders", "--brokers", at).want(t, exitDone); !strings.Contains(o.stdout, "retention.ms") {
		t.Errorf("topic describe = %s, want the setting in it", o.stdout)
	}
	loghaul(t, "topic", "describe", "nothing", "--brokers", at).want(t, exitFailed, "topic nothing does not exist")
	loghaul(t, "topic", "create", "web/log", "--brokers", at).want(t, exitFailed, `"web/log" is no topic name`)
}

func TestDeletingShowsItsPlanFirst(t *testing.T) {
	at := brokers(t, kfake.SeedTopics(2, "orders"))
	loghaulWith(t, "a\nb\nc\n", "produce", "orders", "--brokers", at).want(t, exitDone)
	o := loghaul(t, "topic", "delete", "orders", "--brokers", at).want(t, exitDone)
	if !strings.Contains(o.stdout, "would delete topic orders: 2 partitions, 3 records") {
		t.Errorf("the plan is %q", o.stdout)
	}
	if d := describe(t, at, "orders"); len(d.Partitions) != 2 {
		t.Errorf("after the plan the topic is %+v, want it whole", d)
	}
	loghaul(t, "topic", "delete", "orders", "--yes", "--brokers", at).want(t, exitDone, "deleted topic orders")
	loghaul(t, "topic", "delete", "orders", "--yes", "--brokers", at).want(t, exitFailed, "topic orders does not exist")
}

func TestAlteringATopicTakesEffect(t *testing.T) {
	at := brokers(t, kfake.SeedTopics(1, "orders"))
	loghaul(t, "topic", "alter", "orders", "retention.ms=1000", "segment.bytes=2000000", "--brokers", at).want(t, exitDone, "altered topic orders: retention.ms=1000")
	if d := describe(t, at, "orders"); d.Configs["retention.ms"] != "1000" || d.Configs["segment.bytes"] != "2000000" {
		t.Errorf("configs = %v, want what was set", d.Configs)
	}
	loghaul(t, "topic", "alter", "orders", "--unset", "retention.ms", "--brokers", at).want(t, exitDone, "retention.ms as the broker has it")
	if d := describe(t, at, "orders"); d.Configs["retention.ms"] == "1000" || d.Configs["segment.bytes"] != "2000000" {
		t.Errorf("configs = %v, want only retention.ms put back", d.Configs)
	}
	loghaul(t, "topic", "alter", "orders", "--brokers", at).want(t, exitUsage, "say what to change")
	loghaul(t, "topic", "alter", "orders", "nonsense", "--brokers", at).want(t, exitUsage, "NAME=VALUE")
	loghaul(t, "topic", "alter", "nothing", "retention.ms=1", "--brokers", at).want(t, exitFailed, "topic nothing does not exist")
}

func TestTrimmingShowsItsPlanFirst(t *testing.T) {
	at := brokers(t, kfake.SeedTopics(2, "orders"))
	loghaulWith(t, numbered(10), "produce", "orders", "--partition", "1", "--brokers", at).want(t, exitDone)
	o := loghaul(t, "topic", "trim", "orders", "--before", "4", "--brokers", at).want(t, exitDone)
	if !strings.Contains(o.stdout, "orders partition 1: 4 records, offsets 0 to 3") || strings.Contains(o.stdout, "partition 0") {
		t.Errorf("the plan is %q", o.stdout)
	}
	if d := describe(t, at, "orders"); d.Partitions[1].Earliest != 0 {
		t.Errorf("after the plan the topic begins at %d", d.Partitions[1].Earliest)
	}
	loghaul(t, "topic", "trim", "orders", "--before", "4", "--yes", "--brokers", at).want(t, exitDone, "deleted", "4 records")
	if d := describe(t, at, "orders"); d.Partitions[1].Earliest != 4 || d.Partitions[1].Latest != 10 {
		t.Errorf("trimmed to %+v, want 4 to 10", d.Partitions[1])
	}
	loghaul(t, "topic", "trim", "orders", "--before", "-2", "--yes", "--brokers", at).want(t, exitDone, "4 records, offsets 4 to 7")
	if o := loghaul(t, "topic", "trim", "orders", "--before", "2020-01-01", "--brokers", at).want(t, exitDone); !strings.Contains(o.stdout, "nothing to trim") {
		t.Errorf("nothing is so old, but it said %q", o.stdout)
	}
	loghaul(t, "topic", "trim", "orders", "--before", "9", "--partition", "5", "--brokers", at).want(t, exitFailed, "no partition 5")
	loghaul(t, "topic", "trim", "orders", "--brokers", at).want(t, exitUsage, "--before")
}

func TestNoBrokerThere(t *testing.T) {
	for _, args := range [][]string{{"topic", "list"}, {"consume", "t"}, {"produce", "t"}, {"topic", "create", "t"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			loghaul(t, append(args, "--brokers", "127.0.0.1:1")...).want(t, exitFailed, "127.0.0.1:1", "--brokers")
		})
	}
}

// described is what scripts read from topic describe.
type described struct {
	Topic, ID  string
	Partitions []struct {
		Partition        int
		Earliest, Latest int64
	}
	Configs map[string]string
}

func describe(t *testing.T, at, topic string) (d described) {
	t.Helper()
	o := loghaul(t, "topic", "describe", topic, "-o", "json", "--brokers", at).want(t, exitDone)
	if err := json.Unmarshal([]byte(o.stdout), &d); err != nil {
		t.Fatalf("topic describe printed %s: %v", o.stdout, err)
	}
	return d
}

// numbered gives lines 0 to n-1.
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, "line", i)
	}
	return b.String()
}

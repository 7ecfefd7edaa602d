package cli

import (
	"os"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

func TestATrimNamesTheGroupsThatHaveNotReadWhatGoes(t *testing.T) {
	at := brokers(t, kfake.SeedTopics(2, "t"))
	twoPartitions(t, at) // readers has read 4 of partition 0 and nothing of partition 1
	committedAt(t, at, "done", 10)
	loghaul(t, "group", "reset", "done", "--topic", "t", "--to", "latest", "--yes", "--brokers", at).want(t, exitDone)
	never := reader(t, at, "silent")
	soon(t, "a member that reads", func() bool {
		o := loghaul(t, "group", "describe", "silent", "--brokers", at)
		return strings.Contains(o.stdout, "t 0,1")
	})
	plan := loghaul(t, "topic", "trim", "t", "--before", "6", "--brokers", at).want(t, exitDone).stdout
	for _, want := range []string{"not read by group readers: 8 records\n", "group silent reads there and has committed nothing yet\n", "t partition 1: 6 records, offsets 0 to 5\n"} {
		if !strings.Contains(plan, want) {
			t.Errorf("the plan is %q, want %q in it", plan, want)
		}
	}
	if strings.Contains(plan, "done") {
		t.Errorf("a group that has read all is named: %q", plan)
	}
	if plan = loghaul(t, "topic", "trim", "t", "--before", "4", "--partition", "0", "--brokers", at).want(t, exitDone).stdout; strings.Contains(plan, "readers") {
		t.Errorf("a group that has read what goes is named: %q", plan)
	}
	loghaul(t, "topic", "trim", "t", "--before", "6", "--partition", "0", "--yes", "--brokers", at).want(t, exitDone, "not read by group readers: 2 records")
	never()
}

func TestATrimBeyondTheEndIsASlip(t *testing.T) {
	at := brokers(t, kfake.SeedTopics(2, "t"))
	loghaulWith(t, numbered(10), "produce", "t", "--partition", "1", "--brokers", at).want(t, exitDone)
	loghaul(t, "topic", "trim", "t", "--before", "11", "--yes", "--brokers", at).want(t, exitFailed,
		"there is no offset 11 yet: partition 0 ends at 0, partition 1 ends at 10 (--before end deletes everything)")
	loghaul(t, "topic", "trim", "t", "--before", "11", "--partition", "1", "--yes", "--brokers", at).want(t, exitFailed, "partition 1 ends at 10")
	if d := describe(t, at, "t"); d.Partitions[1].Earliest != 0 {
		t.Errorf("it was trimmed to %d all the same", d.Partitions[1].Earliest)
	}
	loghaulWith(t, numbered(3), "produce", "t", "--partition", "0", "--brokers", at).want(t, exitDone)
	o := loghaul(t, "topic", "trim", "t", "--before", "5", "--brokers", at).want(t, exitDone)
	if !strings.Contains(o.stdout, "partition 0: 3 records, offsets 0 to 2 (all there are: there is no offset 5 yet)") {
		t.Errorf("the plan is %q", o.stdout)
	}
	loghaul(t, "topic", "trim", "t", "--before", "10", "--partition", "1", "--yes", "--brokers", at).want(t, exitDone, "10 records, offsets 0 to 9")
}

func TestATrimCountsNoRecordsThatAreLostAlready(t *testing.T) {
	b, at := damagedBroker(t, func(_ string, segments []string) {
		if err := os.Remove(segments[1]); err != nil {
			t.Fatal(err)
		}
	})
	soon(t, "the loss in the plan", func() bool { // the start tells it beside its work
		o := loghaul(t, "topic", "trim", "t", "--before", "3", "--brokers", at).want(t, exitDone)
		return strings.Contains(o.stdout, "t partition 0: 2 records, offsets 0 to 2, 1 of them damaged or lost already\n")
	})
	b.end()
}

func TestPlacesThatOverlapAreCountedOnce(t *testing.T) {
	damaged := []diskUnreadable{{"t", 0, 20, 30}, {"t", 0, 5, 12}, {"t", 0, 8, 22}, {"t", 1, 0, 100}, {"u", 0, 0, 100}, {"t", 0, 90, 200}}
	for want, b := range map[int]bounds{0: {0, 5}, 1: {0, 6}, 25: {0, 50}, 20: {10, 30}, 35: {0, 100}} {
		if got := unreadable(damaged, "t", 0, b); int(got) != want {
			t.Errorf("from %d to %d: %d offsets, want %d", b.start, b.end, got, want)
		}
	}
}

func TestWhatTheBrokersLiveByIsNotTakenAway(t *testing.T) {
	b := begin(t, nil, "broker", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--admin", "none", "--create-topics", "a.b:1")
	at := b.ready()["broker"]
	for _, yes := range [][]string{nil, {"--yes"}} {
		loghaul(t, append([]string{"topic", "delete", "__consumer_offsets", "--brokers", at}, yes...)...).want(t, exitFailed, "the brokers' own", "it is not deleted by hand")
		loghaul(t, append([]string{"topic", "trim", "__consumer_offsets", "--before", "end", "--brokers", at}, yes...)...).want(t, exitFailed, "it is not trimmed by hand")
	}
	loghaul(t, "topic", "create", "__consumer_offsets", "--brokers", at).want(t, exitFailed, "__consumer_offsets is the broker's own")
	loghaul(t, "topic", "create", "a_b", "--brokers", at).want(t, exitFailed, "Topic 'a_b' collides with existing topic: a.b: choose another name")
	loghaul(t, "topic", "trim", "nothing", "--before", "end", "--brokers", at).want(t, exitFailed, "topic nothing does not exist")
	b.end()
}

func TestPartitionsAreAdded(t *testing.T) {
	b := begin(t, nil, "broker", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--admin", "none", "--create-topics", "t:2")
	at := b.ready()["broker"]
	for _, c := range []struct {
		args []string
		code int
		says string
		has  int
	}{
		{[]string{"partitions=4"}, exitDone, "topic t has 4 partitions now, 2 before", 4},
		{[]string{"partitions=4"}, exitDone, "topic t has 4 partitions already", 4},
		{[]string{"partitions=3"}, exitFailed, "topic t has 4 partitions, and partitions are only added", 4},
		{[]string{"partitions=5", "retention.ms=x"}, exitFailed, "retention.ms", 4},
		{[]string{"partitions=5", "retention.ms=1000"}, exitDone, "altered topic t: retention.ms=1000", 5},
		{[]string{"partitions=6", "partitions=7"}, exitUsage, "once", 5},
		{[]string{"partitions=1000000"}, exitFailed, "adding partitions to topic t", 5},
	} {
		loghaul(t, append([]string{"topic", "alter", "t", "--brokers", at}, c.args...)...).want(t, c.code, c.says)
		if d := describe(t, at, "t"); len(d.Partitions) != c.has {
			t.Fatalf("after %v there are %d partitions, want %d", c.args, len(d.Partitions), c.has)
		}
	}
	loghaul(t, "topic", "alter", "nothing", "partitions=4", "--brokers", at).want(t, exitFailed, "topic nothing does not exist")
	loghaul(t, "topic", "alter", "__consumer_offsets", "partitions=400", "--brokers", at).want(t, exitFailed, "the brokers' own", "it is not given partitions by hand")
	b.end()
}

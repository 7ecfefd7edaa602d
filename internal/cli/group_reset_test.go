package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/loghaul/loghaul/internal/realkafka"
)

// standsAt is where a group has committed in a partition of t; -1: nowhere.
func standsAt(t *testing.T, at, group string, partition int32) int64 {
	t.Helper()
	for _, p := range groupsAt(t, at, exitAny)[group].Partitions {
		if p.Partition == partition {
			return p.Committed
		}
	}
	return -1
}

// twoPartitions holds lines 0 to 9 in both partitions of t, of which group readers has read the first four of partition 0.
func twoPartitions(t *testing.T, at string) {
	t.Helper()
	for _, p := range []string{"0", "1"} {
		loghaulWith(t, numbered(10), "produce", "t", "--partition", p, "--brokers", at).want(t, exitDone)
	}
	committedAt(t, at, "readers", 4)
}

func TestMovingAGroupShowsItsPlanFirst(t *testing.T) {
	at := brokers(t, kfake.SeedTopics(2, "t"))
	twoPartitions(t, at)
	reset := func(args ...string) outcome {
		t.Helper()
		return loghaul(t, append([]string{"group", "reset", "readers", "--topic", "t", "--brokers", at, "--to"}, args...)...).want(t, exitDone)
	}
	o := reset("2")
	for _, want := range []string{"would move group readers\n", "t partition 0: from 4 back to 2: 2 records again\n", "t partition 1: nothing committed, to 2\n", "--yes moves it\n"} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("the plan is %q, want %q in it", o.stdout, want)
		}
	}
	if s := standsAt(t, at, "readers", 0); s != 4 {
		t.Fatalf("after the plan the group stands at %d", s)
	}
	for _, c := range []struct {
		to     []string
		p0, p1 int64
		says   string
	}{
		{[]string{"2"}, 2, 2, "from 4 back to 2: 2 records again"},
		{[]string{"latest"}, 10, 10, "from 2 on to 10: 8 records passed over"},
		{[]string{"earliest"}, 0, 0, "from 10 back to 0: 10 records again"},
		{[]string{"7", "--partition", "1"}, 0, 7, "t partition 1: from 0 on to 7: 7 records passed over"},
		{[]string{"-3"}, 7, 7, "from 0 on to 7"},
		{[]string{"1h"}, 0, 0, "from 7 back to 0"},
		{[]string{"2100-01-01"}, 10, 10, "from 0 on to 10"},
		{[]string{"2020-01-01T10:00Z"}, 0, 0, "from 10 back to 0"},
		{[]string{"500"}, 10, 10, "(it ends there: there is no offset 500)"},
	} {
		if o := reset(append(c.to, "--yes")...); !strings.Contains(o.stderr, "moved group readers\n") || !strings.Contains(o.stderr, c.says) || o.stdout != "" {
			t.Errorf("to %v: said %q and %q, want %q", c.to, o.stdout, o.stderr, c.says)
		}
		if p0, p1 := standsAt(t, at, "readers", 0), standsAt(t, at, "readers", 1); p0 != c.p0 || p1 != c.p1 {
			t.Errorf("to %v: the group stands at %d and %d, want %d and %d", c.to, p0, p1, c.p0, c.p1)
		}
	}
	if o := reset("latest", "--yes"); !strings.HasPrefix(o.stdout, "nothing to move: group readers is there already\n") {
		t.Errorf("said %q", o.stdout)
	}
	reset("3", "--yes")
	if o := loghaul(t, "consume", "t", "--group", "readers", "--follow=false", "--format", `%o\n`, "--brokers", at).want(t, exitDone); strings.Count(o.stdout, "3\n") != 2 || strings.Count(o.stdout, "\n") != 14 {
		t.Errorf("moved to 3 in both partitions the group shows %q", o.stdout)
	}
}

func TestAGroupThatCannotBeMovedIsRefusedWithAReason(t *testing.T) {
	at := brokers(t, kfake.SeedTopics(2, "t"))
	twoPartitions(t, at)
	never := reader(t, at, "busy")
	soon(t, "a member", func() bool { return groupsAt(t, at, exitDone)["busy"].Members == 1 })
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"busy --topic t --to earliest", exitFailed, "group busy has 1 member: stop them first"},
		{"busy --topic t --to earliest --yes", exitFailed, "loghaul group describe busy names them"},
		{"nobody --topic t --to earliest --yes", exitFailed, "group nobody does not exist"},
		{"readers --topic nothing --to earliest --yes", exitFailed, "topic nothing does not exist"},
		{"readers --topic t --to earliest --partition 2", exitFailed, "topic t has no partition 2: it has 2"},
		{"readers --topic t", exitUsage, "say where to go on with --to"},
		{"readers --to 3", exitUsage, "name the topic with --topic"},
		{"readers --topic t --to yesterday", exitUsage, "--to yesterday: must be earliest, latest, an offset"},
		{"--topic t --to earliest", exitUsage, "loghaul group reset: give one GROUP"},
	} {
		loghaul(t, append([]string{"group", "reset", "--brokers", at}, strings.Fields(c.args)...)...).want(t, c.code, c.says)
	}
	if s := standsAt(t, at, "readers", 0); s != 4 {
		t.Errorf("the group was moved to %d", s)
	}
	never()
}

func TestAGroupOfARealKafkaIsMoved(t *testing.T) {
	at := realkafka.Start(t, realkafka.Config{}).Addr
	loghaul(t, "topic", "create", "t", "--partitions", "2", "--brokers", at).want(t, exitDone)
	twoPartitions(t, at)
	o := loghaul(t, "group", "reset", "readers", "--topic", "t", "--to", "1h", "--brokers", at).want(t, exitDone)
	if !strings.Contains(o.stdout, "t partition 0: from 4 back to 0: 4 records again\n") {
		t.Errorf("the plan is %q", o.stdout)
	}
	loghaul(t, "group", "reset", "readers", "--topic", "t", "--to", "8", "--yes", "--brokers", at).want(t, exitDone, "moved group readers", "from 4 on to 8: 4 records passed over")
	o = loghaul(t, "consume", "t", "--group", "readers", "--follow=false", "--format", `%p:%o `, "--brokers", at).want(t, exitDone)
	if len(strings.Fields(o.stdout)) != 4 || !strings.Contains(o.stdout, "0:8 ") || !strings.Contains(o.stdout, "1:8 ") {
		t.Errorf("moved to 8 in both partitions the group shows %q", o.stdout)
	}
	never := reader(t, at, "busy")
	soon(t, "a member", func() bool { return groupsAt(t, at, exitDone)["busy"].Members == 1 })
	loghaul(t, "group", "reset", "busy", "--topic", "t", "--to", "latest", "--yes", "--brokers", at).want(t, exitFailed, "group busy has 1 member")
	never()
	newer := context.WithValue(context.Background(), "opt_in_kafka_next_gen_balancer_beta", true) //nolint:staticcheck // its own key
	cl, err := kgo.NewClient(kgo.SeedBrokers(at), kgo.ConsumerGroup("newer"), kgo.ConsumeTopics("t"), kgo.WithContext(newer), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for n := 0; n < 20; {
		fetches := cl.PollFetches(ctx)
		if n += fetches.NumRecords(); ctx.Err() != nil {
			t.Fatalf("%d records came, %v", n, fetches.Err())
		}
	}
	if err := cl.CommitUncommittedOffsets(ctx); err != nil {
		t.Fatal(err)
	}
	back := []string{"group", "reset", "newer", "--topic", "t", "--to", "9", "--yes", "--brokers", at}
	loghaul(t, back...).want(t, exitFailed, "group newer has 1 member")
	cl.Close()
	loghaul(t, back...).want(t, exitDone, "t partition 0: from 10 back to 9", "t partition 1: from 10 back to 9")
	if o = loghaul(t, "topic", "trim", "t", "--before", "9", "--brokers", at).want(t, exitDone); strings.Contains(o.stdout, "not read by") {
		t.Errorf("the group has read all, but the plan says %q", o.stdout)
	}
	loghaul(t, "topic", "alter", "t", "partitions=3", "--brokers", at).want(t, exitDone, "topic t has 3 partitions now, 2 before")
	loghaul(t, "topic", "trim", "__consumer_offsets", "--before", "end", "--yes", "--brokers", at).want(t, exitFailed, "the brokers' own")
}

// What a group is moved to counts for a sink that remembers an offset itself, too: its sidecar would win otherwise.
func TestRule20AMovedGroupRewindsItsSinkToo(t *testing.T) {
	dir := t.TempDir()
	sinks, out := filepath.Join(dir, "sinks"), filepath.Join(dir, "transfer")
	if err := os.Mkdir(sinks, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(sinks, "f.json"), []byte(`{"type":"file","topics":["t"],"path":"{topic}.log"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	broker := begin(t, nil, "broker", "--data", filepath.Join(dir, "broker"), "--listen", "127.0.0.1:0", "--admin", "none", "--create-topics", "t:1")
	at := broker.ready()["broker"]
	var want []string
	for i := range 10 {
		want = append(want, fmt.Sprintf("line %d", i))
	}
	loghaulWith(t, numbered(10), "produce", "t", "--brokers", at).want(t, exitDone)
	carry := func(want []string) *running {
		r := begin(t, nil, "transfer", "--data", out, "--sinks", sinks, "--etcd", "none", "--brokers", at, "--admin", "none")
		r.ready()
		eventually(t, "in the output", want, func() []string { return outLines(t, out) })
		return r
	}
	r := carry(want)
	loghaul(t, "group", "reset", "loghaul-f", "--topic", "t", "--to", "7", "--brokers", at).want(t, exitFailed, "has 1 member", `"paused": true`)
	r.end()
	loghaul(t, "group", "reset", "loghaul-f", "--topic", "t", "--to", "7", "--yes", "--brokers", at).want(t, exitDone, "from 10 back to 7: 3 records again")
	r = carry(append(want, want[7:]...))
	r.end()
	if s := standsAt(t, at, "loghaul-f", 0); s != 10 {
		t.Errorf("the group stands at %d, want 10", s)
	}
	r = carry(append(want, want[7:]...)) // the mark is used up
	r.end()
	eventually(t, "after one more start", append(want, want[7:]...), func() []string { return outLines(t, out) })
	broker.end()
}

func TestTheWayPastDamageThatConsumeNamesWorks(t *testing.T) {
	for _, damaged := range []int{0, 1} {
		_, at := damagedBroker(t, func(_ string, segments []string) { spoil(t, segments[damaged], 200) })
		o := loghaul(t, "consume", "t", "--group", "g", "--follow=false", "--format", `%o\n`, "--brokers", at).want(t, exitFailed)
		_, command, found := strings.Cut(o.stderr, "read on behind it with loghaul ")
		command, _, _ = strings.Cut(command, ",")
		command = strings.Replace(command, "OFFSET", fmt.Sprint(damaged+1), 1) // where the broker was first to find it, status says which
		if !found || strings.Count(o.stdout, "\n") != damaged {
			t.Fatalf("segment %d is damaged: it shows %q and says %q", damaged, o.stdout, o.stderr)
		}
		if s := standsAt(t, at, "g", 0); s != int64(damaged) { // without a commit the group would be forgotten
			t.Errorf("segment %d is damaged: the group stands at %d", damaged, s)
		}
		loghaul(t, append(strings.Fields(command), "--brokers", at)...).want(t, exitDone, "moved group g")
		o = loghaul(t, "consume", "t", "--group", "g", "--follow=false", "--format", `%o\n`, "--brokers", at).want(t, exitDone)
		if n := strings.Count(o.stdout, "\n"); n != 3-damaged || !strings.HasPrefix(o.stdout, fmt.Sprintln(damaged+1)) {
			t.Errorf("segment %d is damaged: behind it the group shows %q", damaged, o.stdout)
		}
	}
}

func TestAGroupInOneLineSaysWhatIsBeyondTheEnd(t *testing.T) {
	at := brokers(t, kfake.SeedTopics(1, "t"))
	loghaulWith(t, numbered(3), "produce", "t", "--brokers", at).want(t, exitDone)
	committedAt(t, at, "wild", 220)
	o := loghaul(t, "group", "list", "--brokers", at).want(t, exitDone, "group wild has committed offset 220 in t/0, which ends at 3", "loghaul group reset wild --topic t --partition 0 --to latest")
	if !strings.Contains(o.stdout, "0, beyond end") {
		t.Errorf("printed %q", o.stdout)
	}
	var list struct {
		Groups []map[string]any
	}
	o = loghaul(t, "group", "list", "-o", "json", "--brokers", at).want(t, exitDone)
	if err := json.Unmarshal([]byte(o.stdout), &list); err != nil || len(list.Groups) != 1 || list.Groups[0]["beyond_end"] != true {
		t.Errorf("printed %s, %v", o.stdout, err)
	}
	var d struct{ Partitions []map[string]any }
	o = loghaul(t, "group", "describe", "wild", "-o", "json", "--brokers", at).want(t, exitDone)
	if err := json.Unmarshal([]byte(o.stdout), &d); err != nil || len(d.Partitions) != 1 || d.Partitions[0]["blocks"] != false || d.Partitions[0]["beyond_end"] != true {
		t.Errorf("printed %s, %v", o.stdout, err)
	}
	loghaul(t, "group", "reset", "wild", "--topic", "t", "--to", "latest", "--yes", "--brokers", at).want(t, exitDone, "from 220, behind its end, back to 3")
	if s := standsAt(t, at, "wild", 0); s != 3 {
		t.Errorf("the group stands at %d, want 3", s)
	}
}

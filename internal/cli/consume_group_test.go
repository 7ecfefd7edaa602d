package cli

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// committedAt sets what a group without members has committed in partition 0 of t.
func committedAt(t *testing.T, at, group string, offset int64) {
	t.Helper()
	cl := newCluster(kafka.Config{Brokers: strings.Split(at, ",")})
	defer cl.Close()
	conn, err := cl.coordinator(t.Context(), group)
	if err != nil {
		t.Fatal(err)
	}
	req, topic, p := kmsg.NewPtrOffsetCommitRequest(), kmsg.NewOffsetCommitRequestTopic(), kmsg.NewOffsetCommitRequestTopicPartition()
	req.Version, req.Group, req.Generation = 7, group, -1
	p.Offset, p.LeaderEpoch = offset, -1
	topic.Topic, topic.Partitions = "t", append(topic.Partitions, p)
	req.Topics = append(req.Topics, topic)
	resp, err := conn.Call(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if code := resp.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode; code != 0 {
		t.Fatalf("the commit was refused with %d", code)
	}
}

func TestAGroupBehindTheEndGoesOnAndCommitsThat(t *testing.T) {
	b := begin(t, nil, "broker", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--admin", "none", "--create-topics", "t:1")
	at := b.ready()["broker"]
	read := func(args ...string) outcome {
		return loghaul(t, append([]string{"consume", "t", "--follow=false", "--format", `%o\n`, "--brokers", at, "--group"}, args...)...).want(t, exitDone)
	}
	for _, g := range []string{"some", "none", "newest"} {
		committedAt(t, at, g, 220)
	}
	if o := read("none").want(t, exitDone, "had read t/0 up to offset 220, and the partition ends at 0"); o.stdout != "" {
		t.Errorf("an empty partition shows %q", o.stdout)
	}
	loghaulWith(t, numbered(2), "produce", "t", "--brokers", at).want(t, exitDone)
	if o := read("some").want(t, exitDone, "ends at 2"); o.stdout != "0\n1\n" {
		t.Errorf("the group shows %q, want 0 and 1", o.stdout)
	}
	read("newest", "--from", "end")
	if s := groupsAt(t, at, exitDone); s["some"].Partitions[0].Committed != 2 || s["none"].Partitions[0].Committed != 0 || s["newest"].Partitions[0].Committed != 2 {
		t.Errorf("the groups have committed %+v", s)
	}
	loghaulWith(t, numbered(300), "produce", "t", "--brokers", at).want(t, exitDone)
	for g, first := range map[string]int{"some": 2, "none": 0, "newest": 2} {
		var want strings.Builder
		for n := first; n < 302; n++ {
			fmt.Fprintln(&want, n)
		}
		if o := read(g); o.stdout != want.String() {
			t.Errorf("group %s shows %d records, want those from %d to 301", g, strings.Count(o.stdout, "\n"), first)
		}
	}
	b.end()
}

func TestWhatWasShownBeforeADamagedBatchIsCommitted(t *testing.T) {
	data := t.TempDir()
	args := []string{"broker", "--data", data, "--listen", "127.0.0.1:0", "--admin", "none", "--create-topics", "t:1"}
	b := begin(t, nil, args...)
	at := b.ready()["broker"]
	for range 3 { // a batch each, in one segment
		loghaulWith(t, strings.Repeat("x", 900)+"\n", "produce", "t", "--brokers", at).want(t, exitDone)
	}
	b.end()
	spoil(t, filepath.Join(data, "t-0", "00000000000000000000.log"), 2*970+200)
	b = begin(t, nil, args...)
	at = b.ready()["broker"]
	o := loghaul(t, "consume", "t", "--group", "g", "--follow=false", "--brokers", at).want(t, exitFailed,
		"loghaul group reset g --topic t --partition 0 --to 3 --yes")
	if n := strings.Count(o.stdout, "\n"); n != 2 {
		t.Errorf("%d records came before the damage, want 2", n)
	}
	if s := groupsAt(t, at, exitAny)["g"]; len(s.Partitions) != 1 || s.Partitions[0].Committed != 2 {
		t.Errorf("the group has committed %+v, want 2", s.Partitions)
	}
	b.end()
}

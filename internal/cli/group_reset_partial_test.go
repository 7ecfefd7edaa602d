package cli

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A cluster may move a group in some partitions and not in others, or say nothing of one: that is no success, and where the
// group stands now must be said.
func TestAGroupThatIsMovedInSomePartitionsOnlyIsSaidToBe(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "t"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	at := c.ListenAddrs()[0]
	twoPartitions(t, at)
	answer := func(codes map[int32]int16) {
		c.ControlKey(int16(kmsg.OffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
			resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
			rt := kmsg.NewOffsetCommitResponseTopic()
			rt.Topic = "t"
			for n, code := range codes {
				p := kmsg.NewOffsetCommitResponseTopicPartition()
				p.Partition, p.ErrorCode = n, code
				rt.Partitions = append(rt.Partitions, p)
			}
			resp.Topics = append(resp.Topics, rt)
			return resp, nil, true
		})
	}
	for _, want := range []struct {
		codes map[int32]int16
		says  string
	}{
		{map[int32]int16{0: 0, 1: kerr.OffsetMetadataTooLarge.Code}, "moving group readers in t/1: OFFSET_METADATA_TOO_LARGE"},
		{map[int32]int16{0: 0, 1: kerr.OffsetMetadataTooLarge.Code}, "; it was moved in partition 0, and not in 1 other"},
		{map[int32]int16{0: 0}, "moving group readers in t/1: the broker did not say whether it did; it was moved in partition 0"},
		{map[int32]int16{0: kerr.UnknownMemberID.Code, 1: kerr.UnknownMemberID.Code}, "group readers has members now: stop them first"},
	} {
		answer(want.codes)
		o := loghaul(t, "group", "reset", "readers", "--topic", "t", "--to", "2", "--yes", "--brokers", at).want(t, exitFailed, want.says)
		if o.stdout != "" {
			t.Errorf("printed %q", o.stdout)
		}
	}
	loghaul(t, "group", "reset", "readers", "--topic", "t", "--to", "2", "--yes", "--brokers", at).want(t, exitDone, "moved group readers")
}

func TestPartitionsThatCannotBeAddedChangeNothing(t *testing.T) {
	b := begin(t, nil, "broker", "--data", t.TempDir(), "--admin", "none", "--listen", "127.0.0.1:0", "--create-topics", "web_log:2")
	at := b.ready()["broker"]
	loghaul(t, "topic", "alter", "web_log", "retention.ms=5000", "partitions=1", "--brokers", at).want(t, exitFailed, "topic web_log has 2 partitions, and partitions are only added")
	if v := describe(t, at, "web_log").Configs["retention.ms"]; v == "5000" {
		t.Error("the setting was changed although the command was refused")
	}
	loghaul(t, "topic", "alter", "web_log", "retention.ms=5000", "partitions=3", "--brokers", at).want(t, exitDone, "topic web_log has 3 partitions now, 2 before")
	if v := describe(t, at, "web_log").Configs["retention.ms"]; v != "5000" {
		t.Errorf("retention.ms is %s", v)
	}
}

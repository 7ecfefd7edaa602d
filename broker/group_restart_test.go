package broker_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestABrokersRestartKeepsMembersAndOffsets(t *testing.T) {
	dir := t.TempDir()
	r := start(t, broker.Config{Data: dir, CreateTopics: []string{"shared:4"}})
	conn := r.dial()
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis, join.ProtocolType = "g", 10_000, 10_000, "consumer"
	join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range"}}
	place := call[*kmsg.JoinGroupResponse](t, conn, 3, join)
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.Generation, sync.MemberID = "g", place.Generation, place.MemberID
	sync.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: place.MemberID, MemberAssignment: []byte("all")}}
	wantCode(t, "SyncGroup", 3, call[*kmsg.SyncGroupResponse](t, conn, 3, sync).ErrorCode, 0)
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Group, commit.Generation, commit.MemberID = "g", place.Generation, place.MemberID
	commit.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "shared", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Partition: 2, Offset: 77}}}}
	wantCode(t, "OffsetCommit", 7, call[*kmsg.OffsetCommitResponse](t, conn, 7, commit).Topics[0].Partitions[0].ErrorCode, 0)

	image := filepath.Join(t.TempDir(), "crashed") // what a kill would leave, with a torn batch at the end
	if err := os.CopyFS(image, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	tear(t, filepath.Join(image, "__consumer_offsets-0"))
	r = start(t, broker.Config{Data: image})
	conn = r.dial()
	beat := kmsg.NewPtrHeartbeatRequest()
	beat.Group, beat.Generation, beat.MemberID = "g", place.Generation, place.MemberID
	wantCode(t, "Heartbeat after the crash", 3, call[*kmsg.HeartbeatResponse](t, conn, 3, beat).ErrorCode, 0)
	if sum := r.committed("g"); sum != 77 {
		t.Errorf("committed %d after the crash, want 77", sum)
	}
	if r.log.count("recovered __consumer_offsets-0") != 1 {
		t.Error("the log does not say that the torn batch was cut")
	}
	commit.Topics[0].Partitions[0].Offset = 78
	wantCode(t, "OffsetCommit", 7, call[*kmsg.OffsetCommitResponse](t, conn, 7, commit).Topics[0].Partitions[0].ErrorCode, 0)
}

// tear adds half a batch to the last segment in dir.
func tear(t *testing.T, dir string) {
	t.Helper()
	segments, err := fs.Glob(os.DirFS(dir), "*.log")
	if err != nil || len(segments) == 0 {
		t.Fatalf("segments in %s: %v, %v", dir, segments, err)
	}
	path := filepath.Join(dir, segments[len(segments)-1])
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(data, data[:min(70, len(data))]...), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheGroupsTopicStaysSmallOnDisk(t *testing.T) {
	dir := t.TempDir()
	r := start(t, broker.Config{Data: dir, CreateTopics: []string{"shared:4"}})
	cl := r.client()
	commits := func(n int) {
		for i := range n {
			req := kmsg.NewPtrOffsetCommitRequest()
			req.Group, req.Generation = "simple", -1
			metadata := string(make([]byte, 4000))
			topic := kmsg.NewOffsetCommitRequestTopic()
			topic.Topic = "shared"
			for p := range int32(4) {
				partition := kmsg.NewOffsetCommitRequestTopicPartition()
				partition.Partition, partition.Offset, partition.Metadata = p, int64(i), &metadata
				topic.Partitions = append(topic.Partitions, partition)
			}
			req.Topics = append(req.Topics, topic)
			resp, err := req.RequestWith(t.Context(), cl)
			if err != nil || resp.Topics[0].Partitions[3].ErrorCode != 0 {
				t.Fatalf("commit %d: %v, %+v", i, err, resp)
			}
		}
	}
	commits(3000) // 48 MB
	eventually(t, "the log to be cut", func() bool { return folderSize(t, filepath.Join(dir, "__consumer_offsets-0")) < 34<<20 })
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = start(t, broker.Config{Data: dir})
	if sum := r.committed("simple"); sum != 4*2999 {
		t.Errorf("committed %d after the restart, want %d", sum, 4*2999)
	}
}

func folderSize(t *testing.T, dir string) (size int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil { // a segment may go meanwhile
			size += info.Size()
		}
	}
	return size
}

func TestAClientThatGoesAwayWhileItJoinsIsNotWaitedFor(t *testing.T) {
	registry := prometheus.NewRegistry()
	r := start(t, broker.Config{Registry: registry, Settings: map[string]string{"group.initial.rebalance.delay.ms": "0", "group.min.session.timeout.ms": "100"}})
	join := func(member string) *kmsg.JoinGroupRequest {
		req := kmsg.NewPtrJoinGroupRequest()
		req.Group, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis, req.ProtocolType, req.MemberID = "g", 2000, 300_000, "consumer", member
		req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range"}}
		return req
	}
	first := r.dial()
	a := call[*kmsg.JoinGroupResponse](t, first, 3, join(""))
	gone := r.dial()
	waits := make(chan struct{})
	go func() {
		defer close(waits)
		req := join("")
		req.SetVersion(3)
		if resp, err := gone.Call(context.Background(), req); err == nil {
			t.Errorf("a join was answered before the first member came back: %+v", resp)
		}
	}()
	admin := kadm.NewClient(r.client())
	state := func() string {
		described, err := admin.DescribeGroups(t.Context(), "g")
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(described["g"].State, " ", len(described["g"].Members))
	}
	eventually(t, "the second member to wait", func() bool { return state() == "PreparingRebalance 2" })
	open := connections(t, registry)
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	<-waits
	eventually(t, "the broker to notice", func() bool { return connections(t, registry) < open })
	began := time.Now()
	b := call[*kmsg.JoinGroupResponse](t, first, 3, join(a.MemberID))
	if len(b.Members) != 1 || time.Since(began) > 5*time.Second {
		t.Errorf("after %s a generation of %d members, want 1 at the end of a session of 2 s", time.Since(began), len(b.Members))
	}
}

// connections is how many the broker counts as open.
func connections(t *testing.T, registry *prometheus.Registry) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "loghaul_broker_connections" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatal("the broker does not count its connections")
	return 0
}

package broker_test

import (
	"context"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// dial opens a connection that speaks any version.
func (r *running) dial() *kafka.Conn {
	r.t.Helper()
	conn, err := kafka.Config{Brokers: []string{r.addr}, ClientID: "versions"}.Dial(r.t.Context(), r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// call asks one thing in one version and expects an answer of the same kind.
func call[R kmsg.Response](t *testing.T, conn *kafka.Conn, version int16, req kmsg.Request) R {
	t.Helper()
	req.SetVersion(version)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	resp, err := conn.Call(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	return resp.(R)
}

// wantCode says which error code came instead of the expected.
func wantCode(t *testing.T, what string, version, got, want int16) {
	t.Helper()
	if got != want {
		t.Fatalf("%s v%d answers error %d, want %d", what, version, got, want)
	}
}

func TestAMembersWholeLifeInEveryVersion(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:2"}})
	conn := r.dial()
	for v := range int16(10) {
		id := "life-" + string('0'+rune(v))
		join := kmsg.NewPtrJoinGroupRequest()
		join.Group, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis, join.ProtocolType = id, 10_000, 10_000, "consumer"
		join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("m")}}
		place := call[*kmsg.JoinGroupResponse](t, conn, v, join)
		if v >= 4 {
			wantCode(t, "JoinGroup", v, place.ErrorCode, 79)
			join.MemberID = place.MemberID
			place = call[*kmsg.JoinGroupResponse](t, conn, v, join)
		}
		wantCode(t, "JoinGroup", v, place.ErrorCode, 0)
		if place.Generation != 1 || place.LeaderID != place.MemberID || len(place.Members) != 1 || *place.Protocol != "range" ||
			string(place.Members[0].ProtocolMetadata) != "m" {
			t.Fatalf("JoinGroup v%d: %+v", v, place)
		}
		sync := kmsg.NewPtrSyncGroupRequest()
		sync.Group, sync.Generation, sync.MemberID = id, 1, place.MemberID
		sync.ProtocolType, sync.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
		sync.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: place.MemberID, MemberAssignment: []byte("all")}}
		share := call[*kmsg.SyncGroupResponse](t, conn, min(v, 5), sync)
		wantCode(t, "SyncGroup", v, share.ErrorCode, 0)
		if string(share.MemberAssignment) != "all" {
			t.Fatalf("SyncGroup v%d: assignment %q", v, share.MemberAssignment)
		}
		beat := kmsg.NewPtrHeartbeatRequest()
		beat.Group, beat.Generation, beat.MemberID = id, 1, place.MemberID
		wantCode(t, "Heartbeat", v, call[*kmsg.HeartbeatResponse](t, conn, min(v, 4), beat).ErrorCode, 0)
		commitEverywhere(t, conn, v, id, place.MemberID)
		wantOffsets(t, conn, v, id)
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Group, leave.MemberID = id, place.MemberID
		leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: place.MemberID}}
		left := call[*kmsg.LeaveGroupResponse](t, conn, min(v, 5), leave)
		wantCode(t, "LeaveGroup", v, left.ErrorCode, 0)
		if min(v, 5) >= 3 {
			wantCode(t, "LeaveGroup's member", v, left.Members[0].ErrorCode, 0)
		}
		wantCode(t, "Heartbeat after leaving", v, call[*kmsg.HeartbeatResponse](t, conn, min(v, 4), beat).ErrorCode, 25)
		remove := kmsg.NewPtrDeleteGroupsRequest()
		remove.Groups = []string{id, id}
		removed := call[*kmsg.DeleteGroupsResponse](t, conn, min(v, 2), remove)
		wantCode(t, "DeleteGroups", v, removed.Groups[0].ErrorCode, 0)
		wantCode(t, "DeleteGroups twice", v, removed.Groups[1].ErrorCode, 69)
	}
}

// commitEverywhere commits a partition that is there, one that is not, and one with too much metadata.
func commitEverywhere(t *testing.T, conn *kafka.Conn, v int16, id, member string) {
	t.Helper()
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Group, commit.Generation, commit.MemberID = id, 1, member
	partition := func(p int32, metadata string) kmsg.OffsetCommitRequestTopicPartition {
		c := kmsg.NewOffsetCommitRequestTopicPartition()
		c.Partition, c.Offset, c.LeaderEpoch, c.Metadata = p, 7, 0, &metadata
		return c
	}
	commit.Topics = []kmsg.OffsetCommitRequestTopic{
		{Topic: "web_log", Partitions: []kmsg.OffsetCommitRequestTopicPartition{partition(0, "m"), partition(1, string(make([]byte, 5000))), partition(2, "")}},
		{Topic: "nowhere", Partitions: []kmsg.OffsetCommitRequestTopicPartition{partition(0, "")}},
	}
	got := call[*kmsg.OffsetCommitResponse](t, conn, v, commit)
	if v == 0 { // has no member, and the group has one
		wantCode(t, "OffsetCommit without a member", v, got.Topics[0].Partitions[0].ErrorCode, 25)
		got = call[*kmsg.OffsetCommitResponse](t, conn, 1, commit)
	}
	for i, want := range []int16{0, 12, 3} {
		wantCode(t, "OffsetCommit", v, got.Topics[0].Partitions[i].ErrorCode, want)
	}
	wantCode(t, "OffsetCommit of a topic that is not there", v, got.Topics[1].Partitions[0].ErrorCode, 3)
}

// wantOffsets fetches what commitEverywhere has left: the asked ones, and all.
func wantOffsets(t *testing.T, conn *kafka.Conn, v int16, id string) {
	t.Helper()
	fetch := kmsg.NewPtrOffsetFetchRequest()
	fetch.Group, fetch.Topics = id, []kmsg.OffsetFetchRequestTopic{{Topic: "web_log", Partitions: []int32{0, 1}}}
	fetch.Groups = []kmsg.OffsetFetchRequestGroup{
		{Group: id, MemberEpoch: -1, Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: "web_log", Partitions: []int32{0, 1}}}},
		{Group: "unknown", MemberEpoch: -1, Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: "web_log", Partitions: []int32{0}}}},
		{Group: id, MemberEpoch: -1},
	}
	got := call[*kmsg.OffsetFetchResponse](t, conn, v, fetch)
	if v < 8 {
		a, b := got.Topics[0].Partitions[0], got.Topics[0].Partitions[1]
		if a.Offset != 7 || *a.Metadata != "m" || b.Offset != -1 || a.ErrorCode != 0 || b.ErrorCode != 0 || got.ErrorCode != 0 {
			t.Fatalf("OffsetFetch v%d: %+v and %+v", v, a, b)
		}
		fetch.Topics = nil
		got = call[*kmsg.OffsetFetchResponse](t, conn, v, fetch)
		if n := len(got.Topics); v < 2 && n != 0 || v >= 2 && n != 1 {
			t.Fatalf("OffsetFetch v%d without topics: %d topics", v, n)
		}
		return
	}
	a, b := got.Groups[0].Topics[0].Partitions[0], got.Groups[0].Topics[0].Partitions[1]
	if a.Offset != 7 || *a.Metadata != "m" || b.Offset != -1 || got.Groups[0].ErrorCode != 0 {
		t.Fatalf("OffsetFetch v%d: %+v and %+v", v, a, b)
	}
	if p := got.Groups[1].Topics[0].Partitions[0]; p.Offset != -1 || p.ErrorCode != 0 || got.Groups[1].ErrorCode != 0 {
		t.Fatalf("OffsetFetch v%d of an unknown group: %+v", v, got.Groups[1])
	}
	if all := got.Groups[2].Topics; len(all) != 1 || len(all[0].Partitions) != 1 {
		t.Fatalf("OffsetFetch v%d of all: %+v", v, all)
	}
}

func TestCoordinatorsAreFoundInEveryVersion(t *testing.T) {
	r := start(t, broker.Config{})
	conn := r.dial()
	for v := range int16(7) {
		for kind := range int8(3) {
			find := kmsg.NewPtrFindCoordinatorRequest()
			find.CoordinatorKey, find.CoordinatorKeys, find.CoordinatorType = "g", []string{"g", "h"}, kind
			got := call[*kmsg.FindCoordinatorResponse](t, conn, v, find)
			list := got.Coordinators
			if v < 4 {
				list = []kmsg.FindCoordinatorResponseCoordinator{{Host: got.Host, Port: got.Port, ErrorCode: got.ErrorCode}}
			} else if len(list) != 2 || list[1].Key != "h" {
				t.Fatalf("FindCoordinator v%d: %+v", v, list)
			}
			for _, c := range list {
				if refused := kind == 2 && v > 0; refused {
					wantCode(t, "FindCoordinator of a share group", v, c.ErrorCode, 42)
				} else if c.ErrorCode != 0 || c.Host != "127.0.0.1" || c.Port == 0 {
					t.Fatalf("FindCoordinator v%d: %+v", v, c)
				}
			}
		}
	}
}

func TestAdministratorsAskInEveryVersion(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}})
	conn := r.dial()
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Group, commit.Generation = "simple", -1
	commit.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "web_log", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: 3}}}}
	wantCode(t, "OffsetCommit", 8, call[*kmsg.OffsetCommitResponse](t, conn, 8, commit).Topics[0].Partitions[0].ErrorCode, 0)
	for v := range int16(6) {
		list := kmsg.NewPtrListGroupsRequest()
		got := call[*kmsg.ListGroupsResponse](t, conn, v, list)
		if len(got.Groups) != 1 || got.Groups[0].Group != "simple" || v >= 4 && got.Groups[0].GroupState != "Empty" || v >= 5 && got.Groups[0].GroupType != "classic" {
			t.Fatalf("ListGroups v%d: %+v", v, got.Groups)
		}
		list.StatesFilter, list.TypesFilter = []string{"stable"}, []string{"Classic"}
		if got := call[*kmsg.ListGroupsResponse](t, conn, v, list); v >= 4 && len(got.Groups) != 0 || v < 4 && len(got.Groups) != 1 {
			t.Fatalf("ListGroups v%d of stable ones: %+v", v, got.Groups)
		}
	}
	for v := range int16(7) {
		describe := kmsg.NewPtrDescribeGroupsRequest()
		describe.Groups, describe.IncludeAuthorizedOperations = []string{"simple", "unknown"}, true
		got := call[*kmsg.DescribeGroupsResponse](t, conn, v, describe)
		if got.Groups[0].State != "Empty" || got.Groups[1].State != "Dead" || v >= 3 && got.Groups[0].AuthorizedOperations != 3400 {
			t.Fatalf("DescribeGroups v%d: %+v", v, got.Groups)
		}
		want := int16(0)
		if v >= 6 {
			want = 69
		}
		wantCode(t, "DescribeGroups of an unknown group", v, got.Groups[1].ErrorCode, want)
	}
}

func TestProducerIDsAreFreshInEveryVersionAndNeverRepeated(t *testing.T) {
	dir := t.TempDir()
	seen := map[int64]bool{}
	for range 3 {
		r := start(t, broker.Config{Data: dir})
		conn := r.dial()
		for v := range int16(6) {
			init := kmsg.NewPtrInitProducerIDRequest()
			init.ProducerID, init.ProducerEpoch = 0, 3 // brought from before; Kafka gives a fresh one all the same
			got := call[*kmsg.InitProducerIDResponse](t, conn, v, init)
			wantCode(t, "InitProducerId", v, got.ErrorCode, 0)
			if seen[got.ProducerID] || got.ProducerEpoch != 0 {
				t.Fatalf("InitProducerId v%d: id %d, epoch %d, after %v", v, got.ProducerID, got.ProducerEpoch, seen)
			}
			seen[got.ProducerID] = true
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	}
}

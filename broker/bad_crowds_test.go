package broker_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// crowdEnv makes the test program open connections to the broker that it names, and hold them until its input ends.
const crowdEnv = "LOGHAUL_TEST_CROWD"

// crowdOf is how many connections one such program opens: a process may not have files open for both ends of all.
const crowdOf = 5000

// dialMany is such a program. Half of its connections stay silent, half stop in the middle of a frame.
func dialMany(addr string) {
	openFiles(crowdOf + 100)
	list := make([]net.Conn, crowdOf)
	var dialling sync.WaitGroup
	for part := range 10 {
		dialling.Go(func() {
			for i := part; i < crowdOf; i += 10 {
				conn, err := net.DialTimeout("tcp", addr, 20*time.Second)
				if err != nil {
					fmt.Printf("connection %d: %v\n", i, err)
					os.Exit(1)
				}
				list[i] = conn
				if i%2 == 0 {
					_, _ = conn.Write([]byte{0, 0, 1, 0, 0, 3, 0, 9})
				}
			}
		})
	}
	dialling.Wait()
	fmt.Println("open")
	_, _ = io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(list)
	os.Exit(0)
}

func TestTenThousandConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("10,000 connections")
	}
	wantFiles(t, 2*crowdOf+500)
	registry := prometheus.NewRegistry()
	r := start(t, broker.Config{Registry: registry})
	leave := r.neighbour()
	risen := memory()
	for range 2 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), crowdEnv+"="+r.addr)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer cmd.Wait()
		defer in.Close()
		if said, err := bufio.NewReader(out).ReadString('\n'); said != "open\n" {
			t.Fatalf("5,000 connections: %s, %v", said, err)
		}
	}
	eventually(t, "the broker to have all of them", func() bool { return connections(t, registry) > 2*crowdOf })
	if r.clusterID() == "" {
		t.Error("a new client is not served beside 10,000 connections")
	}
	leave()
	wantMemory(t, risen(), 300<<20)
}

// TestAThousandMembersComeAndGo lets a crowd join a group, be given something, and leave or vanish, twice.
func TestAThousandMembersComeAndGo(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	const count = 1000
	wantFiles(t, 2*count+500) // for both ends
	r := start(t, broker.Config{Settings: map[string]string{"group.initial.rebalance.delay.ms": "500", "group.min.session.timeout.ms": "1000"}})
	leave := r.neighbour()
	risen := memory()
	for round := range 2 {
		var crowd sync.WaitGroup
		for i := range count {
			crowd.Go(func() {
				conn, err := net.Dial("tcp", r.addr)
				if err != nil {
					t.Errorf("member %d: %v", i, err)
					return
				}
				defer conn.Close()
				beOneOfMany(t, conn, i)
			})
		}
		crowd.Wait()
		if t.Failed() {
			return
		}
		eventually(t, fmt.Sprint("those that vanished in round ", round, " to be forgotten"), func() bool {
			describe := kmsg.NewPtrDescribeGroupsRequest()
			describe.Groups = []string{"crowd"}
			return len(call[*kmsg.DescribeGroupsResponse](t, r.dial(), 5, describe).Groups[0].Members) == 0
		})
	}
	leave()
	wantMemory(t, risen(), 400<<20) // with a leader's list of all members, a few times over, and the members' own
}

// plainly asks over a connection that has no buffers of its own, as a thousand of them had else most of the memory.
func plainly[R kmsg.Response](t *testing.T, conn net.Conn, version int16, req kmsg.Request) R {
	t.Helper()
	req.SetVersion(version)
	resp := req.ResponseKind().(R)
	_ = conn.SetDeadline(time.Now().Add(90 * time.Second))
	if _, err := conn.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("crowd")).AppendRequest(nil, req, 1)); err != nil {
		t.Error(err)
		return resp
	}
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		t.Error(err)
		return resp
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(conn, body); err != nil {
		t.Error(err)
		return resp
	}
	head := 4 // correlation
	if resp.IsFlexible() {
		head++ // no tags
	}
	if err := resp.ReadFrom(body[head:]); err != nil {
		t.Error(err)
	}
	return resp
}

// beOneOfMany joins, syncs and leaves; every tenth vanishes instead.
func beOneOfMany(t *testing.T, conn net.Conn, i int) {
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis, join.ProtocolType = "crowd", 2000, 60_000, "consumer"
	join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: make([]byte, 100)}}
	var place *kmsg.JoinGroupResponse
	for place = plainly[*kmsg.JoinGroupResponse](t, conn, 7, join); place.ErrorCode == 79; place = plainly[*kmsg.JoinGroupResponse](t, conn, 7, join) {
		join.MemberID = place.MemberID
	}
	if place.ErrorCode != 0 {
		t.Errorf("member %d: joining answers code %d", i, place.ErrorCode)
		return
	}
	if i%10 == 0 {
		return
	}
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.Generation, sync.MemberID = "crowd", place.Generation, place.MemberID
	for _, m := range place.Members {
		sync.GroupAssignment = append(sync.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: m.MemberID, MemberAssignment: []byte("some")})
	}
	if code := plainly[*kmsg.SyncGroupResponse](t, conn, 4, sync).ErrorCode; code != 0 && code != 27 && code != 22 && code != 25 {
		t.Errorf("member %d: syncing answers code %d", i, code)
	}
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group, leave.MemberID = "crowd", place.MemberID
	if code := plainly[*kmsg.LeaveGroupResponse](t, conn, 2, leave).ErrorCode; code != 0 && code != 25 {
		t.Errorf("member %d: leaving answers code %d", i, code)
	}
}

// wantFiles lets this process have n files open, or leaves the test out where that is not allowed; a CI must allow it.
func wantFiles(t *testing.T, n int) {
	t.Helper()
	may := openFiles(uint64(n))
	if may >= uint64(n) {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("this process may have %d files open, want %d: raise the limit (ulimit -n)", may, n)
	}
	t.Skipf("this process may have %d files open, want %d", may, n)
}

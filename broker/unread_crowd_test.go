package broker_test

import (
	"fmt"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Many clients that ask for large answers and read none share a bounded room. Others are served all the same: those who
// have taken nothing for longest are cut off, and it is said why.
func TestACrowdThatReadsNoAnswersTakesNoMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of megabytes of answers")
	}
	const crowd, asked, many = 12, 60, 30
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}, Settings: map[string]string{"queued.max.request.bytes": "4000000", "socket.request.max.bytes": "1000000"}})
	conn := r.dial()
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.SetVersion(3)
	req.IncludeSynonyms, req.IncludeDocumentation = true, true
	for i := range many { // few bytes that ask for many
		name := fmt.Sprint("topic-", i)
		createTopic(t, conn, name, "retention.ms", "1000")
		req.Resources = append(req.Resources, kmsg.DescribeConfigsRequestResource{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: name})
	}
	resp := call[*kmsg.DescribeConfigsResponse](t, conn, 3, req)
	t.Logf("an answer has %d kB", len(resp.AppendTo(nil))>>10)
	frame := kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)
	leave := r.neighbour()
	before := live()
	var asking sync.WaitGroup
	over := make(chan struct{})
	for range crowd {
		conn, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil { // the kernel takes little of it
			t.Fatal(err)
		}
		asking.Go(func() {
			defer conn.Close()
			for range asked {
				if _, err := conn.Write(frame); err != nil {
					return // cut off
				}
			}
			<-over
		})
	}
	for began := time.Now(); r.log.count("the memory for answers") == 0; <-time.After(20 * time.Millisecond) { // the kernel takes the first ones
		if time.Since(began) > time.Minute {
			t.Fatal("none of them is cut off within a minute")
		}
	}
	if r.clusterID() == "" {
		t.Error("a client that reads its answers is not served")
	}
	if n := live() - before; n > 16<<20 { // 1 MB waits, and the neighbour has its own
		t.Errorf("%d MiB more memory is held, want at most 16", n>>20)
	}
	close(over)
	asking.Wait()
	leave()
}

// live is how many bytes the collector finds in use.
func live() int64 {
	runtime.GC()
	runtime.GC() // what pools kept over the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

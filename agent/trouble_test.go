package agent

import (
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/loghaul/loghaul/agent/produce/producetest"
	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/nobody"
	"github.com/loghaul/loghaul/internal/record"
)

func partitionOf(topic string, n int32) producetest.Partition {
	return producetest.Partition{Topic: topic, Number: n}
}

func TestABrokerThatIsAwayLosesNothing(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "a.log", "")
	h.lines("a.log", 0, 100)
	h.b.Stop()
	r := h.start()
	<-r.Ready()
	r.wantState("web", etcdconf.StateApplying, "is it running")
	h.b.Start(oneTopic)
	h.want("web_log", numbered("a.log", 0, 100))
	for round := range 4 {
		h.lines("a.log", 100+200*round, 100)
		h.b.Stop()
		h.lines("a.log", 200+200*round, 100)
		h.b.Start(oneTopic)
		h.want("web_log", numbered("a.log", 0, 300+200*round))
	}
	h.contiguous("web_log")
}

func TestARefusedTopicIsFailedWithItsMend(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "a.log", "")
	h.lines("a.log", 0, 10)
	h.b.Set(func() {
		h.b.Refuse = func(producetest.Partition, record.Header) int16 { return kerr.TopicAuthorizationFailed.Code }
	})
	r := h.start()
	r.wantState("web", etcdconf.StateFailed, "allow this agent's user")
	h.b.Set(func() { h.b.Refuse = nil })
	r.wantState("web", etcdconf.StateApplied, "")
	h.want("web_log", numbered("a.log", 0, 10))
}

// Without a key lines go where they can, whichever partition it is that cannot be asked
// what it has.
func TestAPartitionWithoutALeaderDoesNotHoldUpTheOthers(t *testing.T) {
	for n := range int32(3) {
		h := newHouse(t, map[string]int32{"web_log": 3})
		h.input("web", "web_log", "a.log", `"key":"none","batch":{"bytes":1024,"age":"1ms"}`)
		h.lines("a.log", 0, 10)
		r := h.start()
		h.want("web_log", numbered("a.log", 0, 10))
		r.stop()
		h.b.Set(func() { h.b.Away = func(at producetest.Partition) bool { return at.Number == n } })
		r = h.start()
		h.lines("a.log", 10, 200)
		h.want("web_log", numbered("a.log", 0, 210))
		h.b.Set(func() { h.b.Away = nil })
		r.stop()
	}
}

func TestConnectionsThatDieLoseAndDoubleNothing(t *testing.T) {
	h := newHouse(t, map[string]int32{"web_log": 3})
	rnd := rand.New(rand.NewPCG(7, 7))
	h.b.Set(func() { h.b.Cut = func() bool { return rnd.IntN(12) == 0 } })
	h.input("web", "web_log", "*.log", `"batch":{"bytes":4096,"age":"1ms"}`)
	h.start()
	var want []string
	for round := range 20 {
		for _, name := range []string{"a.log", "b.log", "c.log", "d.log"} {
			h.lines(name, round*100, 100)
			want = append(want, numbered(name, round*100, 100)...)
		}
	}
	h.want("web_log", want)
	h.contiguous("web_log")
}

func TestAnUnreadableFileIsNamedAndOthersGoOn(t *testing.T) {
	if nobody.Again(t) {
		return
	}
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "*.log", "")
	h.lines("a.log", 0, 10)
	h.lines("b.log", 0, 10)
	if err := os.Chmod(filepath.Join(h.logs, "a.log"), 0); err != nil {
		t.Fatal(err)
	}
	r := h.start()
	h.want("web_log", numbered("b.log", 0, 10))
	r.wantState("web", etcdconf.StateApplied, "a.log")
	if err := os.Chmod(filepath.Join(h.logs, "a.log"), 0o644); err != nil {
		t.Fatal(err)
	}
	h.want("web_log", append(numbered("b.log", 0, 10), numbered("a.log", 0, 10)...))
}

func TestARateSlowsAndDropsNothing(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "a.log", `"rate_bytes":100000`)
	h.input("free", "web_log", "b.log", "")
	h.lines("a.log", 0, 6000) // about 100 kB in the first go, and half a second of debt
	began := time.Now()
	h.start()
	h.until(func() bool { return len(h.values("web_log")) > 0 }, func() string { return "no line arrives" })
	h.lines("a.log", 6000, 1)
	h.lines("b.log", 0, 10)
	h.want("web_log", append(numbered("a.log", 0, 6001), numbered("b.log", 0, 10)...))
	if took := time.Since(began); took < 500*time.Millisecond {
		t.Errorf("108 kB at 100 kB/s took %s", took)
	}
}

func TestAHundredFilesShareALittleMemory(t *testing.T) {
	h := newHouse(t, map[string]int32{"web_log": 8})
	h.change = func(c *Config) { c.Memory, c.MaxOpen = 8<<20, 10 }
	h.input("web", "web_log", "*.log", "")
	var want []string
	for i := range 100 {
		name := string(rune('a'+i%26)) + string(rune('a'+i/26)) + ".log"
		h.lines(name, 0, 3000)
		want = append(want, numbered(name, 0, 3000)...)
	}
	if err := h.once(); err != nil {
		t.Fatal(err)
	}
	h.want("web_log", want)
	h.contiguous("web_log")
}

func TestATopicIsMadeAsTheInputSays(t *testing.T) {
	h := newHouse(t, nil)
	h.input("web", "made", "a.log", `"topic_create":{"partitions":5,"replicas":1}`)
	h.lines("a.log", 0, 10)
	if err := h.once(); err != nil {
		t.Fatal(err)
	}
	h.want("made", numbered("a.log", 0, 10))
}

func TestOnceNamesWhatItCouldNotSend(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("good", "web_log", "a.log", "")
	h.input("bad", "web_log", "a.log", `"format":"cri"`)
	h.lines("a.log", 0, 10)
	err := h.once()
	if err == nil || !slices.Equal(h.values("web_log"), numbered("a.log", 0, 10)) {
		t.Errorf("once ended with %v and %d records, want the refused input named and the rest sent", err, len(h.values("web_log")))
	}
}

func TestABrokerThatNeverAnswersDoesNotKeepTheAgentFromEnding(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken := make(chan net.Conn, 16) // more than are dialled; closed with the listener
	go func() {
		defer close(taken)
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			taken <- c
		}
	}()
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "*.log", "")
	h.lines("a.log", 0, 10)
	h.change = func(c *Config) { c.Kafka.Brokers, c.DrainWait = []string{l.Addr().String()}, 200*time.Millisecond }
	r := h.start()
	first := <-taken
	r.stop() // fails when the agent does not end in a third of a request's timeout
	l.Close()
	first.Close()
	for c := range taken {
		c.Close()
	}
}

package produce

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/agent/produce/producetest"
	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

func pos(n int) line.Position { return line.Position(n) }

var (
	web0 = journal.Partition{Topic: "web_log", Number: 0}
	web1 = journal.Partition{Topic: "web_log", Number: 1}
)

var twoParts = map[string]int32{"web_log": 2}

func TestBatchesArriveInOrderAndAreAcknowledged(t *testing.T) {
	b := producetest.New(t, twoParts)
	s := newSender(t, b, t.TempDir(), &fakeFramer{})
	p := s.open(0)
	for range 200 {
		s.send(p, 3)
	}
	s.drain()
	s.want(b, web0, 600)
	if acked, begun := s.j.Progress(s.g.Ref); acked != 600 || begun != 600 {
		t.Errorf("journal: acknowledged %d, begun %d, want 600", acked, begun)
	}
	if st, _ := s.j.Partition(web0); st.Offset != 599 {
		t.Errorf("journal: offset %d, want 599", st.Offset)
	}
}

func TestSeveralPartitionsTravelInOneRequest(t *testing.T) {
	b := producetest.New(t, map[string]int32{"web_log": 8})
	s := newSender(t, b, t.TempDir(), &fakeFramer{})
	var parts []*Partition
	for n := range int32(8) {
		parts = append(parts, s.open(n))
	}
	for range 100 {
		for _, p := range parts {
			s.send(p, 1)
		}
	}
	s.drain()
	b.Set(func() {
		if b.Requests >= 800 || b.Widest < 2 {
			t.Errorf("%d requests, at most %d partitions in one", b.Requests, b.Widest)
		}
	})
}

func TestATopicThatIsNotThereIsMade(t *testing.T) {
	b := producetest.New(t, nil)
	s := newSender(t, b, t.TempDir(), &fakeFramer{})
	topic, err := s.c.Topic(s.ctx(), "made", &Create{Partitions: 3, Replicas: 1}, func(err error) { t.Log(err) })
	if err != nil || topic.Partitions != 3 || topic.ID == (journal.TopicID{}) {
		t.Errorf("topic_create made %+v, %v; want 3 partitions and an id", topic, err)
	}
	if topic, err = s.c.Topic(s.ctx(), "auto", nil, func(error) {}); err != nil || topic.Partitions != 2 {
		t.Errorf("auto-creation made %+v, %v; want 2 partitions", topic, err)
	}
}

func TestRule2_RefusalsThatPassLoseAndDoubleNothing(t *testing.T) {
	b := producetest.New(t, twoParts)
	s := newSender(t, b, t.TempDir(), &fakeFramer{})
	r := rand.New(rand.NewPCG(1, 1))
	codes := []int16{kerr.NotLeaderForPartition.Code, kerr.NotEnoughReplicas.Code, kerr.RequestTimedOut.Code, kerr.NotEnoughReplicasAfterAppend.Code, kerr.UnknownServerError.Code}
	b.Set(func() {
		b.Refuse = func(at producetest.Partition, h record.Header) int16 {
			if r.IntN(10) == 0 {
				return codes[r.IntN(len(codes))]
			}
			return 0
		}
	})
	p := s.open(0)
	for range 300 {
		s.send(p, 2)
	}
	s.drain()
	s.want(b, web0, 600)
	if n := s.c.PossibleDoubles(); n != 0 {
		t.Errorf("%d possible doubles are counted, want none: every answer came", n)
	}
}

func TestAConnectionThatDiesLosesAndDoublesNothing(t *testing.T) {
	b := producetest.New(t, twoParts)
	s := newSender(t, b, t.TempDir(), &fakeFramer{})
	r := rand.New(rand.NewPCG(2, 2))
	b.Set(func() { b.Cut = func() bool { return r.IntN(15) == 0 } })
	var all sync.WaitGroup
	p := s.open(0)
	all.Go(func() {
		for range 300 {
			s.send(p, 2)
		}
	})
	all.Wait()
	s.drain()
	s.want(b, web0, 600)
	if n := s.c.PossibleDoubles(); n != 0 {
		t.Errorf("%d possible doubles are counted, want none: the broker was asked", n)
	}
}

func TestABrokerThatRestartsLosesAndDoublesNothing(t *testing.T) {
	b := producetest.New(t, twoParts)
	s := newSender(t, b, t.TempDir(), &fakeFramer{})
	p := s.open(0)
	for range 8 {
		for range 40 {
			s.send(p, 2)
		}
		b.Restart(twoParts)
	}
	s.drain()
	// kfake gives a topic that is seeded again another id, so each restart looks like
	// a topic made anew: what the log covers is still found by asking.
	s.want(b, web0, 640)
}

func TestRule9_ABatchThatIsTooLargeIsSplit(t *testing.T) {
	b := producetest.New(t, twoParts)
	s := newSender(t, b, t.TempDir(), &fakeFramer{})
	b.Set(func() {
		b.Refuse = func(at producetest.Partition, h record.Header) int16 {
			if h.Count > 3 {
				return kerr.MessageTooLarge.Code
			}
			return 0
		}
	})
	p := s.open(0)
	for _, n := range []int{2, 10, 1, 7, 3, 16} {
		s.send(p, n)
	}
	s.drain()
	s.want(b, web0, 39)
}

func TestRule9_ARefusalThatOnlyAPersonCanMendIsNamedAndTriedAgain(t *testing.T) {
	b := producetest.New(t, twoParts)
	s := newSender(t, b, t.TempDir(), &fakeFramer{})
	for code, word := range map[int16]string{
		kerr.TopicAuthorizationFailed.Code: "allow this agent's user",
		kerr.MessageTooLarge.Code:          "max_line_bytes",
		kerr.InvalidRecord.Code:            "cleanup.policy",
	} {
		b.Set(func() { b.Refuse = func(producetest.Partition, record.Header) int16 { return code } })
		p := s.open(0)
		s.send(p, 1)
		until(t, func() bool { return isStuck(p.Trouble()) }, "the refusal %d is not named", code)
		if err := p.Trouble(); !contains(err, word) || !contains(err, "web_log") {
			t.Errorf("trouble %v, want the topic and %q in it", err, word)
		}
		b.Set(func() { b.Refuse = nil })
		s.drain()
		until(t, func() bool { return p.Trouble() == nil }, "trouble stays after it is mended")
	}
	s.want(b, web0, 3)
}

func TestAWindowThatIsFullBlocksUntilAnAnswerComes(t *testing.T) {
	b := producetest.New(t, twoParts)
	s := newSender(t, b, t.TempDir(), &fakeFramer{})
	p := s.open(0)
	b.Set(func() {
		b.Refuse = func(producetest.Partition, record.Header) int16 { return kerr.NotEnoughReplicas.Code }
	})
	for range 5 {
		s.send(p, 1)
	}
	if p.Try() != nil {
		t.Fatal("a sixth batch is taken while five wait")
	}
	b.Set(func() { b.Refuse = nil })
	turn, err := p.Reserve(s.ctx())
	if err != nil {
		t.Fatal(err)
	}
	turn.Cancel()
	s.drain()
	s.want(b, web0, 5)
}

func TestRule3_AnAnswerBelowTheHighestOffsetIsNotBelieved(t *testing.T) {
	b := producetest.New(t, twoParts)
	s := newSender(t, b, t.TempDir(), &fakeFramer{})
	p := s.open(0)
	s.send(p, 2)
	s.drain()
	// Somebody has used the next sequence before: the broker takes the batch for that.
	b.Set(func() {
		for _, st := range b.Log(producetest.Partition(web0)).Seen {
			st.Last = append(st.Last, producetest.Stamp{First: 2, Last: 3, Offset: 0})
		}
	})
	s.send(p, 2)
	s.drain()
	s.want(b, web0, 4)
}

// until waits for a condition, at most a minute.
func until(t *testing.T, ok func() bool, what string, args ...any) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf(what, args...)
		}
	}
}

func TestRule9_ABatchThatWaitedTooLongForItsTopicGetsAnotherTime(t *testing.T) {
	b := producetest.New(t, twoParts)
	s := newSender(t, b, t.TempDir(), &fakeFramer{})
	p := s.open(0)
	first := int64(0)
	b.Set(func() {
		b.Refuse = func(_ producetest.Partition, h record.Header) int16 {
			if first == 0 {
				first = h.MaxTimestamp
			}
			if h.MaxTimestamp <= first { // older than message.timestamp.before.max.ms
				return kerr.InvalidTimestamp.Code
			}
			return 0
		}
	})
	s.send(p, 10)
	s.drain()
	s.want(b, web0, 10)
}

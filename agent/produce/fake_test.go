package produce

import (
	"context"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/agent/produce/producetest"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sender is a journal, a client that runs, and a framer over a fake file.
type sender struct {
	t      *testing.T
	j      *journal.Journal
	c      *Client
	f      *fakeFramer
	g      journal.Generation
	cancel context.CancelFunc
	done   chan struct{}
	next   int
}

func newSender(t *testing.T, b *producetest.Broker, dir string, f *fakeFramer) *sender {
	t.Helper()
	j, err := journal.Open(journal.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(t.Context(), Config{Kafka: kafka.Config{Brokers: []string{b.Addr()}}, Journal: j, Framer: f, BackoffMin: time.Millisecond, BackoffMax: 20 * time.Millisecond, BackoffStuck: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	g, err := j.Register(journal.Generation{Topic: "web_log", ID: journal.ID{Inode: 1}})
	if err != nil {
		t.Fatal(err)
	}
	s := &sender{t: t, j: j, c: c, f: f, g: g, done: make(chan struct{}), next: int(g.Begun)}
	f.ref, f.j = g.Ref, j
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go func() { defer close(s.done); c.Run(ctx) }()
	t.Cleanup(s.kill)
	return s
}

// kill ends the client without waiting for answers, as a crash would.
func (s *sender) kill() {
	s.cancel()
	<-s.done
	s.j.Close()
}

// open takes up partition n of web_log with what the journal knows.
func (s *sender) open(n int32) *Partition {
	s.t.Helper()
	ctx := s.ctx()
	at := journal.Partition{Topic: "web_log", Number: n}
	topic, err := s.c.Topic(ctx, at.Topic, nil, func(error) {})
	if err != nil {
		s.t.Fatalf("Topic: %v", err)
	}
	if _, err := s.c.Bind(ctx, at.Topic, func(error) {}); err != nil {
		s.t.Fatalf("Bind: %v", err)
	}
	st, _ := s.j.Partition(at)
	doubt, _ := s.j.Doubted(at.Topic)
	return s.c.Open(ctx, Opening{At: at, Topic: topic.ID, State: st, Doubt: s.j.InDoubt()[at], Moved: doubt.Moved, Behind: s.j.Doubt() != ""})
}

func (s *sender) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	s.t.Cleanup(cancel)
	return ctx
}

// send sends count records, numbered on from the last.
func (s *sender) send(p *Partition, count int) {
	s.t.Helper()
	turn, err := p.Reserve(s.ctx())
	if err != nil {
		s.t.Fatalf("Reserve: %v (trouble: %v)", err, p.Trouble())
	}
	e := s.f.entry(p.at, s.next, count)
	e.Producer, e.TopicID = turn.Producer, turn.TopicID
	bytes, err := s.f.seal(e)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.j.Begin(e); err != nil {
		s.t.Fatal(err)
	}
	s.next += count
	turn.Send(Batch{Entry: e, Bytes: bytes})
}

func (s *sender) drain() {
	s.t.Helper()
	if err := s.c.Drain(s.ctx()); err != nil {
		s.t.Fatalf("Drain: %v; %d in flight", err, s.c.InFlight())
	}
}

// want says that the partition holds the numbers 0 to n-1, each once and in order.
func (s *sender) want(b *producetest.Broker, at journal.Partition, n int) {
	s.t.Helper()
	got := b.Values(producetest.Partition(at))
	for i, v := range got {
		if v != strconv.Itoa(i) {
			s.t.Fatalf("record %d is %s; %d records in all, want %d", i, v, len(got), n)
		}
	}
	if len(got) != n {
		s.t.Fatalf("%d records, want %d", len(got), n)
	}
	if n := len(s.j.InDoubt()); n != 0 {
		s.t.Errorf("%d partitions are in doubt in the journal", n)
	}
}

// fakeFramer frames numbers: record i of the source stands at byte i.
type fakeFramer struct {
	ref     journal.Ref
	gone    int // records below this are gone
	j       *journal.Journal
	found   []string      // values of the batches that the journal did not know
	differs bool          // the next Rebuild finds other bytes
	age     time.Duration // how long ago what is sealed was sealed
}

func (f *fakeFramer) entry(at journal.Partition, from, count int) *journal.Entry {
	return &journal.Entry{Partition: at, Count: int32(count), Ranges: []journal.Range{{Ref: f.ref, Start: pos(from), End: pos(from + count), HardEnd: pos(from + count), Count: int32(count)}}}
}

func (f *fakeFramer) seal(e *journal.Entry) ([]byte, error) {
	b := record.NewBuilder(0)
	for i := e.Ranges[0].Start; i < e.Ranges[0].End; i++ {
		b.Append(0, nil, []byte(strconv.Itoa(int(i))), 0, nil)
	}
	sealed := time.Now().Add(-f.age).UnixMilli()
	return b.Seal(nil, e.Producer, record.None, sealed, sealed)
}

func (f *fakeFramer) Rebuild(e *journal.Entry) ([]byte, error) {
	if f.differs || int(e.Ranges[0].Start) < f.gone {
		f.differs = false
		return nil, ErrDiffers
	}
	return f.seal(e)
}

func (f *fakeFramer) Reframe(e *journal.Entry) ([]Part, int64, error) {
	from, end := max(f.gone, int(e.Ranges[0].Start)), int(e.Ranges[0].End)
	lost := int64(from) - int64(e.Ranges[0].Start)
	if from >= end {
		return nil, int64(e.Count), nil
	}
	part := f.entry(e.Partition, from, end-from)
	b, err := f.seal(part)
	return []Part{{part, b}}, lost, err
}

func (f *fakeFramer) Split(e *journal.Entry, sealed []byte) ([]Part, error) {
	if e.Count < 2 {
		return nil, ErrTooSmall
	}
	var parts []Part
	from, half := int(e.Ranges[0].Start), int(e.Count/2)
	for _, n := range [][2]int{{from, half}, {from + half, int(e.Count) - half}} {
		part := f.entry(e.Partition, n[0], n[1])
		b, err := f.seal(part)
		if err != nil {
			return nil, err
		}
		parts = append(parts, Part{part, b})
	}
	return parts, nil
}

// Found takes the numbers over that stand in the batch.
func (f *fakeFramer) Found(_ journal.Partition, batch []byte, _ bool) (int64, error) {
	var r record.Reader
	return 0, r.Read(batch, 1<<20, func(rec *record.Record) error {
		n, err := strconv.Atoi(string(rec.Value))
		if err != nil {
			return nil // not one of ours
		}
		f.found = append(f.found, string(rec.Value))
		return f.j.Found(f.ref, pos(n), pos(n+1), 0, 0)
	})
}

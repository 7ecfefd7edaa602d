package commitlog

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// model is the log in ten lines: values and times by offset, and a start.
type model struct {
	values []string
	times  []int64
	start  int
}

func (m *model) from(i int) []string { return m.values[i:] }

func (m *model) atTime(ms int64) int {
	for i := m.start; i < len(m.values); i++ {
		if m.times[i] >= ms {
			return i
		}
	}
	return -1
}

func (m *model) latest() int {
	at := -1
	for i := m.start; i < len(m.values); i++ {
		if at < 0 || m.times[i] > m.times[at] {
			at = i
		}
	}
	return at
}

func TestTheLogBehavesLikeTheModel(t *testing.T) {
	for seed := range seeds(t, 8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			story := &story{t: t, clock: 1000, rng: rand.New(rand.NewPCG(seed, 1)), dir: logDir(t)}
			story.cfg = Config{Now: func() time.Time { return time.UnixMilli(story.clock) }, SegmentBytes: int64(300 + story.rng.IntN(4000)), IndexInterval: 1 + story.rng.IntN(300)}
			story.log = open(t, story.dir, story.cfg)
			for range 150 {
				story.step()
			}
		})
	}
}

// story is one run of random operations on a log and its model.
type story struct {
	t     *testing.T
	rng   *rand.Rand
	dir   string
	cfg   Config
	log   *Log
	model model
	clock int64

	history   history
	sequences [4]int32 // of the producers with transactions
}

func (s *story) step() {
	s.t.Helper()
	switch n := s.rng.IntN(100); {
	case n < 35:
		s.append()
	case n < 50:
		s.transact()
	case n < 70:
		s.read()
	case n < 80:
		s.lookUpTime()
	case n < 87:
		closeLog(s.t, s.log)
		s.log = open(s.t, s.dir, s.cfg)
	case n < 93:
		s.kill()
	case n < 96:
		s.deleteBefore()
	default:
		s.log.rollNow(s.t)
	}
	if int(s.log.End()) != len(s.model.values) || int(s.log.Start()) != s.model.start || s.log.HighWatermark() != s.log.End() {
		s.t.Fatalf("want %d to %d, got %d to %d, high watermark %d", s.model.start, len(s.model.values), s.log.Start(), s.log.End(), s.log.HighWatermark())
	}
	s.history.check(s.t, s.log)
}

// rollNow seals the active segment if there is anything in it.
func (l *Log) rollNow(t *testing.T) {
	t.Helper()
	l.appending.Lock()
	defer l.appending.Unlock()
	if l.appending.active.size == 0 {
		return
	}
	if err := l.roll(); err != nil {
		t.Fatalf("rolling: %v", err)
	}
}

func (s *story) append() {
	s.t.Helper()
	n := 1 + s.rng.IntN(4)
	values := make([]string, n)
	first := s.clock + int64(s.rng.IntN(40)) - 15 // times go back at times
	s.clock += 10
	for i := range values {
		values[i] = fmt.Sprintf("%d-%s", len(s.model.values)+i, strings.Repeat("x", s.rng.IntN(200)))
		s.model.times = append(s.model.times, first+int64(i))
	}
	codec := record.Codec(s.rng.IntN(5))
	a := appendTo(s.t, s.log, sealed(s.t, record.NoProducer, codec, first, values...))
	if int(a.Base) != len(s.model.values) || int(a.Last) != len(s.model.values)+n-1 {
		s.t.Fatalf("batch of %d at %d to %d, want it at %d", n, a.Base, a.Last, len(s.model.values))
	}
	s.model.values = append(s.model.values, values...)
	s.history.add(n, written{})
}

func (s *story) read() {
	s.t.Helper()
	from := s.model.start + s.rng.IntN(len(s.model.values)-s.model.start+1)
	got := readAllValues(s.t, s.log, record.Offset(from), 1+s.rng.IntN(3000))
	sameValues(s.t, got, s.model.from(from))
	sameValues(s.t, committedValues(s.t, s.log, s.log.Start()), s.history.committed(s.model.values, s.log))
	for _, beyond := range []record.Offset{record.Offset(s.model.start) - 1, s.log.End() + 1} {
		if _, err := s.log.Read(beyond, 1); !errors.Is(err, ErrOffsetOutOfRange) {
			s.t.Fatalf("reading %d of %d to %d: want out of range, got %v", beyond, s.model.start, s.log.End(), err)
		}
	}
}

func (s *story) lookUpTime() {
	s.t.Helper()
	ms := 980 + s.rng.Int64N(s.clock-920)
	at, _, err := s.log.OffsetForTime(ms)
	if want := s.model.atTime(ms); err != nil || int(at) != want {
		s.t.Fatalf("time %d: want offset %d, got %d, %v", ms, want, at, err)
	}
	at, _, err = s.log.MaxTimestamp()
	if want := s.model.latest(); err != nil || int(at) != want {
		s.t.Fatalf("latest time: want offset %d, got %d, %v", want, at, err)
	}
}

// kill goes on from a copy of the folder, without a Close.
func (s *story) kill() {
	s.t.Helper()
	s.dir = copyDir(s.t, s.dir)
	closeLog(s.t, s.log)
	s.cfg.Cut = func(c Cut) { s.t.Errorf("nothing was torn, but %s", c) }
	s.log = open(s.t, s.dir, s.cfg)
}

func (s *story) deleteBefore() {
	s.t.Helper()
	s.model.start += s.rng.IntN(len(s.model.values) - s.model.start + 1)
	if err := s.log.DeleteBefore(record.Offset(s.model.start)); err != nil {
		s.t.Fatalf("deleting before %d: %v", s.model.start, err)
	}
}

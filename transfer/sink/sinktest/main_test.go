package sinktest

import (
	"context"
	"sync"
	"testing"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer/sink"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is the simplest sink there is: what it was given stays, once for every time it was given.
type memory struct {
	mu    sync.Mutex
	lines []string
}

func (m *memory) Open(*testing.T) sink.Sink  { return (*memorySink)(m) }
func (m *memory) Kill(*testing.T, sink.Sink) {}
func (m *memory) Lines(*testing.T) []string  { return m.lines }
func (m *memory) Guarantee() sink.Guarantee  { return sink.AtLeastOnce }
func (m *memory) Steps() []string            { return nil }
func (m *memory) Arm(string)                 {}

type memorySink memory

func (s *memorySink) Assign(_ context.Context, a sink.Assignment) (record.Offset, error) {
	return a.Start, nil
}
func (s *memorySink) Revoke(context.Context, string, int32) error { return nil }
func (s *memorySink) Close() error                                { return nil }
func (s *memorySink) Write(_ context.Context, b sink.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range b.Records {
		s.lines = append(s.lines, string(r.Value))
	}
	return nil
}

func TestTheChecksSeeWhatIsMissingDoubledOrOutOfOrder(t *testing.T) {
	p := &place{topic: "web_log", committed: 3}
	line := func(o record.Offset) string { return Line("web_log", 0, o) }
	for name, c := range map[string]struct {
		lines []string
		once  sink.Guarantee
		sound bool
	}{
		"whole":        {[]string{line(0), line(1), line(2)}, sink.ExactlyOnce, true},
		"missing":      {[]string{line(0), line(2)}, sink.AtLeastOnce, false},
		"doubled":      {[]string{line(0), line(1), line(1), line(2)}, sink.ExactlyOnce, false},
		"sent again":   {[]string{line(0), line(1), line(1), line(2)}, sink.AtLeastOnce, true},
		"out of order": {[]string{line(1), line(0), line(2)}, sink.AtLeastOnce, false},
	} {
		if faults := p.faults(c.once, c.lines); (len(faults) == 0) != c.sound {
			t.Errorf("%s: found %q", name, faults)
		}
	}
}

func TestTheSuitePassesASinkThatForgetsNothing(t *testing.T) {
	Run(t, func(*testing.T) Store { return &memory{} })
}

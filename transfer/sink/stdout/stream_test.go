package stdout

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/transfer/sink"
	"github.com/loghaul/loghaul/transfer/sink/sinktest"
)

// stream is a Store: what went out stays out, whoever is killed.
type stream struct{ out bytes.Buffer }

func (s *stream) Open(*testing.T) sink.Sink  { return New(&s.out) }
func (s *stream) Kill(*testing.T, sink.Sink) {}
func (s *stream) Guarantee() sink.Guarantee  { return sink.AtLeastOnce }
func (s *stream) Steps() []string            { return nil }
func (s *stream) Arm(string)                 {}
func (s *stream) Lines(*testing.T) (out []string) {
	return strings.Split(strings.TrimSuffix(s.out.String(), "\n"), "\n")
}

func TestStdoutKeepsASinksPromises(t *testing.T) {
	sinktest.Run(t, func(*testing.T) sinktest.Store { return &stream{} })
}

type fullPipe struct{}

func (fullPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestALineThatNobodyTakesIsNotStored(t *testing.T) {
	err := New(fullPipe{}).Write(t.Context(), sink.Batch{Topic: "web_log", Next: 1, Records: []sink.Record{{Value: []byte("a")}}})
	if err == nil || !strings.Contains(err.Error(), "broken pipe") {
		t.Fatalf("writing to a broken pipe: got %v, want its error", err)
	}
}

func TestAnUnknownFieldIsRefused(t *testing.T) {
	v := etcdconf.Sink{Name: "x", Key: "/loghaul/v1/sinks/x", Raw: []byte(`{"type":"stdout","topics":["a"],"pathh":"x"}`)}
	if err := Parse(v); err == nil || !strings.Contains(err.Error(), "pathh") {
		t.Fatalf("got %v, want an error that names pathh", err)
	}
}

// Package sinktest is the suite that each sink passes: it stores all, in order, and survives a kill at any step without
// loss; a sink that promises exactly once also without a double.
package sinktest

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer/sink"
)

// Store is a destination that outlives the sinks which write to it.
type Store interface {
	// Open makes a sink over what the store holds, as a start of the process does.
	Open(t *testing.T) sink.Sink
	// Kill lets go of a sink as a SIGKILL would: nothing is finished, nothing flushed, nothing closed in order.
	Kill(t *testing.T, s sink.Sink)
	// Lines reads back what is stored. Lines of one partition must stand in the order they were stored.
	Lines(t *testing.T) []string
	// Guarantee is what the sink promises.
	Guarantee() sink.Guarantee
	// Steps names the places inside a Write at which it can be killed; there may be none.
	Steps() []string
	// Arm makes the next Write that comes to the step end there with an error, as a kill would; "" disarms.
	Arm(step string)
}

// Run runs the suite; fresh makes an empty store.
func Run(t *testing.T, fresh func(t *testing.T) Store) {
	t.Run("stores all in order", func(t *testing.T) { storesAll(t, fresh(t)) })
	t.Run("partitions at once", func(t *testing.T) { partitionsAtOnce(t, fresh(t)) })
	t.Run("odd values", func(t *testing.T) { oddValues(t, fresh(t)) })
	t.Run("a batch without records", func(t *testing.T) { emptyBatch(t, fresh(t)) })
	t.Run("taken away and given back", func(t *testing.T) { givenBack(t, fresh(t)) })
	t.Run("killed between write and commit", func(t *testing.T) { killedBetween(t, fresh(t)) })
	for _, step := range fresh(t).Steps() {
		t.Run("killed at "+step, func(t *testing.T) { killedAt(t, fresh(t), step) })
	}
	t.Run("killed at random", func(t *testing.T) { killedAtRandom(t, fresh(t)) })
}

func storesAll(t *testing.T, st Store) {
	s := st.Open(t)
	places := []*place{{topic: "web_log"}, {topic: "web_log", partition: 1}, {topic: "app.log"}}
	for _, p := range places {
		p.assign(t, s)
	}
	for i := range 20 {
		for _, p := range places {
			p.write(t, s, 1+i*3)
		}
	}
	for _, p := range places {
		if err := s.Revoke(t.Context(), p.topic, p.partition); err != nil {
			t.Fatalf("revoking %s/%d: %v", p.topic, p.partition, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatalf("closing: %v", err)
	}
	check(t, st, places...)
}

func partitionsAtOnce(t *testing.T, st Store) {
	s := st.Open(t)
	var places []*place
	done := make(chan error, 8)
	for i := range int32(8) {
		p := &place{topic: "web_log", partition: i}
		p.assign(t, s)
		places = append(places, p)
	}
	for _, p := range places {
		go func() {
			for range 10 {
				b := p.batch(25)
				if err := s.Write(context.Background(), b); err != nil {
					done <- err
					return
				}
				p.from, p.committed = b.Next, b.Next
			}
			done <- nil
		}()
	}
	for range places {
		if err := <-done; err != nil {
			t.Errorf("writing: %v", err)
		}
	}
	st.Kill(t, s)
	check(t, st, places...)
}

func oddValues(t *testing.T, st Store) {
	s := st.Open(t)
	p := &place{topic: "web_log"}
	p.assign(t, s)
	huge := strings.Repeat("x", 3<<20)
	values := [][]byte{nil, {}, {0xff, 0xfe, 0x00}, []byte(huge), []byte("last")}
	b := sink.Batch{Topic: p.topic, Next: record.Offset(len(values))}
	for i, v := range values {
		b.Records = append(b.Records, sink.Record{Offset: record.Offset(i), Time: 1_700_000_000_000, Value: v})
	}
	if err := s.Write(t.Context(), b); err != nil {
		t.Fatalf("writing odd values: %v", err)
	}
	st.Kill(t, s)
	lines := st.Lines(t)
	if len(lines) != len(values) || lines[3] != huge || lines[4] != "last" || lines[2] != "\xff\xfe\x00" {
		t.Errorf("got %d lines, want %d with every byte as it was", len(lines), len(values))
	}
}

func emptyBatch(t *testing.T, st Store) {
	s := st.Open(t)
	p := &place{topic: "web_log"}
	p.assign(t, s)
	p.write(t, s, 3)
	if err := s.Write(t.Context(), sink.Batch{Topic: p.topic, First: p.from, Next: p.from + 100}); err != nil {
		t.Fatalf("writing a batch of holes: %v", err)
	}
	st.Kill(t, s)
	s = st.Open(t)
	p.committed = p.from + 100
	p.assign(t, s)
	if p.from != p.committed {
		t.Errorf("after a batch of holes the sink goes on from %d, want %d", p.from, p.committed)
	}
	st.Kill(t, s)
	if n := len(st.Lines(t)); n != 3 {
		t.Errorf("stored %d lines, want 3", n)
	}
}

func givenBack(t *testing.T, st Store) {
	s := st.Open(t)
	p, q := &place{topic: "web_log"}, &place{topic: "web_log", partition: 1}
	for range 3 {
		p.assign(t, s)
		q.assign(t, s)
		p.write(t, s, 10)
		q.write(t, s, 10)
		for _, one := range []*place{p, q} {
			if err := s.Revoke(t.Context(), one.topic, one.partition); err != nil {
				t.Fatalf("revoking: %v", err)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatalf("closing: %v", err)
	}
	check(t, st, p, q)
}

// killedBetween kills after each Write before the commit.
func killedBetween(t *testing.T, st Store) {
	p := &place{topic: "web_log"}
	for range 10 {
		s := st.Open(t)
		p.assign(t, s)
		p.write(t, s, 5)
		if err := s.Write(t.Context(), p.batch(7)); err != nil { // stored, not committed
			t.Fatalf("writing: %v", err)
		}
		st.Kill(t, s)
	}
	finish(t, st, p)
}

// killedAt kills inside a Write at one step, at the first file and later.
func killedAt(t *testing.T, st Store, step string) {
	p := &place{topic: "web_log"}
	for round := range 6 {
		s := st.Open(t)
		p.assign(t, s)
		for range round % 3 {
			p.write(t, s, 4)
		}
		st.Arm(step)
		_ = s.Write(t.Context(), p.batch(400)) // may end at the step, or get through when the step does not come up
		st.Arm("")
		st.Kill(t, s)
	}
	finish(t, st, p)
}

// killedAtRandom kills at any step, with two partitions.
func killedAtRandom(t *testing.T, st Store) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	places := []*place{{topic: "web_log"}, {topic: "web_log", partition: 1}}
	steps := append([]string{""}, st.Steps()...)
	for range 30 {
		s := st.Open(t)
		for _, p := range places {
			p.assign(t, s)
		}
		for range rnd.IntN(4) {
			places[rnd.IntN(2)].write(t, s, 1+rnd.IntN(200))
		}
		p := places[rnd.IntN(2)]
		st.Arm(steps[rnd.IntN(len(steps))])
		err := s.Write(t.Context(), p.batch(1+rnd.IntN(200)))
		st.Arm("")
		if err != nil && !errors.Is(err, context.Canceled) && rnd.IntN(2) == 0 {
			// The same batch comes again to the same sink, as after a failure that passes.
			p.write(t, s, 0)
		}
		st.Kill(t, s)
	}
	finish(t, st, places...)
}

// finish writes a last batch to each place and checks the store.
func finish(t *testing.T, st Store, places ...*place) {
	t.Helper()
	s := st.Open(t)
	for _, p := range places {
		p.assign(t, s)
		p.write(t, s, 5)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("closing: %v", err)
	}
	check(t, st, places...)
}

package produce

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/loghaul/loghaul/agent/produce/producetest"
	"github.com/loghaul/loghaul/internal/record"
)

// forget is what a broker does with those who have not sent for long.
func forget(b *producetest.Broker) { clear(b.Log(producetest.Partition(web0)).Seen) }

// A broker says that it has a batch, and forgets the producer before that batch comes
// again to be confirmed: it would be taken for a new one. What is old is not sent again.
func TestRule4_ABrokerThatForgetsUsRightAfterItsAnswerDoublesNothing(t *testing.T) {
	b := producetest.New(t, twoParts)
	f := &fakeFramer{}
	s := newSender(t, b, t.TempDir(), f)
	p := s.open(0)
	s.send(p, 10)
	s.drain()
	f.age = time.Hour
	cut := false
	b.Set(func() {
		b.Cut = func() bool { cut = !cut; return cut } // stored, and the answer is lost
		b.Asked = func(producetest.Partition) { forget(b) }
	})
	for range 3 {
		s.send(p, 10)
		s.drain()
	}
	s.want(b, web0, 40)
	if n := s.c.PossibleDoubles(); n != 0 {
		t.Errorf("%d possible doubles", n)
	}
}

// The same for what an earlier life left in doubt, also while the replicas have not yet
// what the leader has: that is waited for.
func TestRule4_ABrokerThatForgetsUsWhileReplicasAreBehindDoublesNothing(t *testing.T) {
	for stored := 1; stored <= 5; stored++ {
		dir := t.TempDir()
		b := producetest.New(t, twoParts)
		died(t, b, dir, stored)
		asked := 0
		b.Set(func() {
			l := b.Log(producetest.Partition(web0))
			for _, st := range l.Seen {
				st.Last[len(st.Last)-1].When = time.Now().Add(-24 * time.Hour).UnixMilli()
			}
			l.Behind = 10
			b.Asked = func(producetest.Partition) { forget(b) }
			b.Ended = func(producetest.Partition) {
				if asked++; asked > 4 {
					l.Behind = 0
				}
			}
		})
		s := newSender(t, b, dir, &fakeFramer{})
		s.send(s.open(0), 10)
		s.drain()
		s.want(b, web0, 70)
		if n := s.c.PossibleDoubles(); n != 0 {
			t.Errorf("stored %d: %d possible doubles", stored, n)
		}
		s.kill()
	}
}

// A batch was stored and answered with an error, and the broker refuses everything until
// it has forgotten who sent it: what may be stored is asked for before it is sent again.
func TestRule2_WhatMayBeStoredIsAskedForBeforeItIsSentAgain(t *testing.T) {
	for _, code := range []int16{kerr.NotEnoughReplicasAfterAppend.Code, kerr.RequestTimedOut.Code, kerr.UnknownServerError.Code} {
		b := producetest.New(t, twoParts)
		s := newSender(t, b, t.TempDir(), &fakeFramer{})
		p := s.open(0)
		s.send(p, 10)
		s.drain()
		refused := 0
		b.Set(func() {
			b.After = func(h record.Header) int16 {
				b.After = nil
				b.Refuse = func(producetest.Partition, record.Header) int16 {
					if refused++; refused < 3 {
						return kerr.NotEnoughReplicas.Code
					}
					return 0
				}
				forget(b)
				return code
			}
		})
		s.send(p, 10)
		s.send(p, 10)
		s.drain()
		s.want(b, web0, 30)
		if n := s.c.PossibleDoubles(); n != 0 {
			t.Errorf("code %d: %d possible doubles", code, n)
		}
		s.kill()
	}
}

package produce

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/loghaul/loghaul/agent/produce/producetest"
	"github.com/loghaul/loghaul/internal/record"
)

func contains(err error, word string) bool { return err != nil && strings.Contains(err.Error(), word) }

// died leaves a journal whose last batches are in doubt: of 6 batches of 10, one is
// acknowledged, stored of the other five are in the log, and the process is gone. None
// of the five is on the wire, where it might come late; TestRule5_ALateBatch... is about that.
func died(t *testing.T, b *producetest.Broker, dir string, stored int) {
	t.Helper()
	s := newSender(t, b, dir, &fakeFramer{})
	p := s.open(0)
	s.send(p, 10)
	s.drain()
	turn, err := p.Reserve(s.ctx())
	if err != nil {
		t.Fatal(err)
	}
	next := turn.Producer
	for range 5 {
		e := s.f.entry(web0, s.next, 10)
		e.Producer, e.TopicID = next, turn.TopicID
		if err := s.j.Begin(e); err != nil {
			t.Fatal(err)
		}
		s.next += 10
		next.Sequence = record.AddSequence(next.Sequence, e.Count)
	}
	turn.Cancel()
	s.kill()
	b.Set(func() {
		for _, e := range s.j.InDoubt()[web0][:stored] {
			bytes, err := s.f.seal(e)
			if err != nil {
				t.Fatal(err)
			}
			if code, _ := b.Append(producetest.Partition(web0), bytes); code != 0 {
				t.Fatalf("storing batch %d of the dead process: code %d", e.Seq, code)
			}
		}
	})
}

func TestRule4_InDoubtBatchesAreSettledByAskingTheLeader(t *testing.T) {
	for stored := range 6 {
		dir := t.TempDir()
		b := producetest.New(t, twoParts)
		died(t, b, dir, stored)
		s := newSender(t, b, dir, &fakeFramer{})
		p := s.open(0)
		for range 20 {
			s.send(p, 10)
		}
		s.drain()
		s.want(b, web0, 260)
		if n := s.c.PossibleDoubles(); n != 0 {
			t.Errorf("stored %d: %d possible doubles are counted, want proof", stored, n)
		}
		s.kill()
	}
}

func TestRule4_OnlyTheLastBatchIsRememberedAcrossARestart(t *testing.T) {
	dir := t.TempDir()
	b := producetest.New(t, twoParts)
	died(t, b, dir, 4)
	b.Set(func() {
		for _, st := range b.Log(producetest.Partition(web0)).Seen {
			st.Last = st.Last[len(st.Last)-1:]
		}
	})
	s := newSender(t, b, dir, &fakeFramer{})
	s.send(s.open(0), 10)
	s.drain()
	s.want(b, web0, 70)
}

func TestRule4_TheQuestionIsNotBelievedUntilTheBatchIsConfirmed(t *testing.T) {
	dir := t.TempDir()
	b := producetest.New(t, twoParts)
	died(t, b, dir, 3)
	// The leader that answered dies before its followers had the last two batches.
	asked := false
	b.Set(func() {
		b.Refuse = func(at producetest.Partition, h record.Header) int16 {
			if !asked {
				asked = true
				l := b.Log(producetest.Partition(web0))
				l.Batches, l.End = l.Batches[:2], 20
				for _, st := range l.Seen {
					st.Last = st.Last[:2]
				}
				return kerr.NotLeaderForPartition.Code
			}
			return 0
		}
	})
	s := newSender(t, b, dir, &fakeFramer{})
	s.send(s.open(0), 10)
	s.drain()
	s.want(b, web0, 70)
}

func TestRule5_ABatchThatDiffersIsFramedAnewInANewEpoch(t *testing.T) {
	dir := t.TempDir()
	b := producetest.New(t, twoParts)
	died(t, b, dir, 2)
	s := newSender(t, b, dir, &fakeFramer{gone: 0, differs: false})
	s.f.gone = 35 // bytes 30 to 34 were not stored, and their file is gone
	s.send(s.open(0), 10)
	s.drain()
	got := b.Values(producetest.Partition(web0))
	if len(got) != 65 || got[29] != "29" || got[30] != "35" || got[64] != "69" {
		t.Fatalf("%d records: %v", len(got), got)
	}
	b.Set(func() {
		batches := b.Log(producetest.Partition(web0)).Batches
		h, _ := record.ParseHeader(batches[len(batches)-1])
		if h.ProducerEpoch != 1 {
			t.Errorf("epoch %d after a batch had to be framed anew, want 1", h.ProducerEpoch)
		}
	})
	if n := s.c.PossibleDoubles(); n != 0 {
		t.Errorf("%d possible doubles, want none: they were proven not to be stored", n)
	}
}

func TestRule6_WithoutReadOneBatchAtATime(t *testing.T) {
	b := producetest.New(t, twoParts)
	dir := t.TempDir()
	b.Set(func() { b.Describe = kerr.TopicAuthorizationFailed.Code })
	s := newSender(t, b, dir, &fakeFramer{})
	p := s.open(0)
	s.send(p, 5)
	s.drain()
	s.kill()
	s = newSender(t, b, dir, &fakeFramer{})
	p = s.open(0)
	b.Set(func() {
		b.Refuse = func(producetest.Partition, record.Header) int16 { return kerr.NotEnoughReplicas.Code }
	})
	s.send(p, 5)
	if p.Try() != nil {
		t.Error("a second batch is taken though the broker cannot be asked")
	}
	b.Set(func() { b.Refuse = nil })
	s.drain()
	s.want(b, web0, 10)
}

// TestRule8 is about what nothing proves: the broker has forgotten us, and the log may
// not be read, or does not reach back far enough any more.
func TestRule8_WhatNothingProvesIsSentAgainAndCounted(t *testing.T) {
	for name, blind := range map[string]func(b *producetest.Broker){
		"not allowed": func(b *producetest.Broker) { b.Read = kerr.TopicAuthorizationFailed.Code },
		"cut away":    func(b *producetest.Broker) { b.Log(producetest.Partition(web0)).Start = 30 },
	} {
		dir := t.TempDir()
		b := producetest.New(t, twoParts)
		died(t, b, dir, 2)
		b.Set(func() {
			clear(b.Log(producetest.Partition(web0)).Seen)
			blind(b)
		})
		s := newSender(t, b, dir, &fakeFramer{})
		s.send(s.open(0), 10)
		s.drain()
		got := map[string]int{}
		for _, v := range b.Values(producetest.Partition(web0)) {
			got[v]++
		}
		if len(got) != 70 {
			t.Fatalf("%s: %d different records, want 70: none may be lost", name, len(got))
		}
		if n := s.c.PossibleDoubles(); n != 50 {
			t.Errorf("%s: %d possible doubles are counted, want the 50 that were in doubt", name, n)
		}
	}
}

func TestRule4_ABrokerThatHasForgottenUsIsReadBack(t *testing.T) {
	for stored := range 6 {
		dir := t.TempDir()
		b := producetest.New(t, twoParts)
		died(t, b, dir, stored)
		b.Set(func() { clear(b.Log(producetest.Partition(web0)).Seen) }) // days later
		s := newSender(t, b, dir, &fakeFramer{})
		s.send(s.open(0), 10)
		s.drain()
		s.want(b, web0, 70)
		if n := s.c.PossibleDoubles(); n != 0 {
			t.Errorf("stored %d: %d possible doubles are counted, want proof by the log", stored, n)
		}
		s.kill()
	}
}

func TestALogThatLostItsEndIsNotFilledWithCopies(t *testing.T) {
	for _, forgotten := range []bool{false, true} {
		dir := t.TempDir()
		b := producetest.New(t, twoParts)
		s := newSender(t, b, dir, &fakeFramer{})
		p := s.open(0)
		for range 30 {
			s.send(p, 10)
		}
		s.drain()
		b.Set(func() { // a power cut of a broker that does not sync
			l := b.Log(producetest.Partition(web0))
			l.Batches, l.End = nil, 0
			for _, st := range l.Seen {
				st.Last = []producetest.Stamp{{First: 0, Last: 9}}
			}
			if forgotten {
				clear(l.Seen)
			}
		})
		s.send(p, 10)
		s.drain()
		s.kill()
		s = newSender(t, b, dir, &fakeFramer{})
		s.send(s.open(0), 10)
		s.drain()
		most := 20
		if forgotten {
			most = 30 // nothing proves that the first was taken for itself
		}
		if got := b.Values(producetest.Partition(web0)); len(got) > most || len(got) < 20 {
			t.Errorf("forgotten %v: 20 records are stored as %d", forgotten, len(got))
		}
	}
}

func TestWhatALeaderRefusesToConfirmIsReadBack(t *testing.T) {
	dir := t.TempDir()
	b := producetest.New(t, twoParts)
	died(t, b, dir, 2)
	b.Set(func() { // it says that it has the batch, and refuses to confirm it
		for _, st := range b.Log(producetest.Partition(web0)).Seen {
			st.Last[len(st.Last)-1].First++
		}
	})
	s := newSender(t, b, dir, &fakeFramer{})
	s.send(s.open(0), 10)
	s.drain()
	s.want(b, web0, 70)
	if n := s.c.PossibleDoubles(); n != 0 {
		t.Errorf("%d possible doubles are counted, want proof by the log", n)
	}
}

func TestADoubtThatCouldNotBeProvenIsNotCarriedToLaterOnes(t *testing.T) {
	dir := t.TempDir()
	b := producetest.New(t, twoParts)
	died(t, b, dir, 2)
	b.Set(func() { // it says that it has the batch, and refuses to confirm it
		for _, st := range b.Log(producetest.Partition(web0)).Seen {
			st.Last[len(st.Last)-1].First++
		}
		b.Read = kerr.TopicAuthorizationFailed.Code
	})
	s := newSender(t, b, dir, &fakeFramer{})
	p := s.open(0)
	s.send(p, 10)
	s.drain()
	before, end := s.c.PossibleDoubles(), len(b.Values(producetest.Partition(web0)))
	if before == 0 {
		t.Fatal("nothing was sent again without proof")
	}
	cut := false
	b.Set(func() {
		b.Cut = func() bool { cut = !cut; return cut } // stored, and the answer is lost
	})
	s.send(p, 10)
	s.drain()
	if got, doubles := len(b.Values(producetest.Partition(web0)))-end, s.c.PossibleDoubles()-before; got != 10 || doubles != 0 {
		t.Errorf("10 records are stored %d times, with %d possible doubles: the leader can prove that it has them", got, doubles)
	}
}

func TestRule5_ALateBatchOfTheDeadProcessIsRecognised(t *testing.T) {
	dir := t.TempDir()
	b := producetest.New(t, twoParts)
	died(t, b, dir, 2)
	s := newSender(t, b, dir, &fakeFramer{})
	doubt := s.j.InDoubt()[web0]
	late, err := s.f.seal(doubt[2])
	if err != nil {
		t.Fatal(err)
	}
	p := s.open(0)
	s.send(p, 10)
	s.drain()
	b.Set(func() {
		if code, base := b.Append(producetest.Partition(web0), late); code != 0 || base != 30 {
			t.Errorf("the late batch: code %d at %d, want it taken for the one sent again", code, base)
		}
	})
	s.want(b, web0, 70)
}

func TestAProducerIDIsKeptForTheSameClusterOnly(t *testing.T) {
	dir := t.TempDir()
	b := producetest.New(t, twoParts)
	s := newSender(t, b, dir, &fakeFramer{})
	s.open(0)
	id := s.j.Producer()
	s.kill()
	s = newSender(t, b, dir, &fakeFramer{})
	s.open(0)
	if s.j.Producer() != id || s.j.Cluster() != "A" {
		t.Errorf("producer id %d in cluster %q, was %d", s.j.Producer(), s.j.Cluster(), id)
	}
}

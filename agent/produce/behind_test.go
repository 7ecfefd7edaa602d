package produce

import (
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/agent/produce/producetest"
	"github.com/loghaul/loghaul/internal/record"
)

// putBack sends 10 records, copies the journal, sends more more of them and puts the
// copy back.
func putBack(t *testing.T, b *producetest.Broker, dir string, more int) {
	t.Helper()
	s := newSender(t, b, dir, &fakeFramer{})
	p := s.open(0)
	s.send(p, 10)
	s.drain()
	if err := s.j.Sync(); err != nil {
		t.Fatal(err)
	}
	snapshot := copyFolder(t, dir)
	for range more {
		s.send(p, 10)
	}
	s.drain()
	s.kill()
	restore(t, snapshot, dir)
}

// A journal that was put back knows nothing of what was sent since, and a leader that has
// forgotten us says nothing of it either: only the log does.
func TestRule4_AJournalThatWasPutBackLearnsFromTheLogThoughTheLeaderHasForgotten(t *testing.T) {
	for _, more := range []int{0, 1, 7} {
		dir, b := t.TempDir(), producetest.New(t, twoParts)
		putBack(t, b, dir, more)
		b.Set(func() { clear(b.Log(producetest.Partition(web0)).Seen) })
		s := newSender(t, b, dir, &fakeFramer{})
		p := s.open(0)
		if err := p.Settled(s.ctx()); err != nil {
			t.Fatal(err)
		}
		_, begun := s.j.Progress(s.g.Ref)
		s.next = int(begun)
		for range 6 {
			s.send(p, 10)
		}
		s.drain()
		s.want(b, web0, 10+10*more+60)
		s.kill()
	}
}

// Who cannot ask and whose journal was put back does not know which sequences are used:
// a batch under one of them would be taken for the one that is stored.
func TestRule8_AJournalThatWasPutBackTakesNoUsedSequenceWhereNobodySays(t *testing.T) {
	for name, blind := range map[string]func(b *producetest.Broker){
		"not allowed": func(b *producetest.Broker) {
			b.Describe, b.Read = kerr.TopicAuthorizationFailed.Code, kerr.TopicAuthorizationFailed.Code
		},
		"unknown request": func(b *producetest.Broker) { b.Unknown = []int16{keyDescribe, keyEpochs} },
	} {
		for _, more := range []int{1, 3, 7} {
			dir, b := t.TempDir(), producetest.New(t, twoParts)
			putBack(t, b, dir, more)
			b.Set(func() { blind(b) })
			s := newSender(t, b, dir, &fakeFramer{})
			s.next = 10 + 10*more // what is new is new, whatever sequence it gets
			p := s.open(0)
			for range 9 {
				s.send(p, 10)
			}
			s.drain()
			s.want(b, web0, 10+10*more+90)
			if _, begun := s.j.Progress(s.g.Ref); name == "unknown request" && int(begun) != s.next {
				t.Errorf("%s: the journal goes on at %d, want %d: the log may be read", name, begun, s.next)
			}
			s.kill()
		}
	}
}

// The same with a batch in doubt that the journal knows.
func TestRule8_WhatIsInDoubtInAJournalThatWasPutBackIsThereAndCounted(t *testing.T) {
	for _, later := range []int{0, 1, 7} {
		dir, b := t.TempDir(), producetest.New(t, twoParts)
		died(t, b, dir, 0)
		j, err := journal.Open(journal.Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		doubt := j.InDoubt()[web0]
		for _, e := range doubt[1:] {
			j.Lost(e.Seq, e.Bytes())
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		snapshot := copyFolder(t, dir)
		s := newSender(t, b, dir, &fakeFramer{})
		p := s.open(0)
		for range later {
			s.send(p, 10)
		}
		s.drain()
		s.kill()
		restore(t, snapshot, dir)
		b.Set(func() {
			b.Describe, b.Read = kerr.TopicAuthorizationFailed.Code, kerr.TopicAuthorizationFailed.Code
		})
		s = newSender(t, b, dir, &fakeFramer{})
		s.next = 1000
		p = s.open(0)
		for range 3 {
			s.send(p, 10)
		}
		s.drain()
		seen := map[string]int{}
		for _, v := range b.Values(producetest.Partition(web0)) {
			seen[v]++
		}
		twice := 0
		for _, n := range append(numbers(10, 20), numbers(1000, 1030)...) {
			if seen[n] == 0 {
				t.Fatalf("%d later: record %s is missing", later, n)
			}
			twice += seen[n] - 1
		}
		if n := s.c.PossibleDoubles(); int64(twice) > n {
			t.Errorf("%d later: %d records are double, %d are counted", later, twice, n)
		}
		s.kill()
	}
}

// Who cannot ask sends the one batch in doubt again, which a broker remembers for a day.
func TestRule8_WhatABrokerMayHaveForgottenIsCountedWhereNobodySays(t *testing.T) {
	dir, b := t.TempDir(), producetest.New(t, twoParts)
	diedLongAgo(t, b, dir, true)
	b.Set(func() {
		b.Describe = kerr.TopicAuthorizationFailed.Code
		refused := 0
		b.Refuse = func(producetest.Partition, record.Header) int16 {
			if refused++; refused < 3 {
				return kerr.NotEnoughReplicas.Code
			}
			return 0
		}
	})
	s := newSender(t, b, dir, &fakeFramer{})
	s.send(s.open(0), 10)
	s.drain()
	if got, n := len(b.Values(producetest.Partition(web0))), s.c.PossibleDoubles(); got != 30 || n != 10 {
		t.Errorf("%d records, %d possible doubles; want 10 there twice and counted once", got, n)
	}
}

func numbers(from, to int) (out []string) {
	for n := from; n < to; n++ {
		out = append(out, strconv.Itoa(n))
	}
	return out
}

// A broker that does not know what we ask hangs up. It is sent to all the same, as to one
// that does not allow it, and its log is read up to where it can be.
func TestRule6_ABrokerThatDoesNotKnowTheQuestionsIsSentTo(t *testing.T) {
	for _, unknown := range [][]int16{{keyDescribe}, {keyEpochs}, {keyDescribe, keyEpochs}} {
		dir, b := t.TempDir(), producetest.New(t, twoParts)
		diedLongAgo(t, b, dir, true)
		b.Set(func() { b.Unknown = unknown })
		s := newSender(t, b, dir, &fakeFramer{})
		s.send(s.open(0), 10)
		s.drain()
		s.kill()
		if got := b.Values(producetest.Partition(web0)); got[len(got)-1] != "19" {
			t.Errorf("without %v: %v", unknown, got)
		}
	}
}

// A batch that is sent for the first time cannot be there already: its sequence was used
// for another one, whatever word the broker has for that.
func TestRule3_ADuplicateThatWasNeverSentBeforeWasNotStored(t *testing.T) {
	b := producetest.New(t, twoParts)
	s := newSender(t, b, t.TempDir(), &fakeFramer{})
	refused := false
	b.Set(func() {
		b.Refuse = func(_ producetest.Partition, h record.Header) int16 {
			if h.BaseSequence == 10 && !refused {
				refused = true
				return kerr.DuplicateSequenceNumber.Code
			}
			return 0
		}
	})
	p := s.open(0)
	for range 4 {
		s.send(p, 10)
	}
	s.drain()
	s.want(b, web0, 40)
}

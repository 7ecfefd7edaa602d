package produce

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/agent/produce/producetest"
	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

// copyFolder makes a copy of a journal as it lies on disk.
func copyFolder(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "journal")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// A broker that was away for an hour has forgotten who sent, and takes no batch any more
// that is as old as those that waited for it.
func TestRule9_ABrokerThatWasAwayForAnHourLosesAndDoublesNothing(t *testing.T) {
	b := producetest.New(t, twoParts)
	f := &fakeFramer{}
	s := newSender(t, b, t.TempDir(), f)
	p := s.open(0)
	s.send(p, 10)
	s.drain()
	b.Set(func() { b.Cut = func() bool { return true } }) // what is stored is not answered
	f.age = time.Hour
	s.send(p, 10)
	until(t, func() bool { return len(b.Values(producetest.Partition(web0))) == 20 }, "the second batch is not stored")
	for range 4 {
		s.send(p, 10)
	}
	b.Set(func() {
		b.Cut = nil
		clear(b.Log(producetest.Partition(web0)).Seen)
		b.Refuse = func(_ producetest.Partition, h record.Header) int16 {
			if time.Since(time.UnixMilli(h.MaxTimestamp)) > 30*time.Minute {
				return 32 // INVALID_TIMESTAMP
			}
			return 0
		}
	})
	s.drain()
	s.want(b, web0, 60)
	if n := s.c.PossibleDoubles(); n != 0 {
		t.Errorf("%d possible doubles", n)
	}
}

// A broker that knows nothing of us takes any sequence for the first. Whatever moment it
// ceases to refuse, the batches stay in their order.
func TestRule2_TheFirstBatchIsNotOvertaken(t *testing.T) {
	for n := range 12 {
		b := producetest.New(t, twoParts)
		s := newSender(t, b, t.TempDir(), &fakeFramer{})
		asked := 0
		b.Set(func() {
			b.Refuse = func(producetest.Partition, record.Header) int16 {
				if asked++; asked <= n {
					return 19 // NOT_ENOUGH_REPLICAS
				}
				return 0
			}
		})
		p := s.open(0)
		for range 5 {
			s.send(p, 1)
		}
		s.drain()
		s.want(b, web0, 5)
		s.kill()
	}
}

// What was appended and answered with an error lies below what was acknowledged after it:
// when the broker has forgotten all but the last, it is found there.
func TestRule4_AnOlderOpenBatchIsLookedForBelowNewerAcknowledgedOnes(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		dir := t.TempDir()
		b := producetest.New(t, twoParts)
		s := newSender(t, b, dir, &fakeFramer{})
		p := s.open(0)
		s.send(p, 10)
		s.drain()
		b.Set(func() {
			b.Describe = kerr.NotLeaderForPartition.Code // nothing is settled yet
			b.After = func(h record.Header) int16 {
				if h.BaseSequence == 10 {
					return 20 // NOT_ENOUGH_REPLICAS_AFTER_APPEND
				}
				return 0
			}
			for range 3 { // all on their way before the first is answered
				s.send(p, 10)
			}
			until(t, func() bool {
				p.mu.Lock()
				defer p.mu.Unlock()
				return p.mu.wired == 3
			}, "the batches are not on their way")
		})
		until(t, func() bool { return s.c.InFlight() == 1 }, "the newer batches are not acknowledged")
		if restarted {
			s.kill()
		}
		b.Set(func() {
			b.After, b.Describe = nil, 0
			for _, st := range b.Log(producetest.Partition(web0)).Seen {
				st.Last = st.Last[len(st.Last)-1:]
			}
		})
		if restarted {
			s = newSender(t, b, dir, &fakeFramer{})
			p = s.open(0)
		}
		s.send(p, 10)
		s.drain()
		s.want(b, web0, 50)
		s.kill()
	}
}

// restore puts a copy of a journal in the place of the one that went on, as a snapshot
// of the whole machine does: the folder itself stays.
func restore(t *testing.T, from, to string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(to, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// ids are the producer ids and epochs in a partition, in order, each once.
func ids(t *testing.T, b *producetest.Broker) (out []record.Producer) {
	t.Helper()
	b.Set(func() {
		for _, batch := range b.Log(producetest.Partition(web0)).Batches {
			h, err := record.ParseHeader(batch)
			if err != nil {
				t.Fatal(err)
			}
			if p := (record.Producer{ID: h.ProducerID, Epoch: h.ProducerEpoch}); !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	})
	return out
}

// TestRule4 for a journal that is older than the log: what it does not know was found in
// the log, and the sequence goes on in another epoch.
func TestRule4_AJournalOlderThanTheLogLearnsFromIt(t *testing.T) {
	for name, doubt := range map[string]int{"nothing in doubt": 0, "batches in doubt": 3} {
		dir := t.TempDir()
		b := producetest.New(t, twoParts)
		s := newSender(t, b, dir, &fakeFramer{})
		p := s.open(0)
		s.send(p, 10)
		s.drain()
		if doubt > 0 { // begun, and not answered while the snapshot is taken
			b.Set(func() {
				b.Refuse = func(producetest.Partition, record.Header) int16 { return 19 }
			})
			for range doubt {
				s.send(p, 10)
			}
		}
		if err := s.j.Sync(); err != nil {
			t.Fatal(err)
		}
		snapshot := copyFolder(t, dir)
		b.Set(func() { b.Refuse = nil })
		for range 12 { // more than a broker remembers
			s.send(p, 10)
		}
		s.drain()
		sent := s.next
		s.kill()
		restore(t, snapshot, dir)

		s = newSender(t, b, dir, &fakeFramer{})
		p = s.open(0)
		if err := p.Settled(s.ctx()); err != nil {
			t.Fatal(err)
		}
		if _, begun := s.j.Progress(s.g.Ref); begun != pos(sent) {
			t.Errorf("%s: the journal goes on at %d, want %d: that is what the log has", name, begun, sent)
		}
		s.next = sent
		s.send(p, 10)
		s.drain()
		s.want(b, web0, sent+10)
		if got := ids(t, b); len(got) != 2 || got[0].ID != got[1].ID || got[1].Epoch != got[0].Epoch+1 {
			t.Errorf("%s: producers %+v, want the next epoch of the same id", name, got)
		}
		if n := s.c.PossibleDoubles(); n != 0 {
			t.Errorf("%s: %d possible doubles", name, n)
		}
		s.kill()
	}
}

func TestAPartitionThatTheJournalForgotIsAskedToo(t *testing.T) {
	dir := t.TempDir()
	b := producetest.New(t, twoParts)
	s := newSender(t, b, dir, &fakeFramer{})
	s.open(1) // so that the id is in the journal
	if err := s.j.Sync(); err != nil {
		t.Fatal(err)
	}
	snapshot := copyFolder(t, dir)
	s.send(s.open(0), 10)
	s.drain()
	s.kill()
	restore(t, snapshot, dir)
	s = newSender(t, b, dir, &fakeFramer{})
	p := s.open(0)
	if err := p.Settled(s.ctx()); err != nil {
		t.Fatal(err)
	}
	s.next = 10
	s.send(p, 10) // the same sequences, were it not asked
	s.drain()
	s.want(b, web0, 20)
}

// Both copies of a journal go on, on hosts of their own: neither may take a sequence of
// the other for its own, whatever it was, and what each has in doubt is settled first.
func TestACopyOfTheJournalGoesOnUnderAnotherID(t *testing.T) {
	for _, ahead := range []bool{true, false} { // the first had gone on when the copy starts
		dir := t.TempDir()
		b := producetest.New(t, twoParts)
		died(t, b, dir, 2)
		other := copyFolder(t, dir)
		var first *sender
		var p1 *Partition
		if ahead {
			first = newSender(t, b, dir, &fakeFramer{})
			p1 = first.open(0)
			first.send(p1, 10)
			first.drain()
		}
		second := newSender(t, b, other, &fakeFramer{})
		p2 := second.open(0)
		if err := p2.Settled(second.ctx()); err != nil {
			t.Fatal(err)
		}
		if !ahead {
			first = newSender(t, b, dir, &fakeFramer{})
			p1 = first.open(0)
			first.send(p1, 10)
		}
		second.next = 1000
		for range 3 {
			first.send(p1, 10)
			second.send(p2, 10)
		}
		first.drain()
		second.drain()
		got := map[string]int{}
		for _, v := range b.Values(producetest.Partition(web0)) {
			got[v]++
		}
		if len(got) != 60+10+60 {
			t.Errorf("ahead %v: %d different records, want 130", ahead, len(got))
		}
		for v, n := range got {
			if n != 1 {
				t.Errorf("ahead %v: %s is there %d times", ahead, v, n)
			}
		}
		if all := ids(t, b); len(all) != 2 || all[0].ID == all[1].ID {
			t.Errorf("ahead %v: producers %+v, want two ids", ahead, all)
		}
		first.kill()
		second.kill()
	}
}

func TestAbandonedBatchesAreLostAndTheOthersGoOn(t *testing.T) {
	dir := t.TempDir()
	b := producetest.New(t, twoParts)
	s := newSender(t, b, dir, &fakeFramer{})
	p := s.open(0)
	s.send(p, 10)
	s.drain()
	b.Set(func() {
		b.Refuse = func(producetest.Partition, record.Header) int16 { return 87 } // INVALID_RECORD
	})
	for range 4 {
		s.send(p, 10)
	}
	until(t, func() bool { return isStuck(p.Trouble()) }, "the refusal is not named")
	s.c.Abandon(func(e *journal.Entry) bool { return e.Ranges[0].Start >= 20 && e.Ranges[0].Start < 40 })
	until(t, func() bool { return s.c.InFlight() == 2 }, "%d batches are in flight, want the two that are not given up", s.c.InFlight())
	b.Set(func() { b.Refuse = nil })
	s.drain()
	s.send(p, 10)
	s.drain()
	got := b.Values(producetest.Partition(web0))
	if len(got) != 40 || got[19] != "19" || got[20] != "40" || got[39] != "59" {
		t.Errorf("%d records: %v", len(got), got)
	}
	g, _ := s.j.Get(s.g.Ref)
	if g.Lost != 20 || g.Position != 60 {
		t.Errorf("lost %d, acknowledged to %d: want the 20 bytes given up, and nothing waits for them", g.Lost, g.Position)
	}
	if n := s.c.PossibleDoubles(); n != 0 {
		t.Errorf("%d possible doubles", n)
	}
}

func TestOneThatIsAbandonedDoesNotSaveAnother(t *testing.T) {
	b := producetest.New(t, twoParts)
	s := newSender(t, b, t.TempDir(), &fakeFramer{})
	p := s.open(0)
	var all atomic.Bool
	var ask sync.Once
	b.Set(func() {
		b.Refuse = func(producetest.Partition, record.Header) int16 {
			// While an answer is awaited nothing is given up.
			if all.Load() {
				ask.Do(func() {
					for _, from := range []line.Position{0, 20} {
						s.c.Abandon(func(e *journal.Entry) bool { return e.Ranges[0].Start == from })
					}
				})
			}
			return kerr.NotEnoughReplicas.Code
		}
	})
	for range 3 {
		s.send(p, 10)
	}
	all.Store(true)
	until(t, func() bool { return s.c.InFlight() == 1 }, "%d batches are in flight, want the one that nobody asked about", s.c.InFlight())
	b.Set(func() { b.Refuse = nil })
	s.drain()
	if got := b.Values(producetest.Partition(web0)); len(got) != 10 || got[0] != "10" {
		t.Errorf("%d records: %v, want 10 to 19", len(got), got)
	}
}

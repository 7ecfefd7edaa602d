package produce

import (
	"slices"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/loghaul/loghaul/agent/produce/producetest"
)

// What was framed anew goes under another epoch, so that the bytes of the dead process
// that are still on their way are refused and not taken for something new.
func TestRule5_ALateBatchOfTheDeadProcessIsRefusedOnceItWasFramedAnew(t *testing.T) {
	dir, b := t.TempDir(), producetest.New(t, twoParts)
	died(t, b, dir, 2)
	s := newSender(t, b, dir, &fakeFramer{})
	late, err := s.f.seal(s.j.InDoubt()[web0][2])
	if err != nil {
		t.Fatal(err)
	}
	s.f.gone = 35 // bytes 30 to 34 were not stored, and their file is gone
	s.send(s.open(0), 10)
	s.drain()
	b.Set(func() {
		if code, base := b.Append(producetest.Partition(web0), late); code != kerr.InvalidProducerEpoch.Code {
			t.Errorf("the late batch: code %d at %d, want it refused", code, base)
		}
	})
	got := b.Values(producetest.Partition(web0))
	for n := range 70 {
		at := slices.Index(got, strconv.Itoa(n))
		if gone := n >= 30 && n < 35; gone != (at < 0) || at >= 0 && slices.Contains(got[at+1:], got[at]) {
			t.Fatalf("record %d is missing or double: %v", n, got)
		}
	}
}

// A topic that was deleted and made again has nothing of what waits, whatever was stored
// in the one before.
func TestRule9_ATopicThatIsMadeAnewGetsWhatWaits(t *testing.T) {
	for _, running := range []bool{false, true} {
		dir, b := t.TempDir(), producetest.New(t, twoParts)
		var s *sender
		var p *Partition
		if running {
			s = newSender(t, b, dir, &fakeFramer{})
			p = s.open(0)
			s.send(p, 10)
			s.drain()
			b.Stop()
			for range 5 {
				s.send(p, 10)
			}
		} else {
			died(t, b, dir, 2)
			b.Stop()
		}
		b.Set(func() { *b.Log(producetest.Partition(web0)) = producetest.Log{Seen: map[int64]*producetest.Producer{}} })
		b.Start(twoParts)
		if !running {
			s = newSender(t, b, dir, &fakeFramer{})
			p = s.open(0)
		}
		s.send(p, 10)
		s.drain()
		got := b.Values(producetest.Partition(web0))
		for i, v := range got {
			if v != strconv.Itoa(10+i) {
				t.Fatalf("running %v: record %d is %s", running, i, v)
			}
		}
		if n := s.c.PossibleDoubles(); len(got) != 60 || n != 0 {
			t.Errorf("running %v: %d records, %d possible doubles; want the 60 that waited", running, len(got), n)
		}
		s.kill()
	}
}

package produce

import (
	"testing"

	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/agent/produce/producetest"
	"github.com/loghaul/loghaul/internal/record"
)

// Damaged records in the log are no reason to wait for ever: what they may have been is
// sent again and counted.
func TestRule8_WhatDamageInTheLogHidesIsSentAgainAndCounted(t *testing.T) {
	for _, hole := range [][2]record.Offset{{20, 30}, {40, 50}, {20, 60}} {
		dir, b := t.TempDir(), producetest.New(t, twoParts)
		died(t, b, dir, 5)
		b.Set(func() {
			l := b.Log(producetest.Partition(web0))
			clear(l.Seen)
			l.Hole = hole
		})
		s := newSender(t, b, dir, &fakeFramer{})
		s.send(s.open(0), 10)
		s.drain()
		got, seen := b.Values(producetest.Partition(web0)), map[string]int{}
		for _, v := range got {
			seen[v]++
		}
		if len(seen) != 70 {
			t.Errorf("hole %v: %d different records, want 70", hole, len(seen))
		}
		if twice := int64(len(got) - len(seen)); twice == 0 || s.c.PossibleDoubles() != twice {
			t.Errorf("hole %v: %d records are double, %d are counted", hole, twice, s.c.PossibleDoubles())
		}
		s.kill()
	}
}

func TestDamageInTheLogIsReadPastAndSaid(t *testing.T) {
	b := producetest.New(t, twoParts)
	s := newSender(t, b, t.TempDir(), &fakeFramer{})
	p := s.open(0)
	for range 6 {
		s.send(p, 10)
	}
	s.drain()
	for _, hole := range [][2]record.Offset{{0, 0}, {20, 30}, {0, 10}, {50, 60}} {
		b.Set(func() { b.Log(producetest.Partition(web0)).Hole = hole })
		var firsts []record.Offset
		_, all, err := s.c.ReadBack(s.ctx(), journal.Partition(web0), Span{}, func(batch []byte) error {
			h, err := record.ParseHeader(batch)
			firsts = append(firsts, h.BaseOffset)
			return err
		}, func() bool { return false })
		want := 6 - int(hole[1]-hole[0])/10
		if err != nil || len(firsts) != want || all != (want == 6) {
			t.Errorf("hole %v: batches at %v, all %v, %v", hole, firsts, all, err)
		}
	}
}

package bench

import (
	"testing"
	"time"
)

// theLegs is one leg of each server, in a few rounds.
func theLegs(name string, set func(*BrokerLeg, float64), values map[string][]float64) []BrokerLeg {
	var list []BrokerLeg
	for _, server := range []string{ours, apache, bare} {
		for _, v := range values[server] {
			l := BrokerLeg{Name: name, Server: server}
			set(&l, v)
			list = append(list, l)
		}
	}
	return list
}

func TestARowSaysWhetherItsGoalIsMet(t *testing.T) {
	lines := func(l *BrokerLeg, v float64) { l.LinesPerS = &v }
	mb := func(l *BrokerLeg, v float64) { l.MBPerS = &v }
	cpu := func(l *BrokerLeg, v float64) { l.CPUSPerGB = &v }
	late := func(l *BrokerLeg, v float64) { l.P99MS = &v }
	yes, no := new(true), new(false)
	for _, c := range []struct {
		leg, row, wanted string
		set              func(*BrokerLeg, float64)
		ours, kafka      float64 // 0: none
		met              *bool
	}{
		{perfName("in", 127), "producer-perf 127 B", "at least kafka", lines, 100, 100, yes},
		{perfName("in", 127), "producer-perf 127 B", "at least kafka", lines, 99, 100, no},
		{perfName("in", 127), "producer-perf 127 B", "at least kafka", lines, 99, 0, nil},
		{perfName("out", 1000), "  CPU of the broker", "at most 1/3 of kafka", cpu, 0.3, 1, yes},
		{perfName("out", 1000), "  CPU of the broker", "at most 1/3 of kafka", cpu, 0.4, 1, no},
		{smallName(16), "one record a batch, 16 connections, 16 partitions, acks=all", "at least 3 x kafka", lines, 301, 100, yes},
		{smallName(16), "one record a batch, 16 connections, 16 partitions, acks=all", "at least 3 x kafka", lines, 299, 100, no},
		{seenName, "produce to seen at 50 MB/s, p99", "at most 2", late, 1.9, 0, yes},
		{seenName, "produce to seen at 50 MB/s, p99", "at most 2", late, 2.1, 9, no},
		{rawName("out", 64<<10), "  out", "at least 2000", mb, 1999, 1, no},
	} {
		values := map[string][]float64{ours: {c.ours}}
		if c.kafka > 0 {
			values[apache] = []float64{c.kafka}
		}
		var row *Row
		for _, r := range rows(Sizes[0], theLegs(c.leg, c.set, values)) {
			if r.Name == c.row {
				row = &r
			}
		}
		switch {
		case row == nil:
			t.Errorf("no row %q of leg %q", c.row, c.leg)
		case row.Wanted != c.wanted:
			t.Errorf("%s: wanted is %q, want %q", c.row, row.Wanted, c.wanted)
		case (row.Met == nil) != (c.met == nil) || row.Met != nil && *row.Met != *c.met:
			t.Errorf("%s, %v beside %v: met is not what it should be", c.row, c.ours, c.kafka)
		}
	}
}

func TestTheBareLoopIsTheMeasureOfHandBuiltBatches(t *testing.T) {
	mb := func(l *BrokerLeg, v float64) { l.MBPerS = &v }
	r := rows(Sizes[0], theLegs(rawName("in", 64<<10), mb, map[string][]float64{ours: {690}, apache: {100}, bare: {1000}}))[0]
	if r.Beside != bare || *r.Other != 1000 || *r.Ratio != 0.69 || *r.Met {
		t.Errorf("the row is %+v, want 0.69 of the bare loop, which is too little", r)
	}
}

func TestEveryLegHasItsRows(t *testing.T) {
	names := map[string]bool{}
	for _, g := range goals(Sizes[0]) {
		names[g.leg] = true
	}
	for _, want := range []string{perfName("in", 127), perfName("out", 1000), saramaIn, saramaOut, rawName("in", 64<<10), rawName("out", 256<<10),
		smallName(1), smallName(16), seenName, idleName, crashOneName, crashSpreadName, clientsName, manyName, manyKilledName} {
		if !names[want] {
			t.Errorf("leg %q has no row", want)
		}
	}
}

func TestRoundsBecomeTheirMedian(t *testing.T) {
	lines := func(l *BrokerLeg, v float64) { l.LinesPerS = &v }
	got := medians(theLegs("x", lines, map[string][]float64{ours: {5, 1, 3}, apache: {2}}))
	if len(got) != 2 || *got[0].LinesPerS != 3 || *got[1].LinesPerS != 2 || got[0].Server != ours || got[0].P99MS != nil {
		t.Errorf("medians are %+v, want 3 of 5, 1 and 3, and 2 of 2", got)
	}
}

func TestAPercentileIsOfAllTimes(t *testing.T) {
	var times []time.Duration
	for i := range 1000 {
		times = append(times, time.Duration((i*7)%1000)*time.Millisecond)
	}
	if p := percentile(times, 0.99); *p != 990 {
		t.Errorf("p99 of 0 to 999 ms is %v, want 990", *p)
	}
	if p := percentile([]time.Duration{time.Second}, 0.99); *p != 1000 {
		t.Errorf("p99 of one second is %v ms", *p)
	}
}

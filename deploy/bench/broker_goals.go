package bench

import (
	"fmt"
	"slices"
	"strconv"
)

// Row is one line of what a broker is to reach.
type Row struct {
	Name   string   `json:"name"`
	Leg    string   `json:"leg"`
	Unit   string   `json:"unit"`
	Ours   *float64 `json:"ours"`
	Beside string   `json:"beside"` // whose figure the other one is
	Other  *float64 `json:"other"`
	Ratio  *float64 `json:"ratio"`  // ours to the other
	Wanted string   `json:"wanted"` // in words
	Met    *bool    `json:"met"`    // null where it cannot be told
}

// goal is a row before anything was measured.
type goal struct {
	name, leg, unit string
	figure          func(BrokerLeg) *float64
	beside          string // [kafka]
	least, most     float64
	times           bool // least and most are multiples of the other's figure
}

func linesPerS(l BrokerLeg) *float64 { return l.LinesPerS }
func mbPerS(l BrokerLeg) *float64    { return l.MBPerS }
func cpuPerGB(l BrokerLeg) *float64  { return l.CPUSPerGB }
func peakRSS(l BrokerLeg) *float64   { return l.PeakRSSMB }
func p99(l BrokerLeg) *float64       { return l.P99MS }
func cpu(l BrokerLeg) *float64       { return l.CPU }
func readyMS(l BrokerLeg) *float64   { return l.ReadyMS }
func records(l BrokerLeg) *float64   { return l.Records }

// goals are the rows for a size, in the order of the legs.
func goals(s Size) []goal {
	var list []goal
	for _, size := range []int{127, 1000} {
		for _, way := range []string{"in", "out"} {
			leg := perfName(way, size)
			tool := map[string]string{"in": "producer-perf", "out": "consumer-perf"}[way]
			list = append(list,
				goal{name: fmt.Sprintf("%s %d B", tool, size), leg: leg, unit: "records/s", figure: linesPerS, least: 1, times: true},
				goal{name: "  CPU of the broker", leg: leg, unit: "s/GB", figure: cpuPerGB, most: 1. / 3, times: true},
				goal{name: "  resident memory", leg: leg, unit: "MB", figure: peakRSS, most: 1. / 5, times: true})
		}
	}
	list = append(list,
		goal{name: "sarama AsyncProducer, 200 B", leg: saramaIn, unit: "records/s", figure: linesPerS, least: 250_000},
		goal{name: "  ConsumePartition meanwhile", leg: saramaOut, unit: "records/s", figure: linesPerS, least: 550_000},
		goal{name: "  append to consumer, p99", leg: saramaOut, unit: "ms", figure: p99, most: 5},
		goal{name: "  producer's input to consumer, p99", leg: saramaAll, unit: "ms", figure: p99})
	for _, size := range []int{64 << 10, 256 << 10, 1 << 20} {
		list = append(list,
			goal{name: fmt.Sprintf("batches of %d KiB in, acks=1", size>>10), leg: rawName("in", size), unit: "MB/s", figure: mbPerS, beside: bare, least: 0.7, times: true},
			goal{name: "  the same", leg: rawName("in", size), unit: "MB/s", figure: mbPerS, least: 1, times: true},
			goal{name: "  out", leg: rawName("out", size), unit: "MB/s", figure: mbPerS, least: 2000})
	}
	for _, partitions := range []int{1, 16} {
		list = append(list, goal{name: fmt.Sprintf("one record a batch, 16 connections, %s, acks=all", plural(partitions, "partition")),
			leg: smallName(partitions), unit: "records/s", figure: linesPerS, least: 3, times: true})
	}
	return append(list,
		goal{name: "produce to seen at 50 MB/s, p99", leg: seenName, unit: "ms", figure: p99, beside: barestSync, most: 2},
		goal{name: "  the same", leg: seenName, unit: "ms", figure: p99},
		goal{name: fmt.Sprintf("idle, %s: memory", plural(s.Parts, "partition")), leg: idleName, unit: "MB", figure: peakRSS, most: 100},
		goal{name: "  CPU", leg: idleName, unit: "% of a core", figure: cpu, most: 0.5},
		goal{name: "  ready after a clean stop", leg: idleName, unit: "ms", figure: readyMS, most: 100},
		goal{name: fmt.Sprintf("ready after kill -9, %.3g GB in 1 partition", float64(s.Crash)/1000), leg: crashOneName, unit: "ms", figure: readyMS, most: 2000},
		goal{name: fmt.Sprintf("ready after kill -9, %.3g GB in %s", float64(s.Crash)/1000, plural(s.Spread, "partition")), leg: crashSpreadName, unit: "ms", figure: readyMS, most: 2000},
		goal{name: fmt.Sprintf("%d open connections: memory", s.Clients), leg: clientsName, unit: "MB", figure: peakRSS, most: 300},
		goal{name: fmt.Sprintf("%d partitions made, with a record in each", s.Many), leg: manyName, unit: "partitions/s", figure: linesPerS},
		goal{name: "  memory", leg: manyName, unit: "MB", figure: peakRSS},
		goal{name: "  CPU while idle", leg: manyName, unit: "% of a core", figure: cpu},
		goal{name: "  records after a clean stop", leg: manyName, unit: "records", figure: records, least: float64(s.Many)},
		goal{name: "  ready after a clean stop", leg: manyName, unit: "ms", figure: readyMS},
		goal{name: "  records after another in each and kill -9", leg: manyKilledName, unit: "records", figure: records, least: float64(2 * s.Many)},
		goal{name: "  ready after that", leg: manyKilledName, unit: "ms", figure: readyMS})
}

func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// rows are the goals of a size whose legs were measured, and what came out.
func rows(s Size, legs []BrokerLeg) []Row { return rowsOf(goals(s), legs) }

// rowsOf are those goals whose legs were measured, and what came out.
func rowsOf(goals []goal, legs []BrokerLeg) []Row {
	figure := func(g goal, server string) *float64 {
		i := slices.IndexFunc(legs, func(l BrokerLeg) bool { return l.Name == g.leg && l.Server == server })
		if i < 0 {
			return nil
		}
		return g.figure(legs[i])
	}
	list := []Row{}
	for _, g := range goals {
		if g.beside == "" {
			g.beside = apache
		}
		r := Row{Name: g.name, Leg: g.leg, Unit: g.unit, Beside: g.beside, Ours: figure(g, ours), Other: figure(g, g.beside), Wanted: g.wanted()}
		if !slices.ContainsFunc(legs, func(l BrokerLeg) bool { return l.Name == g.leg }) {
			continue
		}
		if r.Ours != nil && r.Other != nil && *r.Other > 0 {
			r.Ratio = new(*r.Ours / *r.Other)
		}
		r.Met = g.met(r)
		list = append(list, r)
	}
	return list
}

// wanted says the goal.
func (g goal) wanted() string {
	word, bound := "at least ", g.least
	if g.most > 0 {
		word, bound = "at most ", g.most
	}
	switch {
	case bound == 0:
		return ""
	case !g.times:
		return word + strconv.FormatFloat(bound, 'f', -1, 64)
	case bound == 1:
		return word + g.beside
	case bound < 1 && g.most > 0:
		return fmt.Sprintf("%s1/%.0f of %s", word, 1/bound, g.beside)
	}
	return fmt.Sprintf("%s%.2g x %s", word, bound, g.beside)
}

// met tells whether the goal is reached; nil when nobody can tell, or nothing is wanted.
func (g goal) met(r Row) *bool {
	f := r.Ours
	if g.times {
		f = r.Ratio
	}
	switch {
	case f == nil, g.least == 0 && g.most == 0:
		return nil
	case g.least > 0:
		return new(*f >= g.least)
	}
	return new(*f <= g.most)
}

// medians turns the rounds of each leg and server into one, each figure for itself.
func medians(found []BrokerLeg) []BrokerLeg {
	var list []BrokerLeg
	for i, l := range found {
		same := func(o BrokerLeg) bool { return o.Name == l.Name && o.Server == l.Server }
		if slices.IndexFunc(found, same) < i {
			continue
		}
		m := BrokerLeg{Name: l.Name, Server: l.Server}
		for _, field := range []func(*BrokerLeg) **float64{
			func(l *BrokerLeg) **float64 { return &l.LinesPerS }, func(l *BrokerLeg) **float64 { return &l.MBPerS },
			func(l *BrokerLeg) **float64 { return &l.CPUSPerGB }, func(l *BrokerLeg) **float64 { return &l.PeakRSSMB },
			func(l *BrokerLeg) **float64 { return &l.P99MS }, func(l *BrokerLeg) **float64 { return &l.P50MS }, func(l *BrokerLeg) **float64 { return &l.CPU },
			func(l *BrokerLeg) **float64 { return &l.ReadyMS }, func(l *BrokerLeg) **float64 { return &l.Records }, func(l *BrokerLeg) **float64 { return &l.Open },
		} {
			var values []float64
			for _, o := range found {
				if v := *field(&o); same(o) && v != nil {
					values = append(values, *v)
				}
			}
			if slices.Sort(values); len(values) > 0 {
				*field(&m) = new(values[len(values)/2])
			}
		}
		list = append(list, m)
	}
	return list
}

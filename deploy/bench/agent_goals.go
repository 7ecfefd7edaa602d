package bench

import "fmt"

// linesPerCPU is how many lines the agent moves for a second of processor time.
func linesPerCPU(l BrokerLeg) *float64 {
	if l.CPUSPerGB == nil || *l.CPUSPerGB <= 0 {
		return nil
	}
	return new(1e9 / lineBytes / *l.CPUSPerGB)
}

func p50(l BrokerLeg) *float64         { return l.P50MS }
func descriptors(l BrokerLeg) *float64 { return l.Open }

// agentGoals are the rows of an agent's measurement, in the order of the legs.
func agentGoals(s AgentSize) []goal {
	plain := topicName("none", ours)
	list := []goal{
		{name: "file to topic, acks=all, no compression", leg: plain, unit: "lines/s", figure: linesPerS, beside: nameCollector, least: 1_500_000},
		{name: "  the same", leg: plain, unit: "lines/s", figure: linesPerS, beside: nameRsyslog},
		{name: "  CPU of the agent", leg: plain, unit: "s/GB", figure: cpuPerGB, beside: nameCollector, most: 1.7},
		{name: "  lines a CPU second", leg: plain, unit: "lines", figure: linesPerCPU, beside: nameCollector, least: 6, times: true},
		{name: "  the same", leg: plain, unit: "lines", figure: linesPerCPU, beside: nameRsyslog, least: 11, times: true},
		{name: "  resident memory", leg: plain, unit: "MB", figure: peakRSS, beside: nameRsyslog, most: 80},
		{name: "  into Apache Kafka", leg: topicName("none", apache), unit: "lines/s", figure: linesPerS},
		{name: "    CPU of the agent", leg: topicName("none", apache), unit: "s/GB", figure: cpuPerGB, most: 1.7},
	}
	for _, c := range []struct {
		codec string
		most  float64
	}{{"snappy", 3.2}, {"lz4", 3.8}} {
		list = append(list,
			goal{name: "file to topic, " + c.codec, leg: topicName(c.codec, ours), unit: "lines/s", figure: linesPerS},
			goal{name: "  CPU of the agent", leg: topicName(c.codec, ours), unit: "s/GB", figure: cpuPerGB, most: c.most})
	}
	list = append(list,
		goal{name: "file to nothing", leg: nothingName, unit: "lines/s", figure: linesPerS},
		goal{name: "  CPU", leg: nothingName, unit: "s/GB", figure: cpuPerGB, most: 0.8},
		goal{name: "  two files at once", leg: severalName, unit: "lines/s", figure: linesPerS, beside: oneFile, least: 1.7, times: true})
	for _, broker := range []string{ours, apache} {
		leg := visibleName(broker)
		list = append(list,
			goal{name: fmt.Sprintf("append to visible, 100 lines/s, %s, p50", broker), leg: leg, unit: "ms", figure: p50, beside: nameRsyslog, most: 1, times: true},
			goal{name: "  p99", leg: leg, unit: "ms", figure: p99, beside: nameRsyslog, most: 1, times: true},
			goal{name: "  p50", leg: leg, unit: "ms", figure: p50, beside: nameCollector})
	}
	return append(list,
		goal{name: fmt.Sprintf("%d idle files and 50 active ones: CPU", s.Few), leg: fewName, unit: "% of a core", figure: cpu, most: 0.5},
		goal{name: "  descriptors", leg: fewName, unit: "files", figure: descriptors, most: 150},
		goal{name: "  memory", leg: fewName, unit: "MB", figure: peakRSS, most: 40},
		goal{name: fmt.Sprintf("%d idle files: CPU", s.Many), leg: manyFilesName, unit: "% of a core", figure: cpu, most: 2},
		goal{name: "  memory", leg: manyFilesName, unit: "MB", figure: peakRSS, most: 150},
		goal{name: "  started again, all known: ready after", leg: manyFilesName, unit: "ms", figure: readyMS, most: 5000})
}

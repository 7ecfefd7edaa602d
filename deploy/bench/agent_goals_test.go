package bench

import "testing"

func TestAnAgentsRowSaysWhetherItsGoalIsMet(t *testing.T) {
	cpuTime := func(l *BrokerLeg, v float64) { l.CPUSPerGB = &v }
	late := func(l *BrokerLeg, v float64) { l.P99MS = &v }
	yes, no := new(true), new(false)
	for _, c := range []struct {
		leg, row, beside string
		set              func(*BrokerLeg, float64)
		ours, other      float64 // 0: none
		met              *bool
	}{
		{topicName("none", ours), "  CPU of the agent", nameCollector, cpuTime, 1.7, 10, yes},
		{topicName("none", ours), "  CPU of the agent", nameCollector, cpuTime, 1.8, 10, no},
		{topicName("none", ours), "  lines a CPU second", nameCollector, cpuTime, 1.7, 10.5, yes},
		{topicName("none", ours), "  lines a CPU second", nameCollector, cpuTime, 1.8, 10.5, no},
		{topicName("none", ours), "  lines a CPU second", nameCollector, cpuTime, 1.7, 0, nil},
		{topicName("snappy", ours), "  CPU of the agent", apache, cpuTime, 3.3, 0, no},
		{visibleName(apache), "  p99", nameRsyslog, late, 2, 2.1, yes},
		{visibleName(apache), "  p99", nameRsyslog, late, 2.2, 2.1, no},
	} {
		legs := []BrokerLeg{{Name: c.leg, Server: ours}, {Name: c.leg, Server: c.beside}}
		c.set(&legs[0], c.ours)
		if c.other > 0 {
			c.set(&legs[1], c.other)
		}
		found := false
		for _, r := range rowsOf(agentGoals(AgentSizes[0]), legs) {
			if r.Name != c.row || r.Beside != c.beside {
				continue
			}
			found = true
			if (r.Met == nil) != (c.met == nil) || r.Met != nil && *r.Met != *c.met {
				t.Errorf("%s, %v beside %v of %s: met is not what it should be", c.row, c.ours, c.other, c.beside)
			}
		}
		if !found {
			t.Errorf("no row %q beside %s", c.row, c.beside)
		}
	}
}

func TestEveryLegOfTheAgentHasItsRows(t *testing.T) {
	names := map[string]bool{}
	for _, g := range agentGoals(AgentSizes[0]) {
		names[g.leg] = true
	}
	for _, want := range []string{topicName("none", ours), topicName("none", apache), topicName("snappy", ours), topicName("lz4", ours), nothingName, severalName,
		visibleName(ours), visibleName(apache), fewName, manyFilesName} {
		if !names[want] {
			t.Errorf("leg %q has no row", want)
		}
	}
}

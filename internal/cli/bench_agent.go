package cli

import (
	"cmp"
	"context"

	"github.com/loghaul/loghaul/deploy/bench"
	"github.com/spf13/cobra"
)

// benchAgentFlags are those of the command bench agent.
type benchAgentFlags struct {
	size string
	cfg  bench.AgentConfig
}

func newBenchAgent(g *globals) *cobra.Command {
	var f benchAgentFlags
	cmd := &cobra.Command{
		Use: "agent", Short: "the agent's speed, memory and idle load, with other agents beside it", Args: cobra.NoArgs,
		Long: `Measures the agent as a process of its own: from a file to a topic of the bundled broker and, where its jars are, of Apache Kafka;
from files to nothing; from the moment when a line is appended to the moment when a consumer has it; and with very many
files. Where rsyslog (Debian: rsyslog, rsyslog-kafka) or an OpenTelemetry Collector with the filelog receiver and the Kafka
exporter (built as deploy/bench/otelcol.yaml says) are installed, they do the same work in the same run.

--size full takes about half an hour, --size short less than ten minutes; both need 5 GB of disk. The figures are the medians
of up to three rounds. The exit code is 3 when everything was measured and a goal is not met.`,
		RunE: run(func(ctx context.Context, _ []string) error { return g.runBenchAgent(ctx, f) }),
	}
	g.addBench(cmd, &f.size, agentSizeNames(), &f.cfg.Setup, bench.AgentLegs())
	fl := cmd.Flags()
	fl.StringVar(&f.cfg.Rsyslog, "rsyslog", "", "the rsyslogd executable (default: the system's); none does without")
	fl.StringVar(&f.cfg.Collector, "collector", "", "the Collector's executable (default: otelcol/otelcol in loghaul's cache folder); none does without")
	return cmd
}

func agentSizeNames() []string {
	var names []string
	for _, s := range bench.AgentSizes {
		names = append(names, s.Name)
	}
	return names
}

func (g *globals) runBenchAgent(ctx context.Context, f benchAgentFlags) error {
	i, err := g.beginBench(f.size, agentSizeNames(), &f.cfg.Setup, bench.AgentLegs())
	if err != nil {
		return err
	}
	f.cfg.Size = bench.AgentSizes[i]
	r, err := bench.Agent(ctx, f.cfg)
	if len(r.Rows) == 0 && err != nil {
		return err
	}
	missed := g.printRows(r, r.Rows, "another agent or Apache Kafka was not there, or this machine has no /proc") // what was measured is shown, whatever else failed
	return cmp.Or(err, missed)
}

package cli

import (
	"cmp"
	"context"
	"fmt"

	"github.com/loghaul/loghaul/deploy/bench"
	"github.com/spf13/cobra"
)

// benchBrokerFlags are those of the command bench broker.
type benchBrokerFlags struct {
	size string
	cfg  bench.BrokerConfig
}

func newBenchBroker(g *globals) *cobra.Command {
	var f benchBrokerFlags
	cmd := &cobra.Command{
		Use: "broker", Short: "the broker's speed, memory and starts, with a real Apache Kafka beside it", Args: cobra.NoArgs,
		Long: `Measures the broker as a process of its own, on local connections: a fresh one for each leg, with an empty folder. Where Java and
the jars of Apache Kafka are there, a Kafka of one node with its own settings takes its turn in each leg, and its perf
tools are among the clients. Where they are not, this broker is measured alone.

--size full takes about half an hour and 25 GB of disk, --size short about five minutes and 5 GB. The figures are the
medians of up to three rounds. The exit code is 3 when everything was measured and a goal is not met.`,
		RunE: run(func(ctx context.Context, _ []string) error { return g.runBenchBroker(ctx, f) }),
	}
	g.addBench(cmd, &f.size, sizeNames(), &f.cfg.Setup, bench.BrokerLegs())
	return cmd
}

func sizeNames() []string {
	var names []string
	for _, s := range bench.Sizes {
		names = append(names, s.Name)
	}
	return names
}

func (g *globals) runBenchBroker(ctx context.Context, f benchBrokerFlags) error {
	i, err := g.beginBench(f.size, sizeNames(), &f.cfg.Setup, bench.BrokerLegs())
	if err != nil {
		return err
	}
	f.cfg.Size = bench.Sizes[i]
	r, err := bench.Broker(ctx, f.cfg)
	if len(r.Rows) == 0 && err != nil {
		return err
	}
	missed := g.printRows(r, r.Rows, "there was no Apache Kafka beside it, or this machine has no /proc") // what was measured is shown, whatever else failed
	return cmp.Or(err, missed)
}

// printRows shows one row for each thing that is wanted, of a report. What is not met makes the exit code 3; why says why
// some goals cannot be told.
func (g *globals) printRows(report any, rows []bench.Row, why string) error {
	t := table{header: []string{"WHAT", "UNIT", "LOGHAUL", "BESIDE", "", "RATIO", "WANTED", "MET"}}
	goals, missed, untold := 0, 0, 0
	for _, row := range rows {
		beside, met := "", ""
		if row.Other != nil {
			beside = row.Beside
		}
		if row.Wanted != "" {
			goals++
		}
		switch {
		case row.Wanted == "":
		case row.Met == nil:
			met = "-"
			untold++
		case *row.Met:
			met = "yes"
		default:
			met = "no"
			missed++
		}
		t.add(row.Name, row.Unit, figure(row.Ours), figure(row.Other), beside, ratio(row.Ratio), row.Wanted, met)
	}
	if err := g.print(report, t); err != nil {
		return err
	}
	if untold > 0 {
		g.sayf("%d of %d goals cannot be told: %s", untold, goals, why)
	}
	if missed > 0 {
		return degraded(fmt.Errorf("%d of %d goals are not met", missed, goals))
	}
	return nil
}

// figure is a number with as many decimals as its size deserves.
func figure(f *float64) string {
	switch {
	case f == nil:
		return "-"
	case *f >= 100:
		return whole(*f)
	}
	return hundredths(*f)
}

func ratio(f *float64) string {
	if f == nil {
		return ""
	}
	return hundredths(*f)
}

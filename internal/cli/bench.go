package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/loghaul/loghaul/deploy/bench"
	"github.com/spf13/cobra"
)

func newBench(g *globals) *cobra.Command {
	return newGroup("bench", "measure the parts as they are", newBenchPipe(g), newBenchAgent(g), newBenchBroker(g))
}

func newBenchPipe(g *globals) *cobra.Command {
	var lines int
	var dir string
	cmd := &cobra.Command{
		Use: "pipe", Short: "a generated log from its file to the topic, and from the topic to a file", Args: cobra.NoArgs,
		RunE: run(func(ctx context.Context, _ []string) error { return g.runBenchPipe(ctx, lines, dir) }),
	}
	cmd.Flags().IntVar(&lines, "lines", 3_000_000, "lines of 170 bytes to generate")
	cmd.Flags().StringVar(&dir, "dir", "", "folder to work in, removed afterwards but for itself (default: the system's for temporary files)")
	g.addOutput(cmd)
	return cmd
}

func (g *globals) runBenchPipe(ctx context.Context, lines int, dir string) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program, which the measurement runs as agent, broker and transfer: %w", err)
	}
	r, err := bench.Pipe(ctx, bench.Config{Program: program, Lines: lines, Dir: dir, Say: g.sayf})
	if err != nil {
		return err
	}
	return g.printLegs(r)
}

func (g *globals) printLegs(r bench.Report) error {
	t := table{header: []string{"LEG", "LINES/S", "MB/S", "CPU S/GB", "PEAK RSS MB"}}
	unknown := false
	for _, l := range r.Legs {
		t.add(l.Name, whole(l.LinesPerS), whole(l.MBPerS), hundredths(l.CPUSPerGB), rssText(l.PeakRSSMB))
		unknown = unknown || l.PeakRSSMB == nil
		if g.output == "name" {
			continue
		}
		for _, p := range l.Parts {
			t.add("  "+p.Name, "", "", hundredths(p.CPUSPerGB), rssText(p.PeakRSSMB))
		}
	}
	if unknown {
		g.sayf("peak memory is not known: this machine has no /proc")
	}
	return g.print(r, t)
}

// addBench gives a command the flags of a measurement of many legs.
func (g *globals) addBench(cmd *cobra.Command, size *string, sizes []string, s *bench.Setup, legs []string) {
	fl := cmd.Flags()
	fl.StringVar(size, "size", "full", "how much to move: "+strings.Join(sizes, " or "))
	fl.StringSliceVar(&s.Legs, "legs", nil, "which legs to run, by comma: "+strings.Join(legs, ", ")+" (default: all)")
	fl.StringVar(&s.Kafka, "kafka", "", "folder of an unpacked Apache Kafka, or of its jars (default: what .ci/install brought); none does without")
	fl.StringVar(&s.KafkaHeap, "kafka-heap", "1g", "heap of its JVM; Kafka's start script has 1g")
	fl.StringVar(&s.Dir, "dir", "", "folder to work in, removed afterwards but for itself (default: the system's for temporary files)")
	must(cmd.RegisterFlagCompletionFunc("size", cobra.FixedCompletions(sizes, cobra.ShellCompDirectiveNoFileComp)))
	must(cmd.RegisterFlagCompletionFunc("legs", cobra.FixedCompletions(legs, cobra.ShellCompDirectiveNoFileComp)))
	g.addOutput(cmd)
}

// beginBench checks those flags and completes what they say; it answers which of the sizes is asked for.
func (g *globals) beginBench(size string, sizes []string, s *bench.Setup, legs []string) (int, error) {
	i := slices.Index(sizes, size)
	if i < 0 {
		return 0, usageErrorf("--size %s: must be %s", size, strings.Join(sizes, " or "))
	}
	for _, name := range s.Legs {
		if !slices.Contains(legs, name) {
			return 0, usageErrorf("--legs %s: must be of %s", name, strings.Join(legs, ", "))
		}
	}
	program, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("finding this program, which is measured: %w", err)
	}
	s.Program, s.Say = program, g.sayf
	return i, nil
}

func whole(f float64) string { return strconv.FormatFloat(f, 'f', 0, 64) }

func hundredths(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) }

func rssText(mb *float64) string {
	if mb == nil {
		return "-"
	}
	return whole(*mb)
}

package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/spf13/cobra"
)

// topicTrimFlags are those of the command topic trim.
type topicTrimFlags struct {
	before    string
	partition int32
	yes       bool
}

func newTopicTrim(g *globals) *cobra.Command {
	var f topicTrimFlags
	cmd := &cobra.Command{
		Use: "trim TOPIC --before OFFSET|TIME", Short: "show which oldest records would be deleted; --yes deletes them", Args: cobra.ExactArgs(1),
		RunE: run(func(ctx context.Context, args []string) error { return g.topicTrim(ctx, args[0], f) }),
	}
	fl := cmd.Flags()
	fl.StringVar(&f.before, "before", "", "delete what comes before: an OFFSET, a TIME, an AGE, -N (keep the last N), or end (everything); required")
	fl.Int32Var(&f.partition, "partition", -1, "only in this partition")
	fl.BoolVar(&f.yes, "yes", false, "delete, instead of showing the plan")
	for _, name := range []string{"before", "partition", "yes"} {
		must(fl.SetAnnotation(name, onlyTyped, []string{"true"}))
	}
	return cmd
}

func (g *globals) topicTrim(ctx context.Context, topic string, f topicTrimFlags) error {
	if f.before == "" {
		return usageErrorf("topic trim %s: say what to delete with --before", topic)
	}
	before, err := parsePoint("before", f.before, time.Now())
	if err != nil {
		return err
	}
	cl := newCluster(g.kafkaConfig("loghaul-topic"))
	defer cl.Close()
	leaders, err := cl.leaders(ctx, topic)
	if err != nil {
		return err
	}
	held, err := cl.held(ctx, topic, leaders)
	if err != nil {
		return err
	}
	at, err := before.resolve(ctx, cl, topic, leaders, held)
	if err != nil {
		return err
	}
	if _, there := held[f.partition]; f.partition != -1 && !there {
		return fmt.Errorf("topic %s has no partition %d: it has %d", topic, f.partition, len(held))
	}
	goals, plan := trimPlan(topic, f.partition, held, at)
	if len(goals) == 0 {
		_, err := fmt.Fprintf(g.stdout, "nothing to trim: topic %s holds no records before %s\n", topic, f.before)
		return err
	}
	if !f.yes {
		_, err := fmt.Fprintf(g.stdout, "would delete\n%snothing was changed; --yes deletes them\n", plan)
		return err
	}
	if err := g.administer(ctx, func(a sarama.ClusterAdmin) error { return a.DeleteRecords(topic, goals) }); err != nil {
		return fmt.Errorf("trimming topic %s: %w", topic, notAllowed(err, "Delete", "topic", topic))
	}
	g.sayf("deleted\n%s", strings.TrimSuffix(plan, "\n"))
	return nil
}

// trimPlan is where each partition shall begin, and the same in words. Partitions that would lose nothing are left out.
func trimPlan(topic string, only int32, held map[int32]bounds, at map[int32]record.Offset) (map[int32]int64, string) {
	goals := map[int32]int64{}
	var plan strings.Builder
	for _, n := range slices.Sorted(maps.Keys(held)) {
		b := held[n]
		goal := b.within(at[n])
		if only != -1 && n != only || goal == b.start {
			continue
		}
		goals[n] = int64(goal)
		fmt.Fprintf(&plan, "  %s partition %d: %s, offsets %d to %d\n", topic, n, plural(int(goal-b.start), "record"), b.start, goal-1)
	}
	return goals, plan.String()
}

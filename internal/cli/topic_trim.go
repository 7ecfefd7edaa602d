package cli

import (
	"context"
	"fmt"
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
	if err := cl.notInternal(ctx, topic, "trimmed"); err != nil {
		return err
	}
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
	goes, err := planTrim(topic, f.partition, before, held, at)
	if err != nil {
		return err
	}
	if begin, there := held[f.partition]; there && f.yes && at[f.partition] == begin.start {
		return g.giveUpLost(ctx, topic, f.partition, begin.start)
	}
	if len(goes.goals) == 0 {
		_, err := fmt.Fprintf(g.stdout, "nothing to trim: topic %s holds no records before %s\n", topic, f.before)
		return err
	}
	plan := g.trimPlan(ctx, goes, before)
	if !f.yes {
		_, err := fmt.Fprintf(g.stdout, "would delete\n%snothing was changed; --yes deletes them\n", plan)
		return err
	}
	return g.trim(ctx, cl, goes, leaders, plan)
}

// trim deletes, and says what that has freed.
func (g *globals) trim(ctx context.Context, cl *cluster, goes trimmed, leaders map[int32]string, plan string) error {
	topic := goes.topic
	sizes, _ := cl.sizes(ctx, topic, leaders) // who may not ask is told less
	if err := g.administer(ctx, func(a sarama.ClusterAdmin) error { return a.DeleteRecords(topic, goes.goals) }); err != nil {
		return fmt.Errorf("trimming topic %s: %w", topic, notAllowed(err, "Delete", "topic", topic))
	}
	g.sayf("deleted\n%s", strings.TrimSuffix(plan, "\n"))
	if left, err := cl.sizes(ctx, topic, leaders); err == nil {
		if text := freedText(goes.goals, goes.held, sizes, left); text != "" {
			g.sayf("%s", text)
		}
	}
	return nil
}

// giveUpLost has the broker forget what it knows to be lost right before the first record: no more copy of it is waited for.
func (g *globals) giveUpLost(ctx context.Context, topic string, partition int32, start record.Offset) error {
	goals := map[int32]int64{partition: int64(start)}
	if err := g.administer(ctx, func(a sarama.ClusterAdmin) error { return a.DeleteRecords(topic, goals) }); err != nil {
		return fmt.Errorf("trimming topic %s: %w", topic, notAllowed(err, "Delete", "topic", topic))
	}
	_, err := fmt.Fprintf(g.stdout, "nothing to trim: partition %d of topic %s begins at offset %d; if records before it were lost, they are given up\n", partition, topic, start)
	return err
}

// freedText says what a trim has freed on the disk, and where that is less than was deleted; empty: nobody knows.
func freedText(goals map[int32]int64, held map[int32]bounds, before, left map[int32]int64) string {
	freed, known, rest := int64(0), false, false
	for n, goal := range goals {
		was, asked := before[n]
		now, told := left[n]
		if known = known || asked && told; asked && told {
			freed += max(was-now, 0) // records may have come meanwhile
			rest = rest || record.Offset(goal) < held[n].end && now > 0
		}
	}
	switch {
	case !known:
		return ""
	case rest:
		return fmt.Sprintf("freed on the disk: %s; segments go whole, so one that holds later records too goes when those are trimmed or expire (--before end frees everything at once)", sizeText(freed))
	}
	return "freed on the disk: " + sizeText(freed)
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/IBM/sarama"
	"github.com/spf13/cobra"
)

func newTopic(g *globals) *cobra.Command {
	return newGroup("topic", "list, create, describe, alter, trim and delete topics",
		newTopicList(g), newTopicCreate(g), newTopicDescribe(g), newTopicAlter(g), newTopicTrim(g), newTopicDelete(g))
}

func newTopicList(g *globals) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "list", Short: "list the topics", Args: cobra.NoArgs,
		RunE: run(func(ctx context.Context, _ []string) error { return g.topicList(ctx, all) }),
	}
	cmd.Flags().BoolVar(&all, "all", false, "also the brokers' internal topics")
	g.addOutput(cmd)
	return cmd
}

func (g *globals) topicList(ctx context.Context, all bool) error {
	cl := newCluster(g.kafkaConfig("loghaul-topic"))
	defer cl.Close()
	topics, err := cl.topics(ctx)
	if err != nil {
		return err
	}
	if !all {
		topics = slices.DeleteFunc(topics, func(t topicLine) bool { return t.Internal })
	}
	t := table{header: []string{"TOPIC", "PARTITIONS", "REPLICAS"}, empty: "no topics yet: loghaul topic create NAME makes one"}
	for _, l := range topics {
		t.add(l.Topic, strconv.Itoa(l.Partitions), strconv.Itoa(l.Replicas))
	}
	return g.print(map[string]any{"topics": topics}, t)
}

// topicCreateFlags are those of the command topic create.
type topicCreateFlags struct {
	partitions int32
	replicas   int16
	set        []string
}

func newTopicCreate(g *globals) *cobra.Command {
	var f topicCreateFlags
	cmd := &cobra.Command{
		Use: "create TOPIC", Short: "create a topic", Args: cobra.ExactArgs(1),
		RunE: run(func(ctx context.Context, args []string) error { return g.topicCreate(ctx, args[0], f) }),
	}
	fl := cmd.Flags()
	fl.Int32Var(&f.partitions, "partitions", -1, "how many partitions (default: the broker's num.partitions)")
	fl.Int16Var(&f.replicas, "replicas", -1, "how many copies (default: the broker's default.replication.factor)")
	fl.StringArrayVar(&f.set, "set", nil, "K=V, a setting of the topic by Kafka's own name; repeat for more")
	return cmd
}

func (g *globals) topicCreate(ctx context.Context, topic string, f topicCreateFlags) error {
	if err := checkTopic(topic); err != nil {
		return err
	}
	settings, err := pairs("set", f.set)
	if err != nil {
		return err
	}
	if f.partitions == 0 || f.partitions < -1 {
		return usageErrorf("--partitions %d: must be 1 or more", f.partitions)
	}
	detail := &sarama.TopicDetail{NumPartitions: f.partitions, ReplicationFactor: f.replicas, ConfigEntries: map[string]*string{}}
	for k, v := range settings {
		detail.ConfigEntries[k] = &v
	}
	err = g.administer(ctx, func(a sarama.ClusterAdmin) error { return a.CreateTopic(topic, detail, false) })
	switch {
	case errors.Is(err, sarama.ErrTopicAlreadyExists):
		return fmt.Errorf("topic %s exists already: see loghaul topic describe %s", topic, topic)
	case errors.Is(err, sarama.ErrInvalidTopic):
		if why, ok := errors.AsType[*sarama.TopicError](err); ok && why.ErrMsg != nil { // the name is well formed
			mend := ""
			if strings.Contains(*why.ErrMsg, "collides") {
				mend = ": choose another name, dot and underscore count as one"
			}
			return fmt.Errorf("creating topic %s: %s%s", topic, *why.ErrMsg, mend)
		}
		return badTopic(topic)
	case err != nil:
		return fmt.Errorf("creating topic %s: %w", topic, notAllowed(err, "Create", "topic", topic))
	}
	g.sayf("created topic %s", topic)
	return nil
}

func newTopicDescribe(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "describe TOPIC", Short: "show a topic's partitions, offsets, sizes and settings", Args: cobra.ExactArgs(1),
		RunE: run(func(ctx context.Context, args []string) error { return g.topicDescribe(ctx, args[0]) }),
	}
	g.addOutput(cmd)
	return cmd
}

func (g *globals) topicDescribe(ctx context.Context, topic string) error {
	cl := newCluster(g.kafkaConfig("loghaul-topic"))
	defer cl.Close()
	d, err := cl.describe(ctx, topic)
	if err != nil {
		return err
	}
	if g.output == "name" {
		return g.print(nil, table{rows: [][]string{{d.Topic}}})
	}
	t := table{header: []string{"TOPIC", "PARTITION", "EARLIEST", "LATEST", "BYTES"}}
	for _, p := range d.Partitions {
		t.add(d.Topic, strconv.Itoa(int(p.Partition)), strconv.FormatInt(p.Earliest, 10), strconv.FormatInt(p.Latest, 10), knownText(p.Bytes))
	}
	if err := g.print(d, t); err != nil || g.output != "table" || len(d.overrides) == 0 {
		return err
	}
	settings := table{header: []string{"\nSETTING", "VALUE"}}
	for _, name := range d.overrides {
		settings.add(name, d.Configs[name])
	}
	return g.print(nil, settings)
}

func newTopicDelete(g *globals) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "delete TOPIC", Short: "show what deleting a topic would take away; --yes deletes it", Args: cobra.ExactArgs(1),
		RunE: run(func(ctx context.Context, args []string) error { return g.topicDelete(ctx, args[0], yes) }),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "delete, instead of showing the plan")
	must(cmd.Flags().SetAnnotation("yes", onlyTyped, []string{"true"}))
	return cmd
}

func (g *globals) topicDelete(ctx context.Context, topic string, yes bool) error {
	cl := newCluster(g.kafkaConfig("loghaul-topic"))
	defer cl.Close()
	if err := cl.notInternal(ctx, topic, "deleted"); err != nil {
		return err
	}
	d, err := cl.describe(ctx, topic)
	if err != nil {
		return err
	}
	if !yes {
		_, err := fmt.Fprintf(g.stdout, "would delete topic %s: %s\nnothing was changed; --yes deletes it\n", topic, d.summary())
		return err
	}
	err = g.administer(ctx, func(a sarama.ClusterAdmin) error { return a.DeleteTopic(topic) })
	if err != nil {
		return fmt.Errorf("deleting topic %s: %w", topic, notAllowed(err, "Delete", "topic", topic))
	}
	g.sayf("deleted topic %s: %s", topic, d.summary())
	return nil
}

// administer runs do with sarama's admin client, which finds the controller.
func (g *globals) administer(ctx context.Context, do func(sarama.ClusterAdmin) error) error {
	kc := g.kafkaConfig("loghaul-topic")
	if err := g.reach(ctx, kc.ClientID); err != nil {
		return err
	}
	cfg, err := kc.Sarama()
	if err != nil {
		return err
	}
	a, err := sarama.NewClusterAdmin(kc.Brokers, cfg)
	if err != nil {
		return fmt.Errorf("reaching the brokers at %s: %w: name them with --brokers", strings.Join(kc.Brokers, ","), err)
	}
	defer a.Close()
	return do(a)
}

func knownText(n *int64) string {
	if n == nil {
		return "-"
	}
	return strconv.FormatInt(*n, 10)
}

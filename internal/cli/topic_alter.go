package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/IBM/sarama"
	"github.com/spf13/cobra"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/nearest"
)

func newTopicAlter(g *globals) *cobra.Command {
	var unset []string
	cmd := &cobra.Command{
		Use: "alter TOPIC NAME=VALUE...", Short: "change settings of a topic, by Kafka's own names, with effect at once; partitions=N adds partitions", Args: cobra.MinimumNArgs(1),
		RunE: run(func(ctx context.Context, args []string) error { return g.topicAlter(ctx, args[0], args[1:], unset) }),
	}
	cmd.Flags().StringSliceVar(&unset, "unset", nil, "NAME, a setting to put back to the broker's; repeat for more")
	return cmd
}

func (g *globals) topicAlter(ctx context.Context, topic string, sets, unset []string) error {
	sets, partitions, err := wantedPartitions(sets)
	if err != nil {
		return err
	}
	if partitions > 0 && len(sets)+len(unset) == 0 {
		return g.addPartitions(ctx, topic, partitions)
	}
	changes := map[string]sarama.IncrementalAlterConfigsEntry{}
	var said []string
	for _, s := range sets {
		name, value, ok := strings.Cut(s, "=")
		if _, twice := changes[name]; !ok || name == "" || name != strings.TrimSpace(name) || twice {
			return usageErrorf("%s: must be NAME=VALUE without blanks, each name once", s)
		}
		changes[name] = sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value}
		said = append(said, s)
	}
	for _, name := range unset {
		if _, twice := changes[name]; name == "" || twice {
			return usageErrorf("--unset %s: must be the name of a setting that is not changed otherwise", name)
		}
		changes[name] = sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationDelete}
		said = append(said, name+" as the broker has it")
	}
	if len(changes) == 0 {
		return usageErrorf("topic alter %s: say what to change, as in retention.ms=86400000, or --unset retention.ms", topic)
	}
	if partitions > 0 {
		if err := g.mayHave(ctx, topic, partitions); err != nil {
			return err
		}
	}
	err = g.administer(ctx, func(a sarama.ClusterAdmin) error {
		if there, err := topicThere(a, topic); err != nil {
			return err
		} else if !there {
			return sarama.ErrUnknownTopicOrPartition
		}
		if err := settingsThere(a, topic, unset); err != nil {
			return err
		}
		return a.IncrementalAlterConfig(sarama.TopicResource, topic, changes, false)
	})
	switch {
	case errors.Is(err, sarama.ErrUnknownTopicOrPartition):
		return fmt.Errorf("topic %s does not exist: see loghaul topic list", topic)
	case err != nil:
		return fmt.Errorf("altering topic %s (%s): %w%s", topic, strings.Join(slices.Sorted(maps.Keys(changes)), ", "),
			notAllowed(err, "AlterConfigs", "topic", topic), asNumber(err, sets))
	}
	g.sayf("altered topic %s: %s", topic, strings.Join(said, ", "))
	if partitions > 0 {
		return g.addPartitions(ctx, topic, partitions)
	}
	return nil
}

// settingsThere refuses to put back what is no setting of a topic: a broker takes that and does nothing.
func settingsThere(a sarama.ClusterAdmin, topic string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	entries, err := a.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic})
	if err != nil {
		return nil // who may alter need not be one who may read
	}
	var known []string
	for _, e := range entries {
		known = append(known, e.Name)
	}
	for _, name := range names {
		if slices.Contains(known, name) {
			continue
		}
		if near := nearest.Slip(name, known); near != "" {
			return fmt.Errorf("--unset %s: topics have no such setting: did you mean %s?", name, near)
		}
		return fmt.Errorf("--unset %s: topics have no such setting: see loghaul topic describe %s", name, topic)
	}
	return nil
}

// asNumber says how the value that a broker refused would be written: Kafka's settings are plain numbers.
func asNumber(err error, sets []string) string {
	for _, s := range sets {
		name, value, _ := strings.Cut(s, "=")
		switch {
		case !strings.Contains(err.Error(), "configuration "+name+": Not a number"):
		case value == "":
			return fmt.Sprintf(" (to put it back to the broker's: --unset %s)", name)
		case strings.HasSuffix(name, ".ms"):
			if d, err := etcdconf.ParseDuration(value); err == nil {
				return fmt.Sprintf(" (%s is %d)", value, d.Milliseconds())
			}
		default:
			if n, err := etcdconf.ParseSize(value); err == nil {
				return fmt.Sprintf(" (%s is %d)", value, n)
			}
		}
	}
	return ""
}

// topicThere asks for a topic without making it.
func topicThere(a sarama.ClusterAdmin, topic string) (bool, error) {
	list, err := a.DescribeTopics([]string{topic})
	switch {
	case err != nil:
		return false, err
	case len(list) == 0 || list[0].Err == sarama.ErrUnknownTopicOrPartition:
		return false, nil
	case list[0].Err != sarama.ErrNoError:
		return false, list[0].Err
	}
	return true, nil
}

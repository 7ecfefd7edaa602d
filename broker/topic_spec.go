package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/loghaul/loghaul/broker/diskroom"
	"github.com/loghaul/loghaul/broker/topics"
)

// topicSpec is a topic to make at the start.
type topicSpec struct {
	name       string
	partitions int
	replicas   int
	policy     string // cleanup.policy, empty for the broker's
}

// parseTopicSpec reads TOPIC:PARTITIONS[:REPLICAS[:POLICY]].
func parseTopicSpec(s string) (topicSpec, error) {
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 4 {
		return topicSpec{}, fmt.Errorf("topic to create (%q) must be TOPIC:PARTITIONS[:REPLICAS[:POLICY]]", s)
	}
	spec := topicSpec{name: parts[0], replicas: 1}
	errs := []error{topics.CheckName(spec.name)}
	var err error
	if spec.partitions, err = strconv.Atoi(parts[1]); err != nil || spec.partitions < 1 {
		errs = append(errs, fmt.Errorf("%q must be a number of partitions, at least 1", parts[1]))
	}
	if len(parts) > 2 {
		if spec.replicas, err = strconv.Atoi(parts[2]); err != nil || spec.replicas < 1 {
			errs = append(errs, fmt.Errorf("%q must be a number of replicas, at least 1", parts[2]))
		}
	}
	if len(parts) > 3 {
		spec.policy = parts[3]
		errs = append(errs, topics.CheckTopic(map[string]string{"cleanup.policy": spec.policy}))
	}
	if err := errors.Join(errs...); err != nil {
		return spec, fmt.Errorf("topic to create (%q): %w", s, err)
	}
	return spec, nil
}

// createTopics makes the topics that Config names and that are not there yet.
func createTopics(t *topics.Topics, specs []string, log *slog.Logger) error {
	for _, s := range specs {
		spec, err := parseTopicSpec(s)
		if err != nil {
			return err
		}
		if spec.replicas > 1 {
			log.Warn("this broker is one node: topic is made with one replica", "topic", spec.name, "asked", spec.replicas)
		}
		own := map[string]string{}
		if spec.policy != "" {
			own["cleanup.policy"] = spec.policy
		}
		if topic := t.Get(spec.name); topic != nil {
			if len(topic.Partitions()) != spec.partitions {
				log.Warn("topic is there already, with another number of partitions", "topic", spec.name,
					"partitions", len(topic.Partitions()), "asked", spec.partitions)
			}
			continue
		}
		if _, err := t.Create(spec.name, spec.partitions, own); diskroom.IsFull(err) {
			return fmt.Errorf("%w: the disk is full, and a new topic takes room: free some, or start without making topic %s", err, spec.name)
		} else if err != nil {
			return err
		}
	}
	return nil
}

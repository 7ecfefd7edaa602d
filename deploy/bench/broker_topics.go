package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// createTopic makes a topic and waits until each of its partitions serves.
func createTopic(ctx context.Context, addr, topic string, partitions int, configs map[string]string) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 5, 60_000
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, int32(partitions), 1
	for name, value := range configs {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = name, kmsg.StringPtr(value)
		t.Configs = append(t.Configs, c)
	}
	req.Topics = append(req.Topics, t)
	resp, err := call(ctx, addr, req)
	if err != nil {
		return fmt.Errorf("creating topic %s: %w", topic, err)
	}
	for _, t := range resp.(*kmsg.CreateTopicsResponse).Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return fmt.Errorf("creating topic %s: %w", topic, err)
		}
	}
	return awaitPartitions(ctx, addr, topic, partitions)
}

// extendTopic gives a topic more partitions and waits until each serves.
func extendTopic(ctx context.Context, addr, topic string, partitions int) error {
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.Version, req.TimeoutMillis = 1, 60_000
	t := kmsg.NewCreatePartitionsRequestTopic()
	t.Topic, t.Count = topic, int32(partitions)
	req.Topics = append(req.Topics, t)
	resp, err := call(ctx, addr, req)
	if err != nil {
		return fmt.Errorf("extending topic %s: %w", topic, err)
	}
	for _, t := range resp.(*kmsg.CreatePartitionsResponse).Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return fmt.Errorf("extending topic %s to %d partitions: %w", topic, partitions, err)
		}
	}
	return awaitPartitions(ctx, addr, topic, partitions)
}

// awaitPartitions waits until all partitions of a topic serve.
func awaitPartitions(ctx context.Context, addr, topic string, partitions int) error {
	return retry(ctx, 20*time.Millisecond, func(ctx context.Context) error {
		_, err := ends(ctx, addr, topic, partitions)
		return err
	})
}

// ends sums up the end offsets of a topic's partitions, all of which must be served.
func ends(ctx context.Context, addr, topic string, partitions int) (int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.Version, req.ReplicaID = 4, -1
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for n := range partitions {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.CurrentLeaderEpoch, p.Timestamp = int32(n), -1, -1
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	resp, err := call(ctx, addr, req)
	if err != nil {
		return 0, fmt.Errorf("asking for the end of topic %s: %w", topic, err)
	}
	var sum int64
	served := 0
	for _, t := range resp.(*kmsg.ListOffsetsResponse).Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return 0, fmt.Errorf("asking for the end of %s-%d: %w", topic, p.Partition, err)
			}
			sum += p.Offset
			served++
		}
	}
	if served != partitions {
		return 0, fmt.Errorf("the broker told the ends of %d partitions of topic %s, not %d", served, topic, partitions)
	}
	return sum, nil
}

// holds complains unless a topic holds so many records.
func holds(ctx context.Context, addr, topic string, partitions int, records int64) error {
	got, err := ends(ctx, addr, topic, partitions)
	if err == nil && got != records {
		err = fmt.Errorf("topic %s holds %d records of %d that were sent and acknowledged", topic, got, records)
	}
	return err
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/IBM/sarama"
)

// wantedPartitions takes partitions=N, which is no setting, out of what a topic is to be altered to; 0: it is not there.
func wantedPartitions(sets []string) (rest []string, partitions int32, err error) {
	for _, s := range sets {
		value, ok := strings.CutPrefix(s, "partitions=")
		if !ok {
			rest = append(rest, s)
			continue
		}
		n, err := strconv.ParseInt(value, 10, 32)
		if err != nil || n < 1 || partitions > 0 {
			return nil, 0, usageErrorf("%s: must be how many partitions the topic shall have in all, once", s)
		}
		partitions = int32(n)
	}
	return rest, partitions, nil
}

// partitionsNow is how many partitions a topic has, if it can have so many. It never has fewer, and those of the brokers'
// own topics say where each group is kept.
func (c *cluster) partitionsNow(ctx context.Context, topic string, wanted int32) (had int, err error) {
	if err := c.notInternal(ctx, topic, "given partitions"); err != nil {
		return 0, err
	}
	leaders, err := c.leaders(ctx, topic)
	if had = len(leaders); err == nil && int(wanted) < had {
		err = fmt.Errorf("topic %s has %s, and partitions are only added: make another topic with %d", topic, plural(had, "partition"), wanted)
	}
	return had, err
}

// mayHave refuses, before anything is changed, what addPartitions would refuse after that.
func (g *globals) mayHave(ctx context.Context, topic string, partitions int32) error {
	cl := newCluster(g.kafkaConfig("loghaul-topic"))
	defer cl.Close()
	_, err := cl.partitionsNow(ctx, topic, partitions)
	return err
}

// addPartitions gives a topic more partitions.
func (g *globals) addPartitions(ctx context.Context, topic string, partitions int32) error {
	cl := newCluster(g.kafkaConfig("loghaul-topic"))
	defer cl.Close()
	had, err := cl.partitionsNow(ctx, topic, partitions)
	if err != nil {
		return err
	}
	if int(partitions) == had {
		g.sayf("topic %s has %s already", topic, plural(had, "partition"))
		return nil
	}
	err = g.administer(ctx, func(a sarama.ClusterAdmin) error { return a.CreatePartitions(topic, partitions, nil, false) })
	if why, ok := errors.AsType[*sarama.TopicPartitionError](err); ok && why.ErrMsg != nil && !refused(err) {
		return fmt.Errorf("adding partitions to topic %s: %s", topic, *why.ErrMsg)
	} else if err != nil {
		return fmt.Errorf("adding partitions to topic %s: %w", topic, notAllowed(err, "Alter", "topic", topic))
	}
	g.sayf("topic %s has %d partitions now, %d before; new records of a key may go to another one than its old ones", topic, partitions, had)
	return nil
}

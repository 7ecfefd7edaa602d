package campaign

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// churn makes topics, producers and groups that nobody needs for long: what was for them goes with them.
type churn struct {
	w    *world
	name string
}

func (*churn) topics() []kmsg.CreateTopicsRequestTopic { return nil }

func (c *churn) run(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		if err := c.once(fmt.Sprintf("churn-%s-%d", c.name, n)); err != nil {
			c.w.fail("churn: %v", err)
			return
		}
		rest(ctx, 20*time.Millisecond)
	}
}

// once is the life of one topic and its group.
func (c *churn) once(name string) error {
	ctx, cancel := context.WithTimeout(c.w.life, patience)
	defer cancel()
	c.w.create(topic(name, 3))
	producer := c.w.client()
	defer producer.Close()
	for i := range int64(10) {
		r := &kgo.Record{Topic: name, Partition: int32(i % 3), Value: []byte(line(name, i))}
		if err := producer.ProduceSync(ctx, r).FirstErr(); err != nil {
			return fmt.Errorf("producing to %s: %w", name, err)
		}
	}
	consumer := c.w.client(kgo.ConsumerGroup(name), kgo.ConsumeTopics(name), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
	defer consumer.Close()
	for got := 0; got < 10; {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("consuming %s: %w", name, err)
		}
		got += fetches.NumRecords()
		if err := consumer.CommitRecords(ctx, fetches.Records()...); err != nil {
			return fmt.Errorf("committing %s: %w", name, err)
		}
	}
	if err := consumer.LeaveGroupContext(ctx); err != nil {
		return fmt.Errorf("leaving %s: %w", name, err)
	}
	admin := kadm.NewClient(producer)
	if r, err := admin.DeleteGroup(ctx, name); err != nil || r.Err != nil {
		return fmt.Errorf("deleting group %s: %w, %w", name, err, r.Err)
	}
	if r, err := admin.DeleteTopic(ctx, name); err != nil || r.Err != nil {
		return fmt.Errorf("deleting topic %s: %w, %w", name, err, r.Err)
	}
	return nil
}

func (*churn) check(context.Context) {}

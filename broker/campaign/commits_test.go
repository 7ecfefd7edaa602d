package campaign

import (
	"context"
	"time"

	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// commits stores the offsets of a group without members, one after the other: what is stored is the last one that was
// acknowledged, or the one after it that had no answer.
type commits struct {
	w           *world
	acked, sent int64
}

const commitsGroup = "offsets"

func (*commits) topics() []kmsg.CreateTopicsRequestTopic {
	return []kmsg.CreateTopicsRequestTopic{topic(commitsGroup, 1)}
}

func (c *commits) run(ctx context.Context) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	var conn *kafka.Conn
	defer func() { hangUp(conn) }()
	for ; ; <-tick.C {
		if conn == nil {
			if conn = c.w.dial(ctx); conn != nil && c.sent > 0 {
				c.look(ctx)
			}
		}
		if ctx.Err() != nil || conn == nil {
			return
		}
		c.sent++
		resp, err := call[*kmsg.OffsetCommitResponse](c.w.life, conn, 7, commitRequest(commitsGroup, commitsGroup, c.sent))
		if err != nil {
			hangUp(conn)
			conn = nil
			continue
		}
		if err := kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode); err != nil {
			c.w.fail("committing offset %d: %v", c.sent, err)
		}
		c.acked = c.sent
		c.w.count.commits.Add(1)
	}
}

func commitRequest(group, topic string, offset int64) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = group, -1
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset = offset
	req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: topic, Partitions: []kmsg.OffsetCommitRequestTopicPartition{p}}}
	return req
}

// look reads what is stored.
func (c *commits) look(ctx context.Context) {
	switch got := max(0, c.w.offset(ctx, commitsGroup, commitsGroup, 0)); { // nothing stored is the 0 before the first
	case ctx.Err() != nil:
	case got != c.acked && got != c.sent:
		c.w.fail("the offset of group %s is %d, the last one acknowledged %d and the last one sent %d", commitsGroup, got, c.acked, c.sent)
	default:
		c.acked = got // seen, it may not go back any more
	}
}

// offset is what a group has stored for a partition, -1 for nothing. It asks until there is an answer.
func (w *world) offset(ctx context.Context, group, topic string, partition int32) int64 {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group, req.RequireStable = group, true
	req.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: topic, Partitions: []int32{partition}}}
	for ctx.Err() == nil {
		conn := w.dial(ctx)
		if conn == nil {
			return -1
		}
		resp, err := call[*kmsg.OffsetFetchResponse](ctx, conn, 7, req)
		hangUp(conn)
		if err != nil {
			continue
		}
		p := resp.Topics[0].Partitions[0]
		switch kerr.ErrorForCode(p.ErrorCode) {
		case nil:
			return p.Offset
		case kerr.UnstableOffsetCommit:
			rest(ctx, settled)
		default:
			w.fail("reading the offset of group %s: %v", group, kerr.ErrorForCode(p.ErrorCode))
		}
	}
	return -1
}

func (c *commits) check(ctx context.Context) { c.look(ctx) }

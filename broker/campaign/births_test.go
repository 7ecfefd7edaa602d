package campaign

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// births makes topics, changes them and deletes some: what was answered stays so.
type births struct {
	w    *world
	born []birth
}

// birth is what is known of one topic.
type birth struct {
	there     belief
	retention string // its retention.ms; empty: not known
}

// belief is what an answer said, or that there was none.
type belief int8

const (
	unknown belief = iota
	exists
	gone
)

func birthName(i int) string { return fmt.Sprintf("born-%d", i) }

func (*births) topics() []kmsg.CreateTopicsRequestTopic { return nil }

func (b *births) run(ctx context.Context) {
	tick := time.NewTicker(60 * time.Millisecond)
	defer tick.Stop()
	var conn *kafka.Conn
	defer func() { hangUp(conn) }()
	for ; ; <-tick.C {
		if conn == nil {
			conn = b.w.dial(ctx)
		}
		if ctx.Err() != nil || conn == nil {
			return
		}
		if !b.step(conn) {
			hangUp(conn)
			conn = nil
		}
	}
}

// step makes a topic, and changes or deletes one that is there; false: the connection is gone.
func (b *births) step(conn *kafka.Conn) bool {
	b.born = append(b.born, birth{})
	name := birthName(len(b.born) - 1)
	create := kmsg.NewPtrCreateTopicsRequest()
	create.TimeoutMillis, create.Topics = 30_000, []kmsg.CreateTopicsRequestTopic{topic(name, 2, "retention.ms", "1000000")}
	resp, err := call[*kmsg.CreateTopicsResponse](b.w.life, conn, 5, create)
	if err != nil {
		return false
	}
	b.well("making", name, resp.Topics[0].ErrorCode)
	b.born[len(b.born)-1] = birth{exists, "1000000"}
	i := rand.IntN(len(b.born))
	if b.born[i].there != exists {
		return true
	}
	if rand.IntN(2) == 0 {
		return b.alter(conn, i, fmt.Sprint(1_000_001+rand.IntN(1000)))
	}
	return b.remove(conn, i)
}

func (b *births) alter(conn *kafka.Conn, i int, retention string) bool {
	b.born[i].retention = ""
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	c.Name, c.Value = "retention.ms", &retention
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: birthName(i),
		Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{c}}}
	resp, err := call[*kmsg.IncrementalAlterConfigsResponse](b.w.life, conn, 1, req)
	if err != nil {
		return false
	}
	b.well("changing", birthName(i), resp.Resources[0].ErrorCode)
	b.born[i].retention = retention
	return true
}

func (b *births) remove(conn *kafka.Conn, i int) bool {
	b.born[i].there = unknown
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis, req.TopicNames = 30_000, []string{birthName(i)}
	resp, err := call[*kmsg.DeleteTopicsResponse](b.w.life, conn, 5, req)
	if err != nil {
		return false
	}
	b.well("deleting", birthName(i), resp.Topics[0].ErrorCode)
	b.born[i].there = gone
	return true
}

// well wants success.
func (b *births) well(doing, name string, code int16) {
	if err := kerr.ErrorForCode(code); err != nil {
		b.w.fail("%s topic %s: %v", doing, name, err)
	}
}

func (b *births) check(ctx context.Context) {
	conn := b.w.dial(ctx)
	if conn == nil {
		return
	}
	defer conn.Close()
	req := kmsg.NewPtrDescribeConfigsRequest()
	for i := range b.born {
		req.Resources = append(req.Resources, kmsg.DescribeConfigsRequestResource{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: birthName(i), ConfigNames: []string{"retention.ms"}})
	}
	resp, err := call[*kmsg.DescribeConfigsResponse](ctx, conn, 1, req)
	if err != nil || len(resp.Resources) != len(b.born) {
		b.w.fail("describing %d topics: %v", len(b.born), err)
		return
	}
	for i, r := range resp.Resources {
		known := b.born[i]
		switch {
		case r.ErrorCode != 0:
			if known.there == exists {
				b.w.fail("topic %s was made and is not there: %v", birthName(i), kerr.ErrorForCode(r.ErrorCode))
			}
		case known.there == gone:
			b.w.fail("topic %s was deleted and is there", birthName(i))
		case known.retention != "" && *r.Configs[0].Value != known.retention:
			b.w.fail("topic %s has retention.ms=%s, want %s", birthName(i), *r.Configs[0].Value, known.retention)
		}
	}
	b.w.count.topics.Add(int64(len(b.born)))
}

package transfer

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer/worker"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// coordinator is the connection over which one route reads and writes its group's offsets. It is apart from the one
// that heartbeats use, and from those that fetch: a commit never queues behind a long poll.
type coordinator struct {
	cluster *cluster
	group   string

	mu struct {
		sync.Mutex
		conn  *kafka.Conn // nil: not connected
		fresh bool        // ask the brokers who coordinates
	}
}

// place names a partition.
type place struct {
	topic     string
	partition int32
}

// member is who commits: one member in one generation. The zero member commits while the group is empty.
type member struct {
	id         string
	instance   string // static member, "" for none
	generation int32
}

// nobody commits for an empty group.
var nobody = member{generation: -1}

// call sends a request to the coordinator. After an error of the connection the next call finds it anew.
func (c *coordinator) call(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	conn, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	resp, err := conn.Call(ctx, req)
	if err != nil && ctx.Err() == nil {
		c.lost(conn)
	}
	return resp, err
}

func (c *coordinator) connect(ctx context.Context) (*kafka.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.conn != nil {
		return c.mu.conn, nil
	}
	addr, err := c.cluster.coordinator(ctx, c.group, c.mu.fresh)
	if err == nil {
		c.mu.conn, err = c.cluster.Dial(ctx, addr)
	}
	if err != nil {
		c.mu.fresh = true
		return nil, fmt.Errorf("reaching the coordinator of group %s: %w", c.group, err)
	}
	c.mu.fresh = false
	return c.mu.conn, nil
}

// lost forgets a connection that failed, or one to a broker that does not coordinate any more.
func (c *coordinator) lost(conn *kafka.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if conn == nil || c.mu.conn == conn {
		if c.mu.conn != nil {
			c.mu.conn.Close()
		}
		c.mu.conn, c.mu.fresh = nil, true
	}
}

func (c *coordinator) close() { c.lost(nil) }

// fetch reads the group's offsets (OffsetFetch v5): of one partition, or, with no place, all that were committed.
func (c *coordinator) fetch(ctx context.Context, at *place) (map[place]worker.Commit, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version, req.Group = 5, c.group
	if at != nil {
		t := kmsg.NewOffsetFetchRequestTopic()
		t.Topic, t.Partitions = at.topic, []int32{at.partition}
		req.Topics = append(req.Topics, t)
	}
	resp, err := c.call(ctx, req)
	if err != nil {
		return nil, err
	}
	r := resp.(*kmsg.OffsetFetchResponse)
	if err := c.judge(r.ErrorCode); errors.Is(err, kerr.GroupIDNotFound) {
		return nil, nil // nobody has committed yet
	} else if err != nil {
		return nil, fmt.Errorf("reading the offsets of group %s: %w", c.group, err)
	}
	found := map[place]worker.Commit{}
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			if err := c.judge(p.ErrorCode); err != nil {
				return nil, fmt.Errorf("reading the offset of group %s for %s/%d: %w", c.group, t.Topic, p.Partition, err)
			}
			commit := worker.Commit{Offset: record.Offset(p.Offset)}
			if p.Metadata != nil {
				commit.Metadata = *p.Metadata
			}
			if commit.Offset > noOffset {
				found[place{t.Topic, p.Partition}] = commit
			}
		}
	}
	return found, nil
}

// commit writes offsets (OffsetCommit v7) and returns each partition's error, or one for all.
func (c *coordinator) commit(ctx context.Context, who member, offsets map[place]worker.Commit) (map[place]error, error) {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.MemberID, req.Generation = 7, c.group, who.id, who.generation
	if who.instance != "" {
		req.InstanceID = &who.instance
	}
	topics := map[string]int{}
	for at, commit := range offsets {
		i, ok := topics[at.topic]
		if !ok {
			i = len(req.Topics)
			topics[at.topic] = i
			t := kmsg.NewOffsetCommitRequestTopic()
			t.Topic = at.topic
			req.Topics = append(req.Topics, t)
		}
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch = at.partition, int64(commit.Offset), -1
		p.Metadata = &commit.Metadata
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, p)
	}
	resp, err := c.call(ctx, req)
	if err != nil {
		return nil, err
	}
	answered := map[place]error{}
	for _, t := range resp.(*kmsg.OffsetCommitResponse).Topics {
		for _, p := range t.Partitions {
			answered[place{t.Topic, p.Partition}] = c.judge(p.ErrorCode)
		}
	}
	return answered, nil
}

// leave takes a static member out of the group (LeaveGroup v3), so that its partitions move at once.
func (c *coordinator) leave(ctx context.Context, who member) error {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Version, req.Group = 3, c.group
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID, m.InstanceID = who.id, &who.instance
	req.Members = append(req.Members, m)
	resp, err := c.call(ctx, req)
	if err != nil {
		return err
	}
	return codeError(resp.(*kmsg.LeaveGroupResponse).ErrorCode)
}

// judge makes an error of a code. A coordinator that moved is looked for anew.
func (c *coordinator) judge(code int16) error {
	err := codeError(code)
	switch {
	case errors.Is(err, kerr.NotCoordinator), errors.Is(err, kerr.CoordinatorNotAvailable):
		c.lost(nil)
	case errors.Is(err, kerr.IllegalGeneration), errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.FencedInstanceID):
		return fmt.Errorf("%w: %w", worker.ErrFenced, err)
	}
	return err
}

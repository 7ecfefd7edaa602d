package handle

import (
	"context"
	"time"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/group"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetCommit (key 8, v0-v9): a group has read up to here. The answer comes when that is durable.
//
// Behaviour:
//   - Members commit with member id and generation, also while the group gathers its members; between
//     that and the new assignment they get REBALANCE_IN_PROGRESS.
//   - Without a member (generation -1) only while the group has no members.
//   - Partitions that are not there answer UNKNOWN_TOPIC_OR_PARTITION, metadata over
//     offset.metadata.max.bytes OFFSET_METADATA_TOO_LARGE; the others are stored.
//   - Members of KIP-848 groups commit with their epoch, from v9 on; an older epoch is STALE_MEMBER_EPOCH
//     unless they have held the partition since then.
//   - A full or failed disk answers COORDINATOR_NOT_AVAILABLE, and clients try again.
//
// Versions: v0 has no generation (Kafka kept those elsewhere; here they are like v1's); v1's timestamp
// is not used; v2-v4 may say how long to keep the offsets; v3 throttle; v6 leader epoch; v7
// group.instance.id; v8 is flexible; v9 is v8 for KIP-848 groups.
func (h *Handlers) offsetCommit(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.OffsetCommitRequest)
	commit := group.CommitRequest{Group: group.ID(req.Group), Member: group.MemberID(req.MemberID),
		Instance: instance(req.InstanceID), Generation: group.Generation(req.Generation), Epochs: req.Version >= 9}
	if req.Version < 1 {
		commit.Generation, commit.Member = -1, ""
	}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			commit.Offsets = append(commit.Offsets, h.commitOf(r.Peer, req, t.Topic, p))
		}
	}
	if !h.may(r.Peer, acl.Read, acl.Group, req.Group) {
		for i := range commit.Offsets {
			commit.Offsets[i].Err = errGroupDenied
		}
		return commitAnswer(req, commit.Offsets), nil
	}
	pending := h.cfg.Groups.Commit(commit)
	return later{wait: func(ctx context.Context) (kmsg.Response, error) {
		offsets := pending.Wait(ctx)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return commitAnswer(req, offsets), nil
	}}, nil
}

// commitAnswer is the response to a request whose partitions became of what offsets say, in order.
func commitAnswer(req *kmsg.OffsetCommitRequest, offsets []group.Commit) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	for _, t := range req.Topics {
		topic := kmsg.NewOffsetCommitResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			partition := kmsg.NewOffsetCommitResponseTopicPartition()
			partition.Partition, partition.ErrorCode = p.Partition, groupCode(offsets[0].Err)
			offsets = offsets[1:]
			topic.Partitions = append(topic.Partitions, partition)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

// commitOf is one partition of the request.
func (h *Handlers) commitOf(peer Peer, req *kmsg.OffsetCommitRequest, topic string, p kmsg.OffsetCommitRequestTopicPartition) group.Commit {
	c := group.Commit{Partition: group.Partition{Topic: topic, Index: p.Partition}, Offset: record.Offset(p.Offset),
		LeaderEpoch: -1, Metadata: text(p.Metadata)}
	if req.Version >= 6 {
		c.LeaderEpoch = p.LeaderEpoch
	}
	if req.Version >= 2 && req.Version <= 4 && req.RetentionTimeMillis > 0 {
		c.Retention = time.Duration(req.RetentionTimeMillis) * time.Millisecond
	}
	switch h.mayMoveOffset(peer, topic, p.Partition) {
	case errUnknownTopicOrPartition:
		c.Err = errNoSuchPartition
	case errTopicAuthorizationFailed:
		c.Err = errTopicDenied
	}
	return c
}

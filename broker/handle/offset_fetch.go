package handle

import (
	"cmp"
	"context"
	"slices"

	"github.com/loghaul/loghaul/broker/group"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetFetch (key 9, v0-v9): how far a group has read.
//
// Behaviour:
//   - A partition without a commit, and any of an unknown group, answers offset -1 without an error.
//   - What is answered is durable.
//   - RequireStable waits for transactions' commits; there are none, so everything is stable.
//
// Versions: from v2 no topics (null) means all, and the error stands once; v3 throttle; v5 leader epoch;
// v6 is flexible; v7 RequireStable; v8 takes many groups (KIP-709); v9 is v8 for KIP-848 groups.
func (h *Handlers) offsetFetch(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.OffsetFetchRequest)
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	if req.Version >= 8 {
		for _, g := range req.Groups {
			resp.Groups = append(resp.Groups, h.fetchGroup(g))
		}
		return resp, nil
	}
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = req.Group
	if req.Topics != nil || req.Version < 2 {
		g.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
	}
	for _, t := range req.Topics {
		topic := kmsg.NewOffsetFetchRequestGroupTopic()
		topic.Topic, topic.Partitions = t.Topic, t.Partitions
		g.Topics = append(g.Topics, topic)
	}
	found := h.fetchGroup(g)
	resp.ErrorCode = found.ErrorCode
	for _, t := range found.Topics {
		topic := kmsg.NewOffsetFetchResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			partition := kmsg.NewOffsetFetchResponseTopicPartition()
			partition.Partition, partition.Offset, partition.LeaderEpoch = p.Partition, p.Offset, p.LeaderEpoch
			partition.Metadata, partition.ErrorCode = p.Metadata, p.ErrorCode
			if req.Version < 2 { // has no other place for it
				partition.ErrorCode = found.ErrorCode
			}
			topic.Partitions = append(topic.Partitions, partition)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp, nil
}

// fetchGroup answers for one group; no topics (nil) means all.
func (h *Handlers) fetchGroup(g kmsg.OffsetFetchRequestGroup) kmsg.OffsetFetchResponseGroup {
	resp := kmsg.NewOffsetFetchResponseGroup()
	resp.Group = g.Group
	var asked []group.Partition
	for _, t := range g.Topics {
		for _, p := range t.Partitions {
			asked = append(asked, group.Partition{Topic: t.Topic, Index: p})
		}
	}
	found, err := h.cfg.Groups.Fetch(group.ID(g.Group), asked, g.Topics == nil)
	resp.ErrorCode = groupCode(err)
	if g.Topics == nil {
		for at := range found {
			asked = append(asked, at)
		}
		slices.SortFunc(asked, func(a, b group.Partition) int {
			return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Index, b.Index))
		})
	}
	for _, at := range asked {
		if n := len(resp.Topics); n == 0 || resp.Topics[n-1].Topic != at.Topic {
			topic := kmsg.NewOffsetFetchResponseGroupTopic()
			topic.Topic = at.Topic
			resp.Topics = append(resp.Topics, topic)
		}
		p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = at.Index, -1, -1, new(string)
		if c, ok := found[at]; ok {
			p.Offset, p.LeaderEpoch, p.Metadata = int64(c.Offset), c.LeaderEpoch, &c.Metadata
		}
		topic := &resp.Topics[len(resp.Topics)-1]
		topic.Partitions = append(topic.Partitions, p)
	}
	return resp
}

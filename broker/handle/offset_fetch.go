package handle

import (
	"cmp"
	"context"
	"slices"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/group"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetFetch (key 9, v0-v9): how far a group has read.
//
// Behaviour:
//   - A partition without a commit, and any of an unknown group, answers offset -1 without an error.
//   - What is answered is durable.
//   - With RequireStable, what an open transaction may still move is UNSTABLE_OFFSET_COMMIT: ask again.
//   - A member of a KIP-848 group may say who and at which epoch it is (v9): UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH.
//
// Versions: from v2 no topics (null) means all, and the error stands once; v3 throttle; v5 leader epoch;
// v6 is flexible; v7 RequireStable; v8 takes many groups (KIP-709); v9 is v8 for KIP-848 groups.
func (h *Handlers) offsetFetch(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.OffsetFetchRequest)
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	if req.Version >= 8 {
		whole := map[string]bool{} // asked for with all its offsets: once is enough
		for _, g := range req.Groups {
			if g.Topics == nil && whole[g.Group] {
				continue
			}
			whole[g.Group] = whole[g.Group] || g.Topics == nil
			found := h.fetchGroup(r.Peer, g, req.RequireStable)
			if found.ErrorCode != errNone {
				found.Topics = nil
			}
			resp.Groups = append(resp.Groups, found)
		}
		return resp, nil
	}
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group, g.MemberEpoch = req.Group, -1
	if req.Topics != nil || req.Version < 2 {
		g.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
	}
	for _, t := range req.Topics {
		topic := kmsg.NewOffsetFetchRequestGroupTopic()
		topic.Topic, topic.Partitions = t.Topic, t.Partitions
		g.Topics = append(g.Topics, topic)
	}
	found := h.fetchGroup(r.Peer, g, req.RequireStable)
	if resp.ErrorCode = found.ErrorCode; resp.ErrorCode != errNone && req.Version >= 2 {
		return resp, nil
	}
	for _, t := range found.Topics {
		topic := kmsg.NewOffsetFetchResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			partition := kmsg.NewOffsetFetchResponseTopicPartition()
			partition.Partition, partition.Offset, partition.LeaderEpoch = p.Partition, p.Offset, p.LeaderEpoch
			partition.Metadata, partition.ErrorCode = p.Metadata, p.ErrorCode
			if req.Version < 2 && found.ErrorCode != errNone { // has no other place for it
				partition.ErrorCode = found.ErrorCode
			}
			topic.Partitions = append(topic.Partitions, partition)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp, nil
}

// fetchGroup answers for one group; no topics (nil) means all.
func (h *Handlers) fetchGroup(peer Peer, g kmsg.OffsetFetchRequestGroup, stable bool) kmsg.OffsetFetchResponseGroup {
	resp := kmsg.NewOffsetFetchResponseGroup()
	resp.Group = g.Group
	var asked []group.Partition
	for _, t := range g.Topics {
		for _, p := range t.Partitions {
			asked = append(asked, group.Partition{Topic: t.Topic, Index: p})
		}
	}
	err := errGroupDenied
	var found map[group.Partition]group.Fetched
	if h.may(peer, acl.Describe, acl.Group, g.Group) {
		found, err = h.cfg.Groups.Fetch(group.FetchRequest{Group: group.ID(g.Group), AsMember: g.MemberID != nil || g.MemberEpoch >= 0,
			Member: group.MemberID(text(g.MemberID)), Epoch: group.Epoch(g.MemberEpoch), Partitions: asked, All: g.Topics == nil, Stable: stable})
	}
	resp.ErrorCode = groupCode(err)
	if g.Topics == nil {
		asked = h.describable(peer, found)
	}
	for _, at := range asked {
		if n := len(resp.Topics); n == 0 || resp.Topics[n-1].Topic != at.Topic {
			topic := kmsg.NewOffsetFetchResponseGroupTopic()
			topic.Topic = at.Topic
			resp.Topics = append(resp.Topics, topic)
		}
		topic := &resp.Topics[len(resp.Topics)-1]
		denied := g.Topics != nil && !h.may(peer, acl.Describe, acl.Topic, at.Topic)
		topic.Partitions = append(topic.Partitions, fetchedOut(at.Index, found[at], denied))
	}
	return resp
}

// describable are the partitions that were found and of which the peer may know, in order.
func (h *Handlers) describable(peer Peer, found map[group.Partition]group.Fetched) []group.Partition {
	var list []group.Partition
	for at := range found {
		if h.shows(peer, acl.Describe, acl.Topic, at.Topic) {
			list = append(list, at)
		}
	}
	slices.SortFunc(list, func(a, b group.Partition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Index, b.Index))
	})
	return list
}

// fetchedOut is one partition on the wire.
func fetchedOut(index int32, f group.Fetched, denied bool) kmsg.OffsetFetchResponseGroupTopicPartition {
	p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
	p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = index, -1, -1, new(string)
	switch {
	case denied:
		p.ErrorCode = errTopicAuthorizationFailed
	case f.Err != nil:
		p.ErrorCode = groupCode(f.Err)
	case f.Known:
		p.Offset, p.LeaderEpoch, p.Metadata = int64(f.Offset), f.LeaderEpoch, &f.Metadata
	}
	return p
}

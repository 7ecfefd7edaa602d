package handle

import (
	"context"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetForLeaderEpoch (key 23): where a leader epoch ended. Each start of the broker is an epoch, so a consumer can
// see that the log was cut behind what it had read (KIP-101, KIP-320).
//
// Versions 0 to 4. An epoch that has not come yet has no end: -1.
//
// Version notes: 2 fences by the epoch that the client knows; 4 is flexible.
func (h *Handlers) offsetForLeaderEpoch(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.OffsetForLeaderEpochRequest)
	resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	for _, t := range req.Topics {
		answer := kmsg.NewOffsetForLeaderEpochResponseTopic()
		answer.Topic = t.Topic
		may := h.may(r.Peer, acl.Describe, acl.Topic, t.Topic)
		for _, p := range t.Partitions {
			part := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			part.Partition = p.Partition
			log, code := h.partitionLog(t.Topic, p.Partition, p.CurrentLeaderEpoch)
			if !may {
				code = errTopicAuthorizationFailed
			}
			part.ErrorCode, part.LeaderEpoch, part.EndOffset = code, -1, -1
			if code == errNone && p.LeaderEpoch >= 0 && p.LeaderEpoch <= log.LeaderEpoch() {
				epoch, end := log.EpochEnd(p.LeaderEpoch)
				part.LeaderEpoch, part.EndOffset = epoch, int64(end)
			}
			answer.Partitions = append(answer.Partitions, part)
		}
		resp.Topics = append(resp.Topics, answer)
	}
	return resp, nil
}

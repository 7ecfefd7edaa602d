package handle

import (
	"context"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ElectLeaders (key 43): make the preferred replica, or any, the leader of partitions.
//
// Versions 0 to 2. The only replica leads already, so every partition asked for is ELECTION_NOT_NEEDED; asked for all,
// the answer names the topics and, as in Kafka, only partitions that were elected: none.
//
// Version notes: 1 has the kind of election; 2 is flexible.
func (h *Handlers) electLeaders(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.ElectLeadersRequest)
	resp := req.ResponseKind().(*kmsg.ElectLeadersResponse)
	elect := func(t *topics.Topic, partition int32, name string) error {
		switch {
		case t == nil:
			return coded(errUnknownTopicOrPartition, "No such topic as %s", name)
		case t.Partition(partition) == nil:
			return coded(errUnknownTopicOrPartition, "No such partition as %s-%d", name, partition)
		}
		return coded(errElectionNotNeeded, "Leader election not needed for topic partition.")
	}
	switch {
	case !h.mayCluster(r.Peer, acl.Alter):
		resp.ErrorCode = errClusterAuthorizationFailed
		elect = func(*topics.Topic, int32, string) error {
			return coded(errClusterAuthorizationFailed, "Cluster authorization failed.")
		}
	case req.ElectionType < 0 || req.ElectionType > 1:
		resp.ErrorCode = errInvalidRequest
		elect = func(*topics.Topic, int32, string) error {
			return coded(errInvalidRequest, "Unknown election type %d", req.ElectionType)
		}
	case req.Topics == nil:
		for _, t := range h.cfg.Topics.List() {
			answer := kmsg.NewElectLeadersResponseTopic()
			answer.Topic = t.Name
			resp.Topics = append(resp.Topics, answer)
		}
	}
	for _, asked := range req.Topics {
		answer := kmsg.NewElectLeadersResponseTopic()
		answer.Topic = asked.Topic
		topic := h.cfg.Topics.Get(asked.Topic)
		for _, partition := range asked.Partitions {
			p := kmsg.NewElectLeadersResponseTopicPartition()
			p.Partition = partition
			p.ErrorCode, p.ErrorMessage = topicError(elect(topic, partition, asked.Topic))
			answer.Partitions = append(answer.Partitions, p)
		}
		resp.Topics = append(resp.Topics, answer)
	}
	return resp, nil
}

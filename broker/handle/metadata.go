package handle

import (
	"context"
	"slices"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Metadata (key 3): the broker, the topics and their partitions.
//
// Versions 0 to 13. The broker's address is the one that this client came in by, unless it is told otherwise. A topic
// that is not there is made at once when auto.create.topics.enable and the client allow it (metadata_create.go), and is
// answered as ready: there is no second round with LEADER_NOT_AVAILABLE. Topics that the client may not see are left out
// of a list of all, and refused when they are named. A topic that is named twice is answered once.
//
// Version notes: in 0 an empty list means all topics, from 1 on null means all and empty none; 4 lets the client
// forbid the making of topics; 7 adds leader epochs; 8 asks for what the client may do with a topic, and up to 10 with the
// cluster; 9 is flexible; 10 adds topic ids, 12 asks by them; 13 adds an error for the whole.
func (h *Handlers) metadata(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.MetadataRequest)
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	b := kmsg.NewMetadataResponseBroker()
	b.NodeID, b.Host, b.Port = NodeID, r.Host, r.Port
	resp.Brokers = append(resp.Brokers, b)
	resp.ClusterID = kmsg.StringPtr(h.cfg.ClusterID)
	resp.ControllerID = NodeID
	if req.IncludeClusterAuthorizedOperations && req.Version >= 8 {
		if resp.AuthorizedOperations = 0; h.mayCluster(r.Peer, acl.Describe) {
			resp.AuthorizedOperations = h.authorizedOps(r.Peer, acl.Cluster, acl.ClusterName)
		}
	}
	if req.Topics == nil || req.Version == 0 && len(req.Topics) == 0 {
		for _, t := range h.cfg.Topics.List() {
			if h.shows(r.Peer, acl.Describe, acl.Topic, t.Name) {
				resp.Topics = append(resp.Topics, h.topicMetadata(r, t))
			}
		}
		return resp, nil
	}
	if req.Version < 12 && slices.ContainsFunc(req.Topics, asksByID) {
		for _, t := range req.Topics {
			refused := kmsg.NewMetadataResponseTopic()
			refused.Topic, refused.TopicID, refused.ErrorCode = t.Topic, t.TopicID, errInvalidRequest
			resp.Topics = append(resp.Topics, refused)
		}
		return resp, nil
	}
	h.askedTopics(r, req, resp)
	return resp, nil
}

// asksByID says whether a topic is asked for by its id, which is for versions from 12 on.
func asksByID(t kmsg.MetadataRequestTopic) bool { return t.Topic == nil || t.TopicID != topics.ID{} }

// askedTopics answers for the topics that a request names.
func (h *Handlers) askedTopics(r *Request, req *kmsg.MetadataRequest, resp *kmsg.MetadataResponse) {
	create := h.creationFor(r, req)
	type question struct {
		name string
		id   topics.ID
	}
	asked := make(map[question]bool, len(req.Topics))
	for _, t := range req.Topics {
		if t.TopicID != (topics.ID{}) {
			t.Topic = nil // the id wins; Kafka's own client sends an empty name with it
		}
		q := question{id: t.TopicID}
		if t.Topic != nil {
			q = question{name: *t.Topic}
		}
		if !asked[q] {
			asked[q] = true
			resp.Topics = append(resp.Topics, h.askedMetadata(r, t, create))
		}
	}
}

// askedMetadata answers for one topic asked for by name or id.
func (h *Handlers) askedMetadata(r *Request, t kmsg.MetadataRequestTopic, create *creation) kmsg.MetadataResponseTopic {
	refused := kmsg.NewMetadataResponseTopic()
	if t.Topic == nil {
		topic := h.cfg.Topics.ByID(t.TopicID)
		if topic != nil && h.may(r.Peer, acl.Describe, acl.Topic, topic.Name) {
			return h.topicMetadata(r, topic)
		}
		if refused.TopicID, refused.ErrorCode = t.TopicID, errUnknownTopicID; topic != nil {
			refused.ErrorCode = errTopicAuthorizationFailed
		}
		return refused
	}
	refused.Topic, refused.IsInternal = t.Topic, topics.IsInternal(*t.Topic)
	if !h.may(r.Peer, acl.Describe, acl.Topic, *t.Topic) {
		refused.ErrorCode = errTopicAuthorizationFailed
		return refused
	}
	topic := h.cfg.Topics.Get(*t.Topic)
	if topic == nil {
		if topic, refused.ErrorCode = create.topic(*t.Topic); topic == nil {
			return refused
		}
	}
	return h.topicMetadata(r, topic)
}

// topicMetadata is the answer for a topic that is there.
func (h *Handlers) topicMetadata(r *Request, t *topics.Topic) kmsg.MetadataResponseTopic {
	answer := kmsg.NewMetadataResponseTopic()
	answer.Topic, answer.TopicID, answer.IsInternal = kmsg.StringPtr(t.Name), t.ID, topics.IsInternal(t.Name)
	if req := r.Body.(*kmsg.MetadataRequest); req.IncludeTopicAuthorizedOperations && req.Version >= 8 {
		answer.AuthorizedOperations = h.authorizedOps(r.Peer, acl.Topic, t.Name)
	}
	node := []int32{NodeID}
	for _, p := range t.Partitions() {
		part := kmsg.NewMetadataResponseTopicPartition()
		part.Partition, part.Leader, part.LeaderEpoch = p.Index, NodeID, p.Log.LeaderEpoch()
		part.Replicas, part.ISR = node, node
		answer.Partitions = append(answer.Partitions, part)
	}
	return answer
}

package handle

import (
	"context"

	"github.com/loghaul/loghaul/broker/topics"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreateTopics (key 19): make topics, durably, before the answer.
//
// Versions 0 to 7. There is one node: a replication factor other than 1 (or -1, the default) is
// INVALID_REPLICATION_FACTOR, and an assignment may name no other node. Settings are checked; unknown ones are
// INVALID_CONFIG. A topic named twice in one request is INVALID_REQUEST both times.
//
// Version notes: 4 allows -1 partitions for the default; 5 is flexible and answers with the settings; 7 answers with
// the topic's id.
func (h *Handlers) createTopics(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.CreateTopicsRequest)
	resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
	named := map[string]int{}
	for _, t := range req.Topics {
		named[t.Topic]++
	}
	for i := range req.Topics {
		t := &req.Topics[i]
		answer := kmsg.NewCreateTopicsResponseTopic()
		answer.Topic = t.Topic
		var err error
		if named[t.Topic] > 1 {
			err = coded(errInvalidRequest, "the request names topic %s %d times", t.Topic, named[t.Topic])
		} else {
			err = h.createTopic(t, req.ValidateOnly, &answer)
		}
		if answer.ErrorCode, answer.ErrorMessage = topicError(err); err != nil {
			h.log.Warn("refused to create a topic", "topic", t.Topic, "remote", r.Remote, "error", err)
		}
		resp.Topics = append(resp.Topics, answer)
	}
	return resp, nil
}

// createTopic makes one topic and fills its answer.
func (h *Handlers) createTopic(t *kmsg.CreateTopicsRequestTopic, validate bool, answer *kmsg.CreateTopicsResponseTopic) error {
	partitions, err := h.partitionsOf(t)
	if err != nil {
		return err
	}
	own := map[string]string{}
	for _, c := range t.Configs {
		if c.Value != nil {
			own[c.Name] = *c.Value
		}
	}
	if topics.IsInternal(t.Topic) {
		return coded(errInvalidTopic, "%s is the broker's own", t.Topic)
	}
	if validate {
		err = h.cfg.Topics.CheckCreate(t.Topic, partitions, own)
	} else if topic, cerr := h.cfg.Topics.Create(t.Topic, partitions, own); cerr == nil {
		answer.TopicID = topic.ID
		h.log.Info("created a topic", "topic", t.Topic, "partitions", partitions)
	} else {
		err = cerr
	}
	if err != nil {
		return err
	}
	answer.NumPartitions, answer.ReplicationFactor = int32(partitions), 1
	for _, v := range h.cfg.Topics.Settings().Topic(own) {
		c := kmsg.NewCreateTopicsResponseTopicConfig()
		c.Name, c.Value, c.Source = v.Name, kmsg.StringPtr(v.Value), int8(v.Source)
		answer.Configs = append(answer.Configs, c)
	}
	return nil
}

// partitionsOf is the number of partitions that a request asks for.
func (h *Handlers) partitionsOf(t *kmsg.CreateTopicsRequestTopic) (int, error) {
	if len(t.ReplicaAssignment) == 0 {
		if t.ReplicationFactor != 1 && t.ReplicationFactor != -1 {
			return 0, coded(errInvalidReplicationFactor, "replication factor %d: this broker is one node, use 1", t.ReplicationFactor)
		}
		if t.NumPartitions == -1 {
			return int(h.cfg.Topics.Settings().Int("num.partitions")), nil
		}
		return int(t.NumPartitions), nil
	}
	if t.NumPartitions != -1 || t.ReplicationFactor != -1 {
		return 0, coded(errInvalidRequest, "with a replica assignment, partitions and replication factor must be -1")
	}
	seen := map[int32]bool{}
	for _, a := range t.ReplicaAssignment {
		if len(a.Replicas) != 1 || a.Replicas[0] != NodeID || seen[a.Partition] || a.Partition < 0 || int(a.Partition) >= len(t.ReplicaAssignment) {
			return 0, coded(errInvalidReplicaAssignment, "partition %d: each partition from 0 on must be assigned once, to node %d", a.Partition, NodeID)
		}
		seen[a.Partition] = true
	}
	return len(t.ReplicaAssignment), nil
}

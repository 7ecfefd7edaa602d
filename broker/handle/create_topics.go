package handle

import (
	"context"
	"log/slog"
	"strings"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreateTopics (key 19): make topics, durably, before the answer.
//
// Versions 0 to 7. There is one node: a replication factor other than 1 (or -1, the default) is
// INVALID_REPLICATION_FACTOR, and an assignment may name no other node. Settings are checked; unknown ones are
// INVALID_CONFIG. A topic named twice in one request is INVALID_REQUEST, and answered once. What is not made when the
// request's time is over is REQUEST_TIMED_OUT. While clients' records are refused for want of room: NOT_ENOUGH_REPLICAS with
// the reason, unless the topic is one for dead letters.
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
	turn := h.spell(patience(req.TimeoutMillis))
	var dry *int // partitions that would be made
	if req.ValidateOnly {
		dry = new(int)
	}
	anywhere := h.mayCluster(r.Peer, acl.Create)
	var sum creations
	for i := range req.Topics {
		t := &req.Topics[i]
		if named[t.Topic] == 0 {
			continue // answered already
		}
		answer := kmsg.NewCreateTopicsResponseTopic()
		answer.Topic, answer.Configs = t.Topic, []kmsg.CreateTopicsResponseTopicConfig{}
		var err error
		switch {
		case named[t.Topic] > 1:
			err = coded(errInvalidRequest, "Duplicate topic name.")
			named[t.Topic] = 0
		case !anywhere && !h.may(r.Peer, acl.Create, acl.Topic, t.Topic):
			err = coded(errTopicAuthorizationFailed, "Authorization failed.")
		case turn.over():
			err = turn.late()
		default:
			err = h.createTopic(t, dry, r.Peer, &answer)
		}
		answer.ErrorCode, answer.ErrorMessage = topicError(err)
		sum.add(t.Topic, err)
		resp.Topics = append(resp.Topics, answer)
	}
	if !req.ValidateOnly {
		sum.tell(h.log, r.Peer)
	}
	return resp, nil
}

// creations sums up a request that may ask for thousands of topics, so that it is told in two lines.
type creations struct {
	made, refused []string // the first ones' names
	mades         int
	refusals      int
	why           error // of the first refusal
}

func (c *creations) add(topic string, err error) {
	const told = 5
	if err == nil {
		if c.mades++; c.mades <= told {
			c.made = append(c.made, topic)
		}
		return
	}
	if c.refusals++; c.refusals <= told {
		c.refused = append(c.refused, topic)
	}
	if c.refusals == 1 {
		c.why = err
	}
}

func (c *creations) tell(log *slog.Logger, peer Peer) {
	if c.mades > 0 {
		log.Info("created topics", "topics", c.mades, "names", c.made, peer.Who())
	}
	if c.refusals > 0 {
		log.Warn("refused to create topics", "topics", c.refusals, "names", c.refused, peer.Who(), "first", c.why)
	}
}

// createTopic makes one topic and fills its answer. With dry it makes nothing, and says whether all so far would have room.
func (h *Handlers) createTopic(t *kmsg.CreateTopicsRequestTopic, dry *int, p Peer, answer *kmsg.CreateTopicsResponseTopic) error {
	if err := topics.CheckName(t.Topic); err != nil {
		return err
	}
	if topics.IsInternal(t.Topic) {
		return coded(errInvalidTopic, "%s is the broker's own", t.Topic)
	}
	if h.cfg.Topics.Get(t.Topic) != nil {
		return coded(errTopicAlreadyExists, "Topic '%s' already exists.", t.Topic)
	}
	own, err := ownSettings(t)
	if err != nil {
		return err
	}
	partitions, err := h.partitionsOf(t)
	if err != nil {
		return err
	}
	if err := h.mayMake(t.Topic); err != nil {
		return err
	}
	if dry != nil {
		answer.TopicID = topics.NewID()
		if err = h.cfg.Topics.CheckCreate(t.Topic, partitions, own); err == nil {
			*dry += partitions
			err = h.cfg.Topics.CheckRoom(*dry)
		}
	} else if topic, cerr := h.cfg.Topics.Create(t.Topic, partitions, own); cerr == nil {
		answer.TopicID = topic.ID
	} else {
		err = cerr
	}
	if err != nil {
		answer.TopicID = topics.ID{}
		return err
	}
	if !h.may(p, acl.DescribeConfigs, acl.Topic, t.Topic) {
		answer.ConfigErrorCode = errTopicAuthorizationFailed
		return nil
	}
	answer.NumPartitions, answer.ReplicationFactor = int32(partitions), 1
	for _, v := range h.cfg.Topics.Settings().Topic(own) {
		c := kmsg.NewCreateTopicsResponseTopicConfig()
		c.Name, c.Value, c.Source = v.Name, kmsg.StringPtr(v.Value), int8(v.Source)
		answer.Configs = append(answer.Configs, c)
	}
	return nil
}

// ownSettings are the settings that a request gives a topic.
func ownSettings(t *kmsg.CreateTopicsRequestTopic) (map[string]string, error) {
	own := map[string]string{}
	var null []string
	for _, c := range t.Configs {
		if c.Value == nil {
			null = append(null, c.Name)
			continue
		}
		own[c.Name] = *c.Value
	}
	if null != nil {
		return nil, coded(errInvalidConfig, "Null value not supported for topic configs: %s", strings.Join(null, ","))
	}
	return own, nil
}

// partitionsOf is the number of partitions that a request asks for.
func (h *Handlers) partitionsOf(t *kmsg.CreateTopicsRequestTopic) (int, error) {
	if len(t.ReplicaAssignment) > 0 {
		return assignedPartitions(t)
	}
	switch {
	case t.ReplicationFactor < -1 || t.ReplicationFactor == 0:
		return 0, coded(errInvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.")
	case t.ReplicationFactor > 1:
		return 0, coded(errInvalidReplicationFactor, "Unable to replicate the partition %d time(s): this broker is one node, use 1.", t.ReplicationFactor)
	case t.NumPartitions == -1:
		return int(h.cfg.Topics.Settings().Int("num.partitions")), nil
	case t.NumPartitions < 1:
		return 0, coded(errInvalidPartitions, "Number of partitions was set to an invalid non-positive value.")
	}
	return int(t.NumPartitions), nil
}

// assignedPartitions is the number of partitions of a request that says on which nodes each of them lies.
func assignedPartitions(t *kmsg.CreateTopicsRequestTopic) (int, error) {
	switch {
	case t.ReplicationFactor != -1:
		return 0, coded(errInvalidRequest, "A manual partition assignment was specified, but replication factor was not set to -1.")
	case t.NumPartitions != -1:
		return 0, coded(errInvalidRequest, "A manual partition assignment was specified, but numPartitions was not set to -1.")
	}
	seen := map[int32]bool{}
	for _, a := range t.ReplicaAssignment {
		if seen[a.Partition] {
			return 0, coded(errInvalidReplicaAssignment, "Found multiple manual partition assignments for partition %d", a.Partition)
		}
		if err := checkReplicas(a.Replicas); err != nil {
			return 0, err
		}
		seen[a.Partition] = true
	}
	for i := range t.ReplicaAssignment {
		if !seen[int32(i)] {
			return 0, coded(errInvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
		}
	}
	return len(t.ReplicaAssignment), nil
}

// checkReplicas says whether a partition may lie on these nodes: on this one, once.
func checkReplicas(nodes []int32) error {
	for i, n := range nodes {
		switch {
		case n != NodeID:
			return coded(errInvalidReplicaAssignment, "The manual partition assignment includes broker %d, but no such broker is registered.", n)
		case i > 0:
			return coded(errInvalidReplicaAssignment, "The manual partition assignment includes the broker %d more than once.", n)
		}
	}
	if len(nodes) == 0 {
		return coded(errInvalidReplicaAssignment, "The manual partition assignment includes an empty replica list.")
	}
	return nil
}

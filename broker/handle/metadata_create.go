package handle

import (
	"errors"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// mostCreated bounds how many topics one Metadata request makes: each costs several syncs. Who asks for more is told
// LEADER_NOT_AVAILABLE for the rest, as by a Kafka that is still making them, and asks again. So is who asks while there is
// no room on the disk.
const mostCreated = 100

// creation makes the topics that one Metadata request asks for and that are not there.
type creation struct {
	h       *Handlers
	r       *Request
	allowed bool // by the settings and by the client
	any     bool // the client may create every topic
	made    int
}

func (h *Handlers) creationFor(r *Request, req *kmsg.MetadataRequest) *creation {
	allowed := (req.Version < 4 || req.AllowAutoTopicCreation) && h.cfg.Topics.Settings().Bool("auto.create.topics.enable")
	return &creation{h: h, r: r, allowed: allowed, any: allowed && h.cfg.Access == nil}
}

// topic makes a topic, or says why not.
func (c *creation) topic(name string) (*topics.Topic, int16) {
	switch {
	case topics.CheckName(name) != nil:
		return nil, errInvalidTopic
	case !c.allowed || topics.IsInternal(name): // the broker's own are there from the start, if at all
		return nil, errUnknownTopicOrPartition
	case !c.any && !c.h.shows(c.r.Peer, acl.Create, acl.Cluster, acl.ClusterName) && !c.h.may(c.r.Peer, acl.Create, acl.Topic, name):
		return nil, errTopicAuthorizationFailed
	case c.made >= mostCreated || c.h.cfg.Room.Check(name) != nil: // asked for again, when there may be room
		return nil, errLeaderNotAvailable
	}
	c.made++
	topic, err := c.h.autoCreate(c.r.Peer, name)
	if err != nil {
		code, _ := topicError(err)
		return nil, code
	}
	return topic, errNone
}

// autoCreate makes a topic that a client asked for. Two clients that ask at once both get it.
func (h *Handlers) autoCreate(peer Peer, name string) (*topics.Topic, error) {
	partitions := int(h.cfg.Topics.Settings().Int("num.partitions"))
	topic, err := h.cfg.Topics.Create(name, partitions, nil)
	if errors.Is(err, topics.ErrExists) {
		if topic = h.cfg.Topics.Get(name); topic != nil {
			return topic, nil
		}
	}
	if err == nil {
		h.log.Info("created a topic for a client that asked for it", "topic", name, "partitions", partitions, peer.Who())
	}
	return topic, err
}

package group

import "fmt"

// ConsumerGroup is a group of the consumer protocol with its members (KIP-848).
type ConsumerGroup struct {
	ID          ID
	State       State
	Epoch       Epoch
	TargetEpoch Epoch
	Assigner    string
	Members     []Consumer
}

// Consumer is one member of a described consumer group.
type Consumer struct {
	ID         MemberID
	Instance   InstanceID
	Rack       *string
	Epoch      Epoch
	ClientID   string
	Host       string
	Topics     []string
	Pattern    string
	Assignment []TopicSlots
	Target     []TopicSlots
}

// TopicSlots are partitions of one topic.
type TopicSlots struct {
	ID         TopicID
	Name       string
	Partitions []int32
}

// DescribeConsumers returns one group of the consumer protocol, or ErrNotFound.
func (c *Coordinator) DescribeConsumers(id ID) (ConsumerGroup, error) {
	if !validID(id) {
		return ConsumerGroup{}, ErrInvalidGroup
	}
	g := c.acquire(id, false)
	if g == nil {
		return ConsumerGroup{}, fmt.Errorf("%w: Group %s not found.", ErrNotFound, id)
	}
	defer c.release(g)
	r := g.roster
	if r == nil {
		return ConsumerGroup{}, fmt.Errorf("%w: Group %s is not a consumer group.", ErrNotFound, id)
	}
	d := ConsumerGroup{ID: id, State: g.state, Epoch: r.epoch, TargetEpoch: r.targetEpoch, Assigner: g.vote()}
	for _, m := range g.consumersInOrder() {
		target := make([]Slot, 0, len(m.target))
		target = append(target, m.target.Sorted()...)
		d.Members = append(d.Members, Consumer{ID: m.id, Instance: m.instance, Rack: m.rack, Epoch: m.epoch,
			ClientID: m.clientID, Host: m.host, Topics: m.topics, Pattern: m.pattern,
			Assignment: c.byTopic(sortedSlots(m.assigned)), Target: c.byTopic(target)})
	}
	return d, nil
}

// byTopic gathers sorted partitions by topic; those of topics that are gone are left out.
func (c *Coordinator) byTopic(list []Slot) []TopicSlots {
	var out []TopicSlots
	for i := 0; i < len(list); {
		topic := TopicSlots{ID: list[i].Topic}
		for ; i < len(list) && list[i].Topic == topic.ID; i++ {
			topic.Partitions = append(topic.Partitions, list[i].Partition)
		}
		if name, ok := c.cfg.Topics.Name(topic.ID); ok {
			topic.Name = name
			out = append(out, topic)
		}
	}
	return out
}

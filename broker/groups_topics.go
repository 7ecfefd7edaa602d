package broker

import (
	"strings"

	"github.com/loghaul/loghaul/broker/group"
	"github.com/loghaul/loghaul/broker/topics"
)

// assigners are the names under which the groups know what group.consumer.assignors may also call by Kafka's classes.
func assigners(list []string) []string {
	names := make([]string, len(list))
	for i, name := range list {
		class := name[strings.LastIndexByte(name, '.')+1:]
		names[i] = strings.ToLower(strings.TrimSuffix(class, "Assignor"))
	}
	return names
}

// groupsTopics lets package group see which topics there are.
type groupsTopics struct{ topics *topics.Topics }

// Lookup finds a topic by its name.
func (g groupsTopics) Lookup(name string) (id group.TopicID, partitions int32, ok bool) {
	t := g.topics.Get(name)
	if t == nil {
		return id, 0, false
	}
	return group.TopicID(t.ID), int32(len(t.Partitions())), true
}

// Name finds a topic by its id.
func (g groupsTopics) Name(id group.TopicID) (string, bool) {
	t := g.topics.ByID(topics.ID(id))
	if t == nil {
		return "", false
	}
	return t.Name, true
}

// Names are all topics.
func (g groupsTopics) Names() []string {
	list := g.topics.List()
	names := make([]string, len(list))
	for i, t := range list {
		names[i] = t.Name
	}
	return names
}

// Package assign deals the partitions of subscribed topics out to the members of a group (KIP-848): the
// same answer to the same question, every partition to exactly one subscriber.
package assign

import (
	"bytes"
	"cmp"
	"slices"
)

// TopicID is a topic's lasting id.
type TopicID [16]byte

// Slot is one partition of a topic.
type Slot struct {
	Topic     TopicID
	Partition int32
}

// Compare orders slots by topic and partition.
func (s Slot) Compare(t Slot) int {
	return cmp.Or(bytes.Compare(s.Topic[:], t.Topic[:]), cmp.Compare(s.Partition, t.Partition))
}

// Set is a set of partitions.
type Set map[Slot]struct{}

// Sorted are the partitions of a set in order.
func (s Set) Sorted() []Slot {
	list := make([]Slot, 0, len(s))
	for slot := range s {
		list = append(list, slot)
	}
	slices.SortFunc(list, Slot.Compare)
	return list
}

// Member is one who shares.
type Member struct {
	ID       string
	Instance string           // lasting name, may be empty
	Topics   map[TopicID]bool // subscribed
	Owned    Set              // by the last answer
}

// Func deals the partitions of topics out to members; the sets are in the members' order. What nobody
// subscribes to is in none.
type Func func(members []Member, partitions map[TopicID]int32) []Set

// ByName are the assigners, under Kafka's names.
var ByName = map[string]Func{"uniform": Uniform, "range": Range}

// topicsOf are the topics in order.
func topicsOf(partitions map[TopicID]int32) []TopicID {
	list := make([]TopicID, 0, len(partitions))
	for id := range partitions {
		list = append(list, id)
	}
	slices.SortFunc(list, func(a, b TopicID) int { return bytes.Compare(a[:], b[:]) })
	return list
}

// sets are n empty ones.
func sets(n int) []Set {
	list := make([]Set, n)
	for i := range list {
		list[i] = Set{}
	}
	return list
}

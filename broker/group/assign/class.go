package assign

import (
	"cmp"
	"reflect"
	"slices"
)

// class is topics that the same members subscribe to. Most groups have one, whatever the number of their topics and
// members, so an assigner thinks by class and not by topic.
type class struct {
	topics      []TopicID // in order
	subscribers []int     // members by index, in the order that was asked for
}

// classes sorts the topics that somebody subscribes to into classes, those with few subscribers first. Members that share
// one set of topics should share the map too: it is then looked at once.
func classes(members []Member, partitions map[TopicID]int32, before func(a, b Member) int) []*class {
	order := make([]int, len(members))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return before(members[a], members[b]) })
	kindOf := make([]int, len(members)) // a kind has one map
	var kinds []map[TopicID]bool
	seen := map[uintptr]int{}
	for i, m := range members {
		at := reflect.ValueOf(m.Topics).Pointer()
		if _, ok := seen[at]; !ok {
			seen[at] = len(kinds)
			kinds = append(kinds, m.Topics)
		}
		kindOf[i] = seen[at]
	}
	found := map[string]*class{}
	var list []*class
	who := make([]byte, (len(kinds)+7)/8) // a bit a kind
	for _, topic := range topicsOf(partitions) {
		clear(who)
		wanted := false
		for k, topics := range kinds {
			if topics[topic] {
				who[k/8] |= 1 << (k % 8)
				wanted = true
			}
		}
		if !wanted {
			continue
		}
		c := found[string(who)]
		if c == nil {
			c = &class{}
			for _, i := range order {
				if k := kindOf[i]; who[k/8]&(1<<(k%8)) != 0 {
					c.subscribers = append(c.subscribers, i)
				}
			}
			found[string(who)] = c
			list = append(list, c)
		}
		c.topics = append(c.topics, topic)
	}
	slices.SortStableFunc(list, func(a, b *class) int { return cmp.Compare(len(a.subscribers), len(b.subscribers)) })
	return list
}

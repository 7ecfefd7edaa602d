package assign

import "cmp"

// Range cuts each topic into one run of partitions a subscriber, in the order of the members' lasting
// names or ids: topics with equally many partitions and the same subscribers are cut alike, so that their
// partitions of one number meet at one member.
func Range(members []Member, partitions map[TopicID]int32) []Set {
	out := sets(len(members))
	for _, c := range classes(members, partitions, compareNames) {
		for _, topic := range c.topics {
			next, sharers := int32(0), int32(len(c.subscribers))
			for k, i := range c.subscribers {
				n := partitions[topic] / sharers
				if int32(k) < partitions[topic]%sharers {
					n++
				}
				if n == 0 {
					break // nor has anyone after it
				}
				for ; n > 0; n-- {
					out[i][Slot{topic, next}] = struct{}{}
					next++
				}
			}
		}
	}
	return out
}

// compareNames orders members by their lasting names, then those without by id.
func compareNames(a, b Member) int {
	if (a.Instance == "") != (b.Instance == "") {
		return cmp.Compare(len(b.Instance), len(a.Instance))
	}
	return cmp.Or(cmp.Compare(a.Instance, b.Instance), cmp.Compare(a.ID, b.ID))
}

package topics

import (
	"maps"
	"slices"
)

// brokerSetting finds a setting of the broker that has an effect.
func brokerSetting(name string) *setting {
	for i := range table {
		if table[i].name == name && name != "" {
			return &table[i]
		}
	}
	return nil
}

// topicSetting finds a setting of a topic, with or without an effect.
func topicSetting(name string) *setting {
	for i := range table {
		if table[i].topic == name && name != "" {
			return &table[i]
		}
	}
	for i := range idleTopicNames {
		if idleTopicNames[i].topic == name {
			s := idleTopicNames[i]
			s.idle = true
			s.meaning = "accepted; without effect here"
			return &s
		}
	}
	return nil
}

func brokerNames() []string {
	var names []string
	for _, s := range table {
		if s.name != "" {
			names = append(names, s.name)
		}
	}
	return append(names, slices.Sorted(maps.Keys(idleNames))...)
}

func topicNames() []string {
	var names []string
	for _, s := range table {
		if s.topic != "" {
			names = append(names, s.topic)
		}
	}
	for _, s := range idleTopicNames {
		names = append(names, s.topic)
	}
	slices.Sort(names)
	return names
}

// nearest is the known name with the fewest letters to change.
func nearest(name string, known []string) string {
	best, least := "", 1<<30
	name = name[:min(len(name), 64)] // the work grows with the length, and no known name is longer
	for _, k := range known {
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is Levenshtein's: letters to insert, delete or replace.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := corner
			if a[i] != b[j] {
				d = 1 + min(corner, row[j], row[j+1])
			}
			corner, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}

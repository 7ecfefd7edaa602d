package topics

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// groupTable lists the settings of groups, each with the broker's for all groups. Only those of consumer groups have an
// effect: there are no share and no streams groups here.
var groupTable = []setting{
	{name: "group.consumer.assignment.interval.ms", topic: "consumer.assignment.interval.ms", kind: kindInt, standard: "1000"},
	{name: "group.consumer.heartbeat.interval.ms", topic: "consumer.heartbeat.interval.ms", kind: kindInt, standard: "5000", min: 1},
	{name: "group.consumer.session.timeout.ms", topic: "consumer.session.timeout.ms", kind: kindInt, standard: "45000", min: 1},
	{name: "group.share.assignment.interval.ms", topic: "share.assignment.interval.ms", kind: kindInt, standard: "1000"},
	{topic: "share.auto.offset.reset", kind: kindText, standard: "latest"},
	{name: "group.share.delivery.count.limit", topic: "share.delivery.count.limit", kind: kindInt, standard: "5", min: 2, max: 10},
	{name: "group.share.heartbeat.interval.ms", topic: "share.heartbeat.interval.ms", kind: kindInt, standard: "5000", min: 1},
	{topic: "share.isolation.level", kind: kindText, standard: "read_uncommitted", choices: []string{"read_committed", "read_uncommitted"}},
	{name: "group.share.partition.max.record.locks", topic: "share.partition.max.record.locks", kind: kindInt, standard: "2000", min: 100, max: 10000},
	{name: "group.share.record.lock.duration.ms", topic: "share.record.lock.duration.ms", kind: kindInt, standard: "30000", min: 1000, max: 3600000},
	{topic: "share.renew.acknowledge.enable", kind: kindBool, standard: "true"},
	{name: "group.share.session.timeout.ms", topic: "share.session.timeout.ms", kind: kindInt, standard: "45000", min: 1},
	{name: "group.streams.assignment.interval.ms", topic: "streams.assignment.interval.ms", kind: kindInt, standard: "1000"},
	{name: "group.streams.heartbeat.interval.ms", topic: "streams.heartbeat.interval.ms", kind: kindInt, standard: "5000", min: 1},
	{name: "group.streams.initial.rebalance.delay.ms", topic: "streams.initial.rebalance.delay.ms", kind: kindInt, standard: "3000"},
	{name: "group.streams.num.standby.replicas", topic: "streams.num.standby.replicas", kind: kindInt, standard: "0"},
	{name: "group.streams.session.timeout.ms", topic: "streams.session.timeout.ms", kind: kindInt, standard: "45000", min: 1},
}

func groupSetting(name string) *setting {
	for i := range groupTable {
		if groupTable[i].topic == name {
			return &groupTable[i]
		}
	}
	return nil
}

// Group lists the settings of a group, its own over the broker's.
func (s *Settings) Group(group string) []Value {
	own := s.now().Groups[group]
	var values []Value
	for i := range groupTable {
		t := &groupTable[i]
		var synonyms []Synonym
		if v, ok := own[t.topic]; ok {
			synonyms = append(synonyms, Synonym{t.topic, v, FromGroup})
		}
		if t.name != "" {
			synonyms = append(synonyms, s.synonyms(t.name)...)
		} else {
			synonyms = append(synonyms, Synonym{t.topic, t.standard, FromDefault})
		}
		v := t.shown(t.topic, synonyms)
		v.Value, v.Null = synonyms[0].Value, false
		values = append(values, v)
	}
	return values
}

// GroupMillis is a time in milliseconds that a group's own setting, or the broker's for all groups, says.
func (s *Settings) GroupMillis(group, name string) time.Duration {
	if v, ok := s.now().Groups[group][name]; ok {
		n, _ := strconv.ParseInt(strings.TrimSpace(v), 10, 64) // checked with its blanks
		return millis(n)
	}
	t := groupSetting(name)
	if t == nil || t.name == "" {
		return 0
	}
	return s.Millis(t.name)
}

// checkGroup checks a group's own settings, in Kafka's words.
func (s *Settings) checkGroup(own map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(own)) {
		t := groupSetting(name)
		if t == nil {
			return refused(ErrSetting, fmt.Errorf("Unknown group config name: %s", name))
		}
		if err := t.check(name, own[name]); err != nil {
			return refused(ErrSetting, err)
		}
		if err := s.withinLimits(t, own[name]); err != nil {
			return refused(ErrSetting, err)
		}
	}
	return nil
}

// withinLimits holds a group's time against what the broker allows groups.
func (s *Settings) withinLimits(t *setting, value string) error {
	kind, rest, _ := strings.Cut(strings.TrimPrefix(t.name, "group."), ".")
	least, most := "group."+kind+".min."+rest, "group."+kind+".max."+rest
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	if err != nil || brokerByName[least] == nil || brokerByName[most] == nil {
		return nil
	}
	switch {
	case n < s.Int(least):
		return fmt.Errorf("%s must be greater than or equal to %s", t.topic, least)
	case n > s.Int(most):
		return fmt.Errorf("%s must be less than or equal to %s", t.topic, most)
	}
	return nil
}

package topics

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/loghaul/loghaul/internal/nearest"
)

// brokerByName and topicByName find a setting; what has an effect wins over what has none.
var brokerByName, topicByName = func() (map[string]*setting, map[string]*setting) {
	broker, topic := map[string]*setting{}, map[string]*setting{}
	enter := func(list []setting, idle bool) {
		for i := range list {
			s := &list[i]
			s.idle = idle
			if broker[s.name] == nil && s.name != "" && (!idle || s.topic == "") {
				broker[s.name] = s
			}
			if topic[s.topic] == nil && s.topic != "" {
				topic[s.topic] = s
			}
		}
	}
	enter(securityTable, false)
	enter(table, false)
	enter(txnTable, false)
	enter(topicTable, false)
	enter(idleTopicTable, true)
	enter(idleSettings(), true)
	return broker, topic
}()

// brokerSetting finds a setting of the broker, with or without an effect; nil: Kafka has none of this name.
func brokerSetting(name string) *setting {
	if s := brokerByName[name]; s != nil {
		return s
	}
	for _, prefix := range freePrefixes {
		if len(name) > len(prefix) && strings.HasPrefix(name, prefix) {
			return &setting{name: name, kind: kindPassword, null: true, idle: true, hidden: true, reach: oneBroker} // for all we know it is one
		}
	}
	return listenerSetting(name)
}

// listenerSetting finds a setting of one listener, maybe of one of its SASL mechanisms. Listeners read what has an effect
// only when they are opened, so it is not changed later.
func listenerSetting(name string) *setting {
	rest, ok := strings.CutPrefix(name, listenerPrefix)
	for ok {
		if _, rest, ok = strings.Cut(rest, "."); !ok {
			break
		}
		if s := brokerByName[rest]; s != nil {
			own := *s
			own.name, own.hidden, own.standard, own.null, own.reach = name, true, "", true, nowhere
			if own.idle {
				own.reach = oneBroker
			}
			return &own
		}
	}
	return nil
}

// topicSetting finds a setting of a topic, with or without an effect.
func topicSetting(name string) *setting { return topicByName[name] }

// Unknown is empty for the name of a setting that brokers have, else the nearest of those names.
func Unknown(name string) string {
	if brokerSetting(name) != nil {
		return ""
	}
	best, _ := nearest.Of(name, brokerNames())
	return best
}

// IsTopicList says whether there is such a setting of topics, and whether it is a list.
func IsTopicList(name string) (known, list bool) {
	s := topicSetting(name)
	return s != nil, s != nil && s.kind == kindList
}

// IsBrokerList says whether there is such a setting of brokers, and whether it is a list.
func IsBrokerList(name string) (known, list bool) {
	s := brokerSetting(name)
	return s != nil, s != nil && s.kind == kindList
}

// brokerNames are the names that brokerSetting finds, in order.
func brokerNames() []string { return slices.Sorted(maps.Keys(brokerByName)) }

// topicNames are those that topicSetting finds.
func topicNames() []string { return slices.Sorted(maps.Keys(topicByName)) }

// meant asks for the known name that somebody may have had in mind, if one is near.
func meant(format, name string, known []string) string {
	if near := nearest.Slip(name, known); near != "" {
		return fmt.Sprintf(format, near)
	}
	return ""
}

// CheckBroker says what is wrong with a setting of the broker; an unknown name comes back with the nearest known one.
func CheckBroker(name, value string) error {
	s := brokerSetting(name)
	if s == nil {
		if all := "log." + name; topicSetting(name) != nil && brokerSetting(all) != nil {
			return fmt.Errorf("setting %q is one topic's: did you mean %q, for all topics?", name, all)
		}
		return fmt.Errorf("setting %q is unknown%s", name, meant(": did you mean %q?", name, brokerNames()))
	}
	return s.check(name, value)
}

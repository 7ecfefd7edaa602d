package topics

import (
	"maps"
	"slices"
)

// Source says where a setting's value comes from, with Kafka's number for it in DescribeConfigs.
type Source int8

const (
	FromTopic   Source = 1 // set on the topic
	FromNode    Source = 2 // set on this broker while it ran
	FromCluster Source = 3 // set for all brokers while they ran
	FromBroker  Source = 4 // given to the broker at its start
	FromDefault Source = 5 // nobody set it
	FromGroup   Source = 8 // set on the group
)

// Value is one setting as DescribeConfigs shows it.
type Value struct {
	Name     string
	Value    string
	Null     bool // there is no value
	Secret   bool // nobody is shown the value
	ReadOnly bool // cannot be changed while the broker runs
	Source   Source
	Kind     int8 // Kafka's number for the type
	Meaning  string
	Synonyms []Synonym // where the value is looked for, from the place that won on down
}

// Synonym is one place where a value is looked for and found.
type Synonym struct {
	Name, Value string
	Source      Source
}

// Broker lists the broker's settings with their values.
func (s *Settings) Broker() []Value {
	names := brokerNames()
	for name := range s.now().given {
		if brokerByName[name] == nil { // of a listener or a plug-in
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var values []Value
	for _, name := range names {
		t := brokerSetting(name)
		if t == nil {
			continue // put into the file of changed settings by hand
		}
		v := t.shown(name, s.synonyms(name))
		v.ReadOnly = t.reach == nowhere
		if !t.hidden || v.Source != FromDefault {
			values = append(values, v)
		}
	}
	return values
}

// Cluster lists what was changed for all brokers while they ran.
func (s *Settings) Cluster() []Value {
	all := s.now().All
	var values []Value
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if t := brokerSetting(name); t != nil {
			values = append(values, t.shown(name, []Synonym{{name, all[name], FromCluster}}))
		}
	}
	return values
}

// Topic lists the settings of a topic with its own values over the broker's.
func (s *Settings) Topic(own map[string]string) []Value {
	var values []Value
	for _, name := range topicNames() {
		t := topicSetting(name)
		var synonyms []Synonym
		if v, ok := own[name]; ok {
			synonyms = append(synonyms, Synonym{name, v, FromTopic})
		}
		if t.name != "" {
			synonyms = append(synonyms, s.synonyms(t.name)...)
		}
		v := t.shown(name, synonyms)
		v.Value, v.Null = s.topicText(name, own), false
		if !t.hidden || v.Source != FromDefault {
			values = append(values, v)
		}
	}
	return values
}

// shown is a setting with the value that the first of its synonyms has.
func (t *setting) shown(name string, synonyms []Synonym) Value {
	v := Value{Name: name, Source: FromDefault, Kind: int8(t.kind), Meaning: t.meaning, Null: true, Synonyms: synonyms}
	if t.idle {
		if v.Meaning = "accepted; without effect here"; t.why != "" {
			v.Meaning += ": " + t.why
		}
	}
	if len(synonyms) > 0 && synonyms[0].Name == name {
		v.Value, v.Null = synonyms[0].Value, false
	}
	if len(synonyms) > 0 {
		v.Source = synonyms[0].Source
	}
	if t.kind == kindPassword {
		v.Secret, v.Value, v.Null = true, "", true
	}
	return v
}

// synonyms are the places where a broker setting has a value, under its own name or one in other units.
func (s *Settings) synonyms(name string) []Synonym {
	l := s.now()
	var list []Synonym
	find := func(name string) {
		for _, place := range []struct {
			values map[string]string
			source Source
		}{{l.Node, FromNode}, {l.All, FromCluster}, {l.start, FromBroker}} {
			if v, ok := place.values[name]; ok {
				list = append(list, Synonym{name, v, place.source})
			}
		}
	}
	find(name)
	for _, other := range otherUnits[name] {
		find(other.name)
	}
	t := brokerSetting(name)
	if t != nil && !t.null {
		list = append(list, Synonym{name, t.standard, FromDefault})
	}
	return list
}

package topics

// Source says where a setting's value comes from, with Kafka's number for it in DescribeConfigs.
type Source int8

const (
	FromTopic   Source = 1 // set on the topic
	FromBroker  Source = 4 // given to the broker at its start
	FromDefault Source = 5 // nobody set it
)

// Value is one setting as DescribeConfigs shows it.
type Value struct {
	Name       string
	Value      string
	Source     Source
	Kind       int8 // Kafka's number for the type
	Meaning    string
	BrokerName string // of a topic's setting: what sets it for all topics, may be empty
}

// Broker lists the broker's settings that have an effect, with their values.
func (s *Settings) Broker() []Value {
	var values []Value
	for _, t := range table {
		if t.name == "" {
			continue
		}
		values = append(values, Value{t.name, s.Text(t.name), s.Source(t.name), int8(t.kind), t.meaning, ""})
	}
	return values
}

// Topic lists the settings of a topic with its own values over the broker's.
func (s *Settings) Topic(own map[string]string) []Value {
	var values []Value
	for _, name := range topicNames() {
		t := topicSetting(name)
		v := Value{name, s.topicText(name, own), FromDefault, int8(t.kind), t.meaning, t.name}
		if _, ok := own[name]; ok {
			v.Source = FromTopic
		} else if t.name != "" {
			v.Source = s.Source(t.name)
		}
		values = append(values, v)
	}
	return values
}

// Source says whether the value of a broker setting was given, under this name or one in other units.
func (s *Settings) Source(name string) Source {
	_, given := s.given[name]
	switch name {
	case "log.retention.ms":
		given = given || s.given["log.retention.minutes"] != "" || s.given["log.retention.hours"] != ""
	case "log.roll.ms":
		given = given || s.given["log.roll.hours"] != ""
	}
	if given {
		return FromBroker
	}
	return FromDefault
}

package topics

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/loghaul/loghaul/broker/commitlog"
)

// Settings are the broker's, under Kafka's own names. They do not change after NewSettings.
type Settings struct{ given map[string]string }

// NewSettings checks the given values and returns every complaint at once; an unknown name comes back with the
// nearest known one.
func NewSettings(given map[string]string) (*Settings, error) {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, idle := idleNames[name]; idle {
			continue
		}
		s := brokerSetting(name)
		if s == nil {
			errs = append(errs, fmt.Errorf("setting %q is unknown: did you mean %q?", name, nearest(name, brokerNames())))
			continue
		}
		if err := s.check(name, given[name]); err != nil {
			errs = append(errs, err)
		}
	}
	return &Settings{maps.Clone(given)}, errors.Join(errs...)
}

// Idle lists the given settings that are Kafka's but have no effect here, each with the reason where there is one.
func (s *Settings) Idle() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.given)) {
		if why, idle := idleNames[name]; idle {
			if why != "" {
				name += " (" + why + ")"
			}
			names = append(names, name)
		}
	}
	return names
}

// Text is the value of a broker setting, given or default. An unknown name is a mistake in the program.
func (s *Settings) Text(name string) string {
	if v, ok := s.given[name]; ok {
		return strings.TrimSpace(v)
	}
	switch hours, minutes := s.given["log.retention.hours"], s.given["log.retention.minutes"]; {
	case name == "log.retention.ms" && minutes != "":
		return scaled(minutes, time.Minute)
	case name == "log.retention.ms" && hours != "":
		return scaled(hours, time.Hour)
	case name == "log.roll.ms" && s.given["log.roll.hours"] != "":
		return scaled(s.given["log.roll.hours"], time.Hour)
	}
	found := brokerSetting(name)
	if found == nil {
		panic("broker/topics: no setting " + name)
	}
	return found.standard
}

// scaled turns a number of units into milliseconds; -1 stays.
func scaled(v string, unit time.Duration) string {
	n, _ := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
	if n < 0 {
		return "-1"
	}
	return strconv.FormatInt(n*unit.Milliseconds(), 10)
}

// Int is the value of a setting that is a number.
func (s *Settings) Int(name string) int64 {
	n, _ := strconv.ParseInt(s.Text(name), 10, 64)
	return n
}

// Millis is the value of a setting that is a time in milliseconds.
func (s *Settings) Millis(name string) time.Duration { return millis(s.Int(name)) }

// Bool is the value of a setting that is true or false.
func (s *Settings) Bool(name string) bool { return strings.EqualFold(s.Text(name), "true") }

// millis is n milliseconds, held to what a Duration can say.
func millis(n int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(n, most)) * time.Millisecond
}

// CheckTopic checks the settings of a topic and returns every complaint at once.
func CheckTopic(given map[string]string) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(given)) {
		s := topicSetting(name)
		if s == nil {
			errs = append(errs, fmt.Errorf("topic setting %q is unknown: did you mean %q?", name, nearest(name, topicNames())))
			continue
		}
		if err := s.check(name, given[name]); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// check says what is wrong with a value.
func (s *setting) check(name, value string) error {
	value = strings.TrimSpace(value)
	switch s.kind {
	case kindBool:
		if !strings.EqualFold(value, "true") && !strings.EqualFold(value, "false") {
			return fmt.Errorf("%s (%q) must be true or false", name, value)
		}
	case kindInt, kindLong:
		bits := 64
		if s.kind == kindInt {
			bits = 32
		}
		if n, err := strconv.ParseInt(value, 10, bits); err != nil || n < s.min && !s.idle {
			return fmt.Errorf("%s (%q) must be a whole number of at least %d in %d bits", name, value, s.min, bits)
		}
	case kindDouble:
		if _, err := strconv.ParseFloat(value, 64); err != nil {
			return fmt.Errorf("%s (%q) must be a number", name, value)
		}
	}
	if s.choices == nil {
		return nil
	}
	for v := range strings.SplitSeq(value, ",") {
		if v = strings.TrimSpace(v); !slices.Contains(s.choices, v) {
			return fmt.Errorf("%s (%q) must be %s", name, value, strings.Join(s.choices, " or "))
		}
	}
	return nil
}

// Effective is what a topic's settings come to, its own over the broker's.
type Effective struct {
	MaxMessage int  // largest batch in bytes
	AppendTime bool // the broker times the records
	Log        commitlog.Config
}

// effective puts a topic's own settings over the broker's.
func (s *Settings) effective(own map[string]string) Effective {
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(s.topicText(name, own), 10, 64)
		return n
	}
	c := commitlog.Defaults()
	c.SegmentBytes = number("segment.bytes")
	c.SegmentAge = millis(number("segment.ms"))
	c.IndexInterval = int(number("index.interval.bytes"))
	c.RetentionBytes = number("retention.bytes")
	c.RetentionAge = millis(number("retention.ms"))
	c.ProducerExpiry = s.Millis("producer.id.expiration.ms")
	if strings.Contains(s.topicText("cleanup.policy", own), "compact") {
		c.RetentionBytes, c.RetentionAge = -1, -1 // the latest value of each key must stay
	}
	return Effective{
		MaxMessage: int(number("max.message.bytes")),
		AppendTime: s.topicText("message.timestamp.type", own) == "LogAppendTime",
		Log:        c,
	}
}

// topicText is the value of a topic setting: its own, the broker's, or the default.
func (s *Settings) topicText(name string, own map[string]string) string {
	if v, ok := own[name]; ok {
		return strings.TrimSpace(v)
	}
	found := topicSetting(name)
	if found.name == "" {
		return found.standard
	}
	return s.Text(found.name)
}

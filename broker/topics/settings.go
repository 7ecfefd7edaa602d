package topics

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Settings are the broker's, under Kafka's own names: those given at its start, and over them those that clients
// change while it runs. It is safe for concurrent use; the zero value has all defaults.
type Settings struct{ layers atomic.Pointer[layers] }

// layers is what was set, and where.
type layers struct {
	start map[string]string
	Dynamic
	given map[string]string // what wins
}

var noLayers = &layers{}

func newLayers(start map[string]string, d Dynamic) *layers {
	given := maps.Clone(start)
	if given == nil {
		given = map[string]string{}
	}
	maps.Copy(given, d.All)
	maps.Copy(given, d.Node)
	return &layers{start, d, given}
}

// now is what is set at this moment.
func (s *Settings) now() *layers {
	if l := s.layers.Load(); l != nil {
		return l
	}
	return noLayers
}

// NewSettings checks the values given at the start and returns every complaint at once; an unknown name comes back
// with the nearest known one.
func NewSettings(given map[string]string) (*Settings, error) {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if err := CheckBroker(name, given[name]); err != nil {
			errs = append(errs, err)
		}
	}
	s := new(Settings)
	s.layers.Store(newLayers(maps.Clone(given), Dynamic{}))
	return s, errors.Join(errs...)
}

// Idle lists the settings given at the start that are Kafka's but have no effect here, each with the reason where
// there is one.
func (s *Settings) Idle() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.now().start)) {
		if found := brokerSetting(name); found != nil && found.idle {
			if found.why != "" {
				name += " (" + found.why + ")"
			}
			names = append(names, name)
		}
	}
	return names
}

// otherUnits are the names under which a time may be given too, the first that is set wins.
var otherUnits = map[string][]struct {
	name string
	unit time.Duration
}{
	"log.retention.ms":   {{"log.retention.minutes", time.Minute}, {"log.retention.hours", time.Hour}},
	"log.roll.ms":        {{"log.roll.hours", time.Hour}},
	"log.roll.jitter.ms": {{"log.roll.jitter.hours", time.Hour}},
}

// Text is the value of a broker setting, given or default; one that Kafka does not have is empty.
func (s *Settings) Text(name string) string {
	value, _ := s.resolve(name)
	return value
}

// resolve is the value of a broker setting, and whether it has one: some have no default.
func (s *Settings) resolve(name string) (string, bool) {
	given := s.now().given
	if v, ok := given[name]; ok {
		return strings.TrimSpace(v), true
	}
	for _, other := range otherUnits[name] {
		if v, ok := given[other.name]; ok {
			return scaled(v, other.unit), true
		}
	}
	found := brokerSetting(name)
	if found == nil {
		return "", false
	}
	return found.standard, !found.null
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

// List are the parts of a setting that is a list.
func (s *Settings) List(name string) []string { return splitList(s.Text(name)) }

// splitList takes a list apart at its commas; an empty text has no parts.
func splitList(text string) []string {
	var parts []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

// millis is n milliseconds, held to what a Duration can say.
func millis(n int64) time.Duration {
	const most = math.MaxInt64 / int64(time.Millisecond)
	return time.Duration(min(n, most)) * time.Millisecond
}

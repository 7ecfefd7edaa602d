package topics

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	mostComplaints = 20      // about one change: clients may send thousands of settings, and looking for the nearest name takes its time
	mostOfTopic    = 1 << 20 // bytes that a topic's own settings may take
)

// CheckTopic checks the settings of a topic and returns the complaints at once, in Kafka's words.
func CheckTopic(given map[string]string) error {
	var errs []error
	size := 0
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if size += len(name) + len(given[name]); len(errs) >= mostComplaints {
			return errors.Join(errs...)
		}
		s := topicSetting(name)
		if s == nil {
			errs = append(errs, fmt.Errorf("Unknown topic config name: %s%s", name, meant("; did you mean %s?", name, topicNames()))) // Kafka's words
			continue
		}
		if err := s.check(name, given[name]); err != nil {
			errs = append(errs, err)
		}
	}
	if size > mostOfTopic {
		errs = append(errs, fmt.Errorf("the settings of a topic may take %d bytes together, not %d", mostOfTopic, size))
	}
	return errors.Join(errs...)
}

// typeNames are the types as Kafka's messages name them.
var typeNames = map[kind]string{kindInt: "INT", kindShort: "SHORT", kindLong: "LONG", kindDouble: "DOUBLE"}

// check says what is wrong with a value, in Kafka's words: tools show them, and people search for them.
func (s *setting) check(name, value string) error {
	bad := func(why string, args ...any) error {
		shown := value[:min(len(value), 256)]                                                                  // the value may have megabytes
		return fmt.Errorf("Invalid value %s for configuration %s: %s", shown, name, fmt.Sprintf(why, args...)) // Kafka's words
	}
	value = strings.TrimSpace(value)
	switch s.kind {
	case kindBool:
		if !strings.EqualFold(value, "true") && !strings.EqualFold(value, "false") {
			return bad("Expected value to be either true or false")
		}
	case kindInt, kindShort, kindLong:
		bits := map[kind]int{kindInt: 32, kindShort: 16, kindLong: 64}[s.kind]
		n, err := strconv.ParseInt(value, 10, bits)
		if err != nil {
			return bad("Not a number of type %s", typeNames[s.kind])
		}
		if err := s.between(float64(n)); err != nil {
			return bad("%s", err)
		}
		if n == 0 && slices.Contains(neverZero, name) {
			return bad("%s must be unlimited (-1) or, equal or greater than 1", name)
		}
	case kindDouble:
		n, err := strconv.ParseFloat(value, 64)
		if err != nil || math.IsNaN(n) {
			return bad("Not a number of type %s", typeNames[s.kind])
		}
		if err := s.between(n); err != nil {
			return bad("%s", err)
		}
	}
	if strings.HasSuffix(s.topic, ".throttled.replicas") && !throttledReplicas.MatchString(value) {
		return bad("%s must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...", name)
	}
	return s.choose(value, bad)
}

// neverZero are settings that Kafka refuses to be 0 for all topics, and takes of one: nothing would be kept.
var neverZero = []string{"log.retention.ms", "log.retention.minutes", "log.retention.hours"}

var throttledReplicas = regexp.MustCompile(`^(\*|[0-9]+:[0-9]+(,[0-9]+:[0-9]+)*)?$`)

// between holds a number against the setting's limits.
func (s *setting) between(n float64) error {
	switch {
	case n < float64(s.min):
		return fmt.Errorf("Value must be at least %d", s.min) // Kafka's words
	case s.max != 0 && n > float64(s.max):
		return fmt.Errorf("Value must be no more than %d", s.max) // Kafka's words
	}
	return nil
}

// choose holds a value against the setting's choices; a list may have several, or none.
func (s *setting) choose(value string, bad func(string, ...any) error) error {
	if s.choices == nil {
		return nil
	}
	parts := []string{value}
	if s.kind == kindList {
		parts = splitList(value)
	}
	for _, part := range parts {
		same := func(choice string) bool { return choice == part }
		if s.idle {
			same = func(choice string) bool { return strings.EqualFold(choice, part) }
		}
		if !slices.ContainsFunc(s.choices, same) {
			return bad("String must be one of: %s", strings.Join(s.choices, ", "))
		}
	}
	return nil
}

// refusal is an error whose text is Kafka's alone, of a kind that errors.Is finds.
type refusal struct{ kind, err error }

func refused(kind, err error) error { return &refusal{kind, err} }

// Error is what a client is told.
func (r *refusal) Error() string { return r.err.Error() }

// Unwrap is the kind and what is wrong.
func (r *refusal) Unwrap() []error { return []error{r.kind, r.err} }

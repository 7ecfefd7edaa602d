package transfer

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/loghaul/loghaul/internal/ledger"
)

// deadLetters is what the names of dead letter topics end in; no pattern matches them.
const deadLetters = ".dlq"

// subscription is a sink's topics: names, and patterns behind a "~".
type subscription struct {
	names    []string
	patterns []*regexp.Regexp
}

func subscribe(topics []string) (subscription, error) {
	var s subscription
	for _, t := range topics {
		pattern, ok := strings.CutPrefix(t, "~")
		if !ok {
			s.names = append(s.names, t)
			continue
		}
		re, err := regexp.Compile("^(?:" + pattern + ")$")
		if err != nil {
			return s, fmt.Errorf("topics: %q is not a regular expression: %w", t, err)
		}
		s.patterns = append(s.patterns, re)
	}
	return s, nil
}

// ask is which topics to ask the brokers for; nil: all.
func (s subscription) ask() []string {
	if len(s.patterns) > 0 {
		return nil
	}
	return s.names
}

// pick keeps the topics that are subscribed to.
func (s subscription) pick(found map[string]topic) map[string]topic {
	picked := map[string]topic{}
	for _, name := range s.names {
		if t, ok := found[name]; ok {
			picked[name] = t
		}
	}
	for name, t := range found {
		if !internal(name) && s.matches(name) {
			picked[name] = t
		}
	}
	return picked
}

// internal says whether a topic is one that no pattern takes: dead letters, the brokers' own
// and the agents' account are no lines. A sink gets them by naming them.
func internal(name string) bool {
	return strings.HasSuffix(name, deadLetters) || strings.HasPrefix(name, "__") || name == ledger.Topic
}

func (s subscription) matches(name string) bool {
	for _, re := range s.patterns {
		if re.MatchString(name) {
			return true
		}
	}
	return false
}

// missing are the names that were not found.
func (s subscription) missing(picked map[string]topic) []string {
	var missing []string
	for _, name := range s.names {
		if _, ok := picked[name]; !ok {
			missing = append(missing, name)
		}
	}
	return missing
}

// look asks the brokers which of the route's topics are there.
func (r *route) look(ctx context.Context) (map[string]topic, subscription, error) {
	s, err := subscribe(r.value.Topics)
	if err != nil {
		return nil, s, err
	}
	found, err := r.env.cluster.topics(ctx, s.ask())
	if err != nil {
		return nil, s, err
	}
	picked := s.pick(found)
	r.mu.Lock()
	r.mu.topics = picked
	r.mu.Unlock()
	return picked, s, nil
}

// waitForTopics returns the topics to read once there is at least one.
func (r *route) waitForTopics(ctx context.Context) (map[string]topic, error) {
	for {
		found, _, err := r.look(ctx)
		if err != nil || len(found) > 0 {
			return found, err
		}
		r.failing(errWaiting(r.value.Topics))
		if !sleep(ctx, lookWhileMissing) {
			return nil, ctx.Err()
		}
	}
}

// errNoTopic is why a route waits that has nothing to read.
var errNoTopic = errors.New("waiting for the topic: it does not exist yet")

func errWaiting(topics []string) error {
	return fmt.Errorf("%s: %w", strings.Join(topics, ", "), errNoTopic)
}

// watchTopics calls changed when topics come or go, are made anew, or get more partitions; then it returns. It looks
// more often while a topic is missing. A broker that is away changes nothing.
func (r *route) watchTopics(ctx context.Context, joined map[string]topic, changed func()) {
	every := lookWhileMissing
	for sleep(ctx, every) {
		found, s, err := r.look(ctx)
		every = lookOtherwise
		if err != nil {
			continue
		}
		if !sameTopics(found, joined) {
			r.log.Info("the topics changed", "was", sortedNames(joined), "now", sortedNames(found))
			changed()
			return
		}
		if len(s.missing(found)) > 0 {
			every = lookWhileMissing
		}
	}
}

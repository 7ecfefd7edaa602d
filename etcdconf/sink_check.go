package etcdconf

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// defaultSink holds what a sink means by leaving a field out.
func defaultSink(name string) SinkFields {
	return SinkFields{
		Group: "loghaul-" + name, Start: StartBeginning, DeadLetter: "{topic}.dlq",
		Batch: SinkBatch{Records: 5000, Bytes: 4 << 20, Age: Duration(time.Second)},
		Fetch: Fetch{MinBytes: 1, MaxWait: Duration(500 * time.Millisecond), MaxBytes: 8 << 20},
	}
}

// ParseSink reads one value under /loghaul/v1/sinks/ or one file of a --sinks folder. The error is a *ValueError
// that lists all that is wrong with the fields every sink has; the others are the type's own to judge, from Raw.
func ParseSink(v Value) (Sink, error) {
	s := Sink{Name: v.Name, Key: v.Key, Revision: v.Revision, Raw: v.Data, SinkFields: defaultSink(v.Name)}
	lines, found := decode(v, &s.SinkFields, true)
	c := &checker{lines: lines, found: found}
	c.name(v.Name)
	if len(found) == 0 {
		s.check(c)
	}
	return s, asError(v.Key, c.found)
}

func (s *SinkFields) check(c *checker) {
	c.need(s.Type != "", "type", `must name the kind of destination, such as "file"`)
	c.need(len(s.Topics) > 0, "topics", `must name at least one topic, such as ["web_log"] or ["~web_.*"]`)
	for n, t := range s.Topics {
		field := fmt.Sprintf("topics[%d]", n)
		if expr, ok := strings.CutPrefix(t, "~"); ok {
			c.need(expr != "", field, "must hold a regular expression after the ~")
			c.regexp(field, expr)
			continue
		}
		c.topic(field, t)
	}
	c.need(s.Group != "" && len(s.Group) <= 249, "group", "must have 1 to 249 bytes")
	c.oneOf("start", s.Start, StartBeginning, StartEnd)
	for n, step := range s.Process {
		var one map[string]json.RawMessage
		c.need(json.Unmarshal(step, &one) == nil && len(one) == 1, fmt.Sprintf("process[%d]", n), `must be an object with one step, such as {"parse": "nginx"}`)
	}
	c.between("batch.records", int64(s.Batch.Records), 1, 10_000_000)
	c.between("batch.bytes", int64(s.Batch.Bytes), 1, 1<<30)
	c.span("batch.age", s.Batch.Age, 0, time.Hour)
	c.between("fetch.min_bytes", int64(s.Fetch.MinBytes), 0, 1<<30)
	c.span("fetch.max_wait", s.Fetch.MaxWait, 0, 5*time.Minute)
	c.between("fetch.max_bytes", int64(s.Fetch.MaxBytes), 1<<10, 1<<30)
	s.checkDeadLetter(c)
}

// checkDeadLetter refuses a dead letter topic that the sink would read again: its bad records would go round.
func (s *SinkFields) checkDeadLetter(c *checker) {
	if s.DeadLetter == "" {
		return
	}
	c.topic("dead_letter", strings.ReplaceAll(s.DeadLetter, "{topic}", "t"))
	for _, t := range s.Topics {
		c.need(s.DeadLetterTopic(t) != t, "dead_letter", "(%q) is one of the sink's own topics: choose another", s.DeadLetter)
	}
}

// Takes says whether the sink reads this topic: by its name, or by a pattern that matches all of it. A pattern
// never takes a dead letter topic: the sink's own, or one whose name ends in .dlq.
func (s SinkFields) Takes(topic string) bool { return s.Taker()(topic) }

// Taker is Takes for many topics: patterns are compiled once.
func (s SinkFields) Taker() func(topic string) bool {
	var patterns []*regexp.Regexp
	for _, t := range s.Topics {
		if expr, ok := strings.CutPrefix(t, "~"); ok {
			if re, err := regexp.Compile("^(?:" + expr + ")$"); err == nil {
				patterns = append(patterns, re)
			}
		}
	}
	return func(topic string) bool {
		if slices.Contains(s.Topics, topic) {
			return true
		}
		if strings.HasSuffix(topic, ".dlq") || topic == s.DeadLetter {
			return false
		}
		return slices.ContainsFunc(patterns, func(re *regexp.Regexp) bool { return re.MatchString(topic) })
	}
}

package etcdconf

import (
	"encoding/json"
	"strings"
)

// Sink is one value under /loghaul/v1/sinks/: which topics go where. Its common fields are typed and hold
// their defaults; what belongs to its type alone stays in Raw and is checked by the sink itself.
type Sink struct {
	Name     string   `json:"-"` // "es"
	Key      string   `json:"-"` // the etcd key or the file it came from
	Revision Revision `json:"-"` // that wrote it
	Raw      []byte   `json:"-"` // the whole value as it was written; for Strict
	SinkFields
}

// SinkFields are the fields every sink has. The struct of a sink's own fields embeds it, so that Strict knows
// them all.
type SinkFields struct {
	Type       string            `json:"type"`              // file, stdout, elasticsearch, ...; required
	Topics     []string          `json:"topics"`            // names, or "~" and an RE2 that must match the whole name; required
	Group      string            `json:"group"`             // the consumer group, default "loghaul-<name>"
	Start      string            `json:"start"`             // StartBeginning (default) or StartEnd, for partitions that exist when the sink is first applied
	Process    []json.RawMessage `json:"process,omitempty"` // the steps between topic and sink, in order; each an object with one key
	Batch      SinkBatch         `json:"batch"`             // when a batch is closed
	Fetch      Fetch             `json:"fetch"`             // how the topic is read
	DeadLetter string            `json:"dead_letter"`       // topic of bad records, {topic} stands for theirs; default "{topic}.dlq"; "" stops the route instead
	Paused     bool              `json:"paused"`            // true: nothing is read, commits stay
}

// SinkBatch says when a batch is closed: by whichever comes first.
type SinkBatch struct {
	Records int      `json:"records"` // default 5000
	Bytes   Size     `json:"bytes"`   // default 4194304
	Age     Duration `json:"age"`     // default 1s
}

// Fetch says how a partition is read.
type Fetch struct {
	MinBytes Size     `json:"min_bytes"` // the broker waits for this much, default 1
	MaxWait  Duration `json:"max_wait"`  // but no longer than this, default 500ms
	MaxBytes Size     `json:"max_bytes"` // of one answer, default 8388608
}

// DeadLetterTopic is where the bad records of topic go; "" means that they stop the route.
func (s SinkFields) DeadLetterTopic(topic string) string {
	return strings.ReplaceAll(s.DeadLetter, "{topic}", topic)
}

// Letters says of topics whether the dead letters of a topic that the sink reads go there.
func (s SinkFields) Letters() func(topic string) bool {
	const place = "{topic}"
	n, at, takes := strings.Count(s.DeadLetter, place), strings.Index(s.DeadLetter, place), s.Taker()
	return func(topic string) bool {
		if n == 0 {
			return topic != "" && topic == s.DeadLetter
		}
		// As many bytes as are left over for each place are the read topic's name.
		length := (len(topic) - len(s.DeadLetter) + n*len(place)) / n
		if length <= 0 || at+length > len(topic) {
			return false
		}
		read := topic[at : at+length]
		return s.DeadLetterTopic(read) == topic && takes(read)
	}
}

package etcdconf

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func parseSink(text string) (Sink, error) {
	return ParseSink(Value{Name: "es", Key: "/loghaul/v1/sinks/es", Revision: 9, Data: []byte(text)})
}

func TestASinkHoldsTheDefaultOfWhatItDoesNotName(t *testing.T) {
	text := `{"type":"elasticsearch","topics":["web_log"],"url":"http://es"}`
	got, err := parseSink(text)
	if err != nil {
		t.Fatal(err)
	}
	want := Sink{Name: "es", Key: "/loghaul/v1/sinks/es", Revision: 9, Raw: []byte(text), SinkFields: SinkFields{
		Type: "elasticsearch", Topics: []string{"web_log"}, Group: "loghaul-es", Start: "beginning", DeadLetter: "{topic}.dlq",
		Batch: SinkBatch{Records: 5000, Bytes: 4194304, Age: Duration(time.Second)},
		Fetch: Fetch{MinBytes: 1, MaxWait: Duration(500 * time.Millisecond), MaxBytes: 8388608},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got.DeadLetterTopic("web_log") != "web_log.dlq" {
		t.Errorf("the dead letter topic is %s", got.DeadLetterTopic("web_log"))
	}
}

func TestEveryFieldOfASinkIsTaken(t *testing.T) {
	_, err := parseSink(`{ "type": "file", "topics": ["web_log"], "group": "loghaul-x", "start": "beginning",
	  "process": [ {"parse": "nginx"}, {"time": {"field": "time", "layout": "02/Jan/2006:15:04:05 -0700"}}, {"drop": {"field": "status", "matches": "^2"}},
	               {"redact": {"pattern": "\\b\\d{16}\\b", "with": "****"}}, {"set": {"env": "prod"}} ],
	  "batch": {"records": 5000, "bytes": 4194304, "age": "1s"},
	  "fetch": {"min_bytes": 1, "max_wait": "500ms", "max_bytes": 8388608},
	  "dead_letter": "web_log.dlq", "paused": false,
	  "path": "{topic}/{partition}/{date}.log", "compression": "none", "roll": {"bytes": 268435456, "age": "1h"} }`)
	if err != nil {
		t.Error(err)
	}
}

func TestABadSinkIsRefusedWithFieldAndMend(t *testing.T) {
	base := `{"type":"file","topics":["web_log"],`
	for text, want := range map[string]string{
		`{}`:                                `type: must name the kind of destination`,
		`{"type":"file"}`:                   `topics: must name at least one topic`,
		`{"type":"file","topics":""}`:       `topics: is "", must be a list`,
		`{"type":"file","topics":["a/b"]}`:  `topics[0]: ("a/b") must not hold a slash`,
		`{"type":"file","topics":["~("]}`:   `topics[0]: must be a regular expression`,
		`{"type":"file","topics":["~"]}`:    `topics[0]: must hold a regular expression after the ~`,
		base + `"group":""}`:                `group: must have`,
		base + `"start":"now"}`:             `start`,
		base + `"process":[1]}`:             `process[0]: must be an object with one step`,
		base + `"process":[{}]}`:            `process[0]`,
		base + `"process":[{"a":1,"b":2}]}`: `process[0]`,
		base + `"batch":{"records":0}}`:     `batch.records: (0) must be from 1`,
		base + `"batch":{"size":0}}`:        `batch.size: unknown field, must be one of age, bytes, records`,
		base + `"fetch":{"max_wait":"1h"}}`: `fetch.max_wait: (1h0m0s) must be from 0s to 5m0s`,
		base + `"dead_letter":"web_log"}`:   `dead_letter: ("web_log") is one of the sink's own topics`,
		base + `"dead_letter":"a/b"}`:       `dead_letter: ("a/b") must not hold a slash`,
		base + `"Paused":true}`:             `Paused: unknown field: did you mean "paused"?`,
		base + `"url":{"a":1,"a":2}}`:       `url.a: given twice`,
		base + `"type":"stdout"}`:           `type: given twice`,
	} {
		_, err := parseSink(text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "/loghaul/v1/sinks/es: ") {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}

func TestATopicPatternNeverTakesADeadLetterTopic(t *testing.T) {
	s := SinkFields{Topics: []string{"exact", "~web_.*", "named.dlq"}, DeadLetter: "web_bad"}
	for topic, want := range map[string]bool{"exact": true, "web_log": true, "my_web_log": false, "web_log.dlq": false, "named.dlq": true, "web_bad": false, "other": false} {
		if got := s.Takes(topic); got != want {
			t.Errorf("takes %s: %v, want %v", topic, got, want)
		}
	}
}

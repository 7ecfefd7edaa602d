package etcdconf

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

func parseInput(text string) (Input, error) {
	return ParseInput(Value{Name: "nginx", Key: "/loghaul/v1/inputs/nginx", Revision: 7, Data: []byte(text)})
}

func TestAnInputHoldsTheDefaultOfWhatItDoesNotName(t *testing.T) {
	got, err := parseInput(`{"paths":["/var/log/nginx/*.log"],"topic":"web_log"}`)
	if err != nil {
		t.Fatal(err)
	}
	want := Input{
		Name: "nginx", Key: "/loghaul/v1/inputs/nginx", Revision: 7,
		Paths: []string{"/var/log/nginx/*.log"}, Topic: "web_log", Start: "beginning", KeyBy: "path",
		Batch: InputBatch{Bytes: 262144, Age: Duration(5 * time.Millisecond)}, Reader: "native", Format: "line", Encoding: "utf-8",
		MaxLineBytes: 1000000, LongLines: "split", Compression: "snappy",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// everything is the example that users read, with its comments taken out.
const everything = `{ "paths":   ["/var/log/nginx/*.log", "/srv/**/app.log"],
  "exclude": ["**/*.gz"],
  "topic":   "web_log",
  "topic_create": {"partitions": 6, "replicas": 3, "configs": {}},
  "on":      {"hosts": ["web-*"], "labels": {"tier": "front"}},
  "start":   "beginning",
  "key":     "path",
  "partition": null,
  "batch":   {"bytes": 262144, "age": "5ms"},
  "reader":  "native",
  "format":  "line",
  "encoding":"utf-8",
  "multiline":{"start": "^\\d{4}-", "max_lines": 1000, "timeout": "2s"},
  "include": ["regexp"], "drop": ["regexp"],
  "redact":  [{"pattern": "\\b\\d{16}\\b", "with": "****"}],
  "max_line_bytes": 1000000, "long_lines": "split",
  "rate_bytes": 0,
  "labels":  {"app": "nginx"},
  "compression": "snappy",
  "paused":  false }`

func TestEveryFieldOfAnInputIsTaken(t *testing.T) {
	got, err := parseInput(everything)
	if err != nil {
		t.Fatal(err)
	}
	if got.Multiline.Timeout.Std() != 2*time.Second || got.TopicCreate.Partitions != 6 || got.Redact[0].With != "****" || got.On.Labels["tier"] != "front" {
		t.Errorf("decoded as %+v", got)
	}
	for _, name := range regexp.MustCompile(`(?m)^ *"(\w+)"`).FindAllStringSubmatch(everything, -1) {
		if fieldsOf(reflect.TypeFor[Input]())[name[1]] == nil {
			t.Errorf("the field %s is not known", name[1])
		}
	}
}

func TestWhatIsNamedInPartGetsTheRestOfItsDefaults(t *testing.T) {
	got, err := parseInput(`{"paths":["/a"],"topic":"t","topic_create":{"partitions":3},"multiline":{"start":"^x"},"redact":[{"pattern":"p"}],"batch":{"age":"1s"}}`)
	if err != nil {
		t.Fatal(err)
	}
	if got.TopicCreate.Replicas != -1 || got.Multiline.MaxLines != 1000 || got.Multiline.Timeout.Std() != 2*time.Second || got.Redact[0].With != "****" || got.Batch.Bytes != 262144 {
		t.Errorf("decoded as %+v", got)
	}
}

func TestABadInputIsRefusedWithFieldAndMend(t *testing.T) {
	base := `{"paths":["/a"],"topic":"t",`
	for text, want := range map[string]string{
		`{}`:                              `paths: must name at least one file`,
		`{"paths":["/a"]}`:                `topic: must name a topic, such as "web_log"`,
		`{"paths":["a.log"],"topic":"t"}`: `paths[0]: ("a.log") must be absolute, such as "/var/log/a.log"`,
		`{"paths":["/a","C:\\logs\\x.log"],"topic":"t"}`:              `paths[1]: ("C:\\logs\\x.log") must be written with slashes: "C:/logs/x.log"`,
		`{"paths":["/var/log/../../etc/shadow"],"topic":"t"}`:         `must not hold ..`,
		`{"paths":["/var/log/[a"],"topic":"t"}`:                       `is a [, { or \ left open?`,
		`{"paths":["/a\u0000b"],"topic":"t"}`:                         `no NUL`,
		`{"paths":["/a"],"topic":"web/log"}`:                          `topic: ("web/log") must not hold a slash: write "web.log"`,
		`{"paths":["/a"],"topic":".."}`:                               `must be 1 to 249 of`,
		`{"paths":["/a"],"topic":"a b"}`:                              `must be 1 to 249 of`,
		`{"paths":["/a"],"topic":"` + strings.Repeat("t", 250) + `"}`: `must be 1 to 249 of`,
		`{"paths":["/a"],"topic":"__consumer_offsets"}`:               `is the broker's own`,
		base + `"exclude":["{a"]}`:                                    `exclude[0]: ("{a") must be a pattern`,
		base + `"on":{"hosts":["web-["]}}`:                            `on.hosts[0]`,
		base + `"start":"middle"}`:                                    `start: ("middle") must be one of beginning, end`,
		base + `"key":"ip"}`:                                          `key: ("ip") must be one of path, none`,
		base + `"partition":-1}`:                                      `partition: must be 0 or more`,
		base + `"partition":6,"topic_create":{"partitions":6}}`:       `partition: (6) must be below`,
		base + `"batch":{"bytes":10}}`:                                `batch.bytes: (10) must be from 1024 to 67108864`,
		base + `"batch":{"age":"2h"}}`:                                `batch.age: (2h0m0s) must be from 0s to 1m0s`,
		base + `"batch":{"age":"-1s"}}`:                               `batch.age`,
		base + `"reader":"fast"}`:                                     `reader`,
		base + `"format":"xml"}`:                                      `format: ("xml") must be one of line, cri, docker, auto`,
		base + `"encoding":"ebcdic"}`:                                 `encoding: ("ebcdic") must be a name of the WHATWG list`,
		base + `"encoding":"replacement"}`:                            `encoding`,
		base + `"multiline":{}}`:                                      `multiline.start: must be`,
		base + `"multiline":{"start":"("}}`:                           `multiline.start: must be a regular expression (RE2): error parsing regexp`,
		base + `"multiline":{"start":"a","max_lines":-1}}`:            `multiline.max_lines`,
		base + `"include":["a","(?<"]}`:                               `include[1]: must be a regular expression`,
		base + `"drop":[""]}`:                                         `drop[0]: must not be empty`,
		base + `"redact":[{"with":"x"}]}`:                             `redact[0].pattern`,
		base + `"max_line_bytes":0}`:                                  `max_line_bytes: (0) must be from 1`,
		base + `"long_lines":"wrap"}`:                                 `long_lines`,
		base + `"rate_bytes":-5}`:                                     `rate_bytes: (-5) must be 0 or more`,
		base + `"labels":{"pos":"1"}}`:                                `labels.pos: is a header loghaul itself writes`,
		base + `"compression":"brotli"}`:                              `compression: ("brotli") must be one of none, gzip, snappy, lz4, zstd`,
		base + `"topic_create":{"partitions":-3}}`:                    `topic_create.partitions: (-3)`,
		base + "\n\"drop\":[\n\"(\"]}":                                `line 3: drop[0]`,
	} {
		_, err := parseInput(text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "/loghaul/v1/inputs/nginx: ") {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}

func TestAllComplaintsComeAtOnce(t *testing.T) {
	_, err := parseInput(`{"paths":["a"],"topic":"b/c","start":"x","compression":"y"}`)
	for _, field := range []string{"paths[0]", "topic", "start", "compression"} {
		if err == nil || !strings.Contains(err.Error(), field+": ") {
			t.Errorf("%s is missing in: %v", field, err)
		}
	}
}

func TestTheNameOfAValueIsChecked(t *testing.T) {
	for name, ok := range map[string]bool{"a": true, "web-01": true, "": false, "Web": false, "a_b": false, "a/b": false, strings.Repeat("a", 64): false} {
		_, err := ParseInput(Value{Name: name, Key: "k", Data: []byte(`{"paths":["/a"],"topic":"t"}`)})
		if (err == nil) != ok {
			t.Errorf("name %q: %v", name, err)
		}
	}
}

func TestHostsAndLabelsSelect(t *testing.T) {
	for _, c := range []struct {
		on     Selector
		host   string
		labels map[string]string
		want   bool
	}{
		{Selector{}, "any", nil, true},
		{Selector{Hosts: []string{"web-*"}}, "web-1", nil, true},
		{Selector{Hosts: []string{"web-*"}}, "db-1", nil, false},
		{Selector{Hosts: []string{"db-[0-9]", "web-{1,2}"}}, "web-2", nil, true},
		{Selector{Labels: map[string]string{"tier": "front"}}, "x", map[string]string{"tier": "front", "a": "b"}, true},
		{Selector{Labels: map[string]string{"tier": ""}}, "x", nil, false},
		{Selector{Hosts: []string{"web-*"}, Labels: map[string]string{"tier": "front"}}, "web-1", map[string]string{"tier": "back"}, false},
	} {
		if got := (Input{On: c.on}).Selects(c.host, c.labels); got != c.want {
			t.Errorf("%+v selects %s %v: %v, want %v", c.on, c.host, c.labels, got, c.want)
		}
	}
}

func TestSizesAndSpansAreReadWithTheirUnits(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "262144": 262144, "256KiB": 262144, "256k": 262144, "1kB": 1000, "1.5MiB": 1572864, "2 GB": 2e9, "9223372036854775807": 1<<63 - 1, "10b": 10} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1", "x", "1QB", "NaN", "inf", "9223372036854775808", "99999999TiB", "1 2"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %d, want an error", text, got)
		}
	}
	for text, want := range map[string]time.Duration{"5ms": 5 * time.Millisecond, "7d": 168 * time.Hour, "0.5d": 12 * time.Hour, "1h30m": 90 * time.Minute} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "d", "1e9d", "NaNd"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %s, want an error", text, got)
		}
	}
}

func TestTheReferenceExampleIsTheOneTested(t *testing.T) {
	// An --inputs folder holds the same values as etcd.
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "nginx.json"), []byte(everything), 0o600); err != nil {
		t.Fatal(err)
	}
	w := watchInputs(t, Folder(dir, nil))
	w.reaches("web_log", "")
}

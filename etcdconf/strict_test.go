package etcdconf

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

type sample struct {
	SinkFields
	Path  string            `json:"path"`
	Sizes []Size            `json:"sizes"`
	Small int8              `json:"small"`
	Env   map[string]string `json:"env"`
	Maybe *int32            `json:"maybe"`
	Ratio float64           `json:"ratio"`
	skip  int
	Not   string `json:"-"`
}

func TestEveryComplaintNamesKeyFieldAndLine(t *testing.T) {
	for name, c := range map[string]struct {
		json string
		want []string // each must be in the error
	}{
		"unknown field":         {"{\n \"path\": \"a\",\n \"colour\": 1\n}", []string{"the/key: line 3: colour: unknown field, must be one of batch, dead_letter"}},
		"near miss":             {"{\"pth\": \"a\"}", []string{`line 1: pth: unknown field: did you mean "path"?`}},
		"other case":            {"{\"Path\": \"a\"}", []string{`Path: unknown field: did you mean "path"?`}},
		"nested unknown":        {"{\"batch\":\n{\"records\": 1,\n\"recods\": 2}}", []string{`line 3: batch.recods: unknown field: did you mean "records"?`}},
		"twice":                 {"{\n\"path\": \"a\",\n\"path\": \"b\"\n}", []string{"line 3: path: given twice: keep one"}},
		"twice by another name": {"{\"path\": \"a\",\n\"p\\u0061th\": \"b\"}", []string{"line 2: path: given twice"}},
		"twice in a map":        {"{\"env\": {\"a\": \"1\",\n\"a\": \"2\"}}", []string{"line 2: env.a: given twice"}},
		"twice in a raw value":  {"{\"process\": [{\"set\": {\"a\":1,\n\"a\":2}}]}", []string{"line 2: process[0].a: given twice"}},
		"wrong type":            {"{\"path\": 3}", []string{"path: is 3, must be a string"}},
		"wrong type in a list":  {"{\"topics\": [\"a\",\n7]}", []string{"line 2: topics[1]: is 7, must be a string"}},
		"list for an object":    {"{\"batch\": []}", []string{"batch: is a list, must be an object"}},
		"object for a list":     {"{\"topics\": {\"a\":1}}", []string{"topics: is an object, must be a list"}},
		"too large a number":    {"{\"small\": 300}", []string{"small: is 300, must be a whole number in the range of int8"}},
		"fraction":              {"{\"maybe\": 1.5}", []string{"maybe: is 1.5, must be a whole number"}},
		"bare duration":         {"{\"batch\": {\"age\": 5}}", []string{`batch.age: is 5, must be a string with a unit, such as "5ms"`}},
		"bad duration":          {"{\"batch\": {\"age\": \"5 parsecs\"}}", []string{`batch.age: is "5 parsecs", must be a time span`}},
		"bad size":              {"{\"sizes\": [1,\n\"2 apples\"]}", []string{`line 2: sizes[1]: is "2 apples", must be a size`}},
		"several at once":       {"{\"a\":1,\n\"path\":2,\n\"small\":\"x\"}", []string{"line 1: a: unknown", "line 2: path: is 2", `line 3: small: is "x"`}},
		"not an object":         {"[]", []string{"line 1: is a list, must be an object"}},
		"empty":                 {" \n", []string{"is empty, must be a JSON object"}},
		"half":                  {"{\"path\": \"a", []string{"is not JSON: unexpected end"}},
		"comment":               {"{\n\"path\": \"a\", // here\n}", []string{"line 2: comments are not allowed in JSON"}},
		"trailing":              {"{}\n{}", []string{"line 2: is not JSON"}},
		"byte order mark":       {"\xef\xbb\xbf{}", []string{"byte order mark"}},
		"not UTF-8":             {"{\"path\":\n\"\xff\"}", []string{"line 2: is not UTF-8"}},
		"hidden field":          {"{\"Not\": \"a\",\n\"skip\": 1}", []string{"Not: unknown", "skip: unknown"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got sample
			err := Strict(Value{Key: "the/key", Data: []byte(c.json)}, &got)
			var ve *ValueError
			if !errors.As(err, &ve) {
				t.Fatalf("got %v, want a ValueError", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got  %v\nwant %s", err, want)
				}
			}
			if len(ve.Complaints) != len(c.want) {
				t.Errorf("got %d complaints, want %d: %v", len(ve.Complaints), len(c.want), err)
			}
			if !reflect.ValueOf(got).IsZero() {
				t.Errorf("a refused value was decoded all the same: %+v", got)
			}
		})
	}
}

func TestAGoodValueIsDecodedWhole(t *testing.T) {
	got := sample{SinkFields: SinkFields{Group: "default"}, skip: 1}
	err := Strict(Value{Key: "k", Data: []byte(`{"type":"x","topics":["a"],"group":null,"path":"p","sizes":[1,"2KiB"],"env":{"a":"b"},
		"maybe":null,"batch":{"age":"1h30m"},"process":[{"parse":"nginx"}]}`)}, &got)
	if err != nil {
		t.Fatal(err)
	}
	want := sample{SinkFields: SinkFields{Type: "x", Topics: []string{"a"}, Group: "default", Process: []json.RawMessage{json.RawMessage(`{"parse":"nginx"}`)},
		Batch: SinkBatch{Age: Duration(90 * time.Minute)}}, Path: "p", Sizes: []Size{1, 2048}, Env: map[string]string{"a": "b"}, skip: 1}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestAHostileValueIsRefusedInReasonableTime(t *testing.T) {
	values := map[string]string{
		"deep":           strings.Repeat("[", 700_000),
		"deep and whole": `{"process":[` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `]}`,
		"many fields":    `{"env":{` + strings.TrimSuffix(strings.Repeat("\"k\":\n\"v\",", 150_000), ",") + `}}`,
		"many unknown":   `{` + strings.TrimSuffix(strings.Repeat("\"qqqqqqqqqq\":\n1,", 80_000), ",") + `}`,
	}
	for name, text := range values {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			var s sample
			err := Strict(Value{Key: "k", Data: []byte(text)}, &s)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
			if err != nil && len(err.Error()) > 10_000 {
				t.Errorf("the error is %d bytes long", len(err.Error()))
			}
		})
	}
}

func FuzzStrict(f *testing.F) {
	for _, seed := range []string{`{}`, `{"type":"x","topics":["a"]}`, `{"batch":{"age":"5ms"},"sizes":[1,"2k"]}`, `{"a":1,"a":2}`, `[{"path":"a"}]`, `{"process":[{"a":{"b":[{}]}}]}`, "{\n\n", `{"paths":["/a"],"topic":"t"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v := Value{Name: "n", Key: "k", Data: data}
		var s sample
		if err := Strict(v, &s); err == nil {
			var loose sample
			if err := json.Unmarshal(data, &loose); err != nil {
				t.Errorf("Strict took what encoding/json refuses: %v", err)
			} else if !reflect.DeepEqual(s, loose) {
				t.Errorf("Strict decoded %+v, encoding/json %+v", s, loose)
			}
		}
		if in, err := ParseInput(v); err == nil && (in.Topic == "" || len(in.Paths) == 0 || in.MaxLineBytes < 1) {
			t.Errorf("an input without what it needs was taken: %+v", in)
		}
		if sink, err := ParseSink(v); err == nil && (sink.Type == "" || len(sink.Topics) == 0) {
			t.Errorf("a sink without what it needs was taken: %+v", sink)
		}
		v.Name = "collect_config/h"
		if inputs, err := ParseInputs(v); err == nil {
			for _, in := range inputs {
				if in.Topic == "" || len(in.Paths) != 1 {
					t.Errorf("an entry without what it needs was taken: %+v", in)
				}
			}
		}
	})
}

package etcdconf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// Complaint is one thing that is wrong with a value.
type Complaint struct {
	Line  int    // in the value, from 1; 0: the value as a whole
	Field string // "batch.age", "redact[0].pattern"; "" for the value as a whole
	Text  string // what is wrong and what mends it
}

// String names line and field before the text.
func (c Complaint) String() string {
	s := c.Text
	if c.Field != "" {
		s = c.Field + ": " + s
	}
	if c.Line > 0 {
		s = fmt.Sprintf("line %d: %s", c.Line, s)
	}
	return s
}

// ValueError lists everything that is wrong with one value.
type ValueError struct {
	Key        string // etcd key or file
	Complaints []Complaint
}

// Error names the key once and then the first complaints.
func (e *ValueError) Error() string {
	const most = 10 // a status holds this text
	var all []string
	for i, c := range e.Complaints {
		if i == most {
			all = append(all, fmt.Sprintf("and %d more", len(e.Complaints)-most))
			break
		}
		all = append(all, c.String())
	}
	return e.Key + ": " + strings.Join(all, "; ")
}

// Strict decodes the value's JSON into the struct that into points to. Fields that the struct does not know,
// fields given twice and values of the wrong type are all listed in the error, with key, field and line.
// Names are matched exactly; null leaves what into holds. Structs may be embedded. Nothing is decoded when
// anything is wrong.
func Strict(v Value, into any) error {
	_, found := decode(v, into, false)
	return asError(v.Key, found)
}

func asError(key string, found []Complaint) error {
	if len(found) == 0 {
		return nil
	}
	return &ValueError{Key: key, Complaints: found}
}

// decode is Strict, and also says on which line each field stands. With open, fields of the outermost object
// that into does not know are passed over.
func decode(v Value, into any, open bool) (map[string]int, []Complaint) {
	if v.Err != nil {
		return nil, []Complaint{{Text: v.Err.Error()}}
	}
	if c := syntax(v.Data); c != nil {
		return nil, []Complaint{*c}
	}
	w := &walker{lines: map[string]int{}}
	for i, b := range v.Data {
		if b == '\n' {
			w.newlines = append(w.newlines, i)
		}
	}
	w.value(reflect.TypeOf(into).Elem(), v.Data, 0, "", open)
	if len(w.found) == 0 {
		if err := json.Unmarshal(v.Data, into); err != nil {
			w.complain(0, "", "%v", err)
		}
	}
	return w.lines, w.found
}

// syntax says where the bytes stop being one JSON value.
func syntax(data []byte) *Complaint {
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return &Complaint{Text: "is empty, must be a JSON object"}
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		return &Complaint{Line: 1, Text: "begins with a byte order mark: store it as UTF-8 without one"}
	}
	var raw json.RawMessage
	err := json.Unmarshal(data, &raw)
	if err == nil {
		return invalidUTF8(data)
	}
	c := &Complaint{Text: "is not JSON: " + err.Error()}
	var se *json.SyntaxError
	if errors.As(err, &se) {
		at := min(max(int(se.Offset)-1, 0), len(data)-1)
		c.Line = 1 + bytes.Count(data[:at], []byte{'\n'})
		if data[at] == '/' || data[at] == '#' {
			c.Text = "comments are not allowed in JSON: remove them"
		}
	}
	return c
}

// invalidUTF8 finds bytes that the decoder would silently replace.
func invalidUTF8(data []byte) *Complaint {
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return &Complaint{Line: 1 + bytes.Count(data[:i], []byte{'\n'}), Text: "is not UTF-8: store it as UTF-8"}
		}
		i += n
	}
	return nil
}

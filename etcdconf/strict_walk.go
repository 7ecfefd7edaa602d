package etcdconf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"
)

// walker goes through the JSON and the Go type side by side.
type walker struct {
	newlines []int          // where they lie in the data
	lines    map[string]int // of the fields seen
	found    []Complaint
}

// line of the byte at in the data, from 1.
func (w *walker) line(at int) int { return 1 + sort.SearchInts(w.newlines, at) }

func (w *walker) complain(at int, path, format string, args ...any) {
	w.found = append(w.found, Complaint{Line: w.line(at), Field: path, Text: fmt.Sprintf(format, args...)})
}

var (
	rawType         = reflect.TypeFor[json.RawMessage]()
	unmarshalerType = reflect.TypeFor[json.Unmarshaler]()
)

// value checks raw, which begins at byte at of the data, against t.
func (w *walker) value(t reflect.Type, raw []byte, at int, path string, open bool) {
	lead := len(raw) - len(bytes.TrimLeft(raw, " \t\r\n"))
	raw, at = raw[lead:], at+lead
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case raw[0] == 'n': // null leaves the default
	case t == rawType || t.Kind() == reflect.Interface:
		w.twice(raw, at, path)
	case reflect.PointerTo(t).Implements(unmarshalerType):
		w.leaf(t, raw, at, path)
	case t.Kind() == reflect.Struct && raw[0] == '{':
		w.object(t, raw, at, path, open)
	case t.Kind() == reflect.Map && raw[0] == '{':
		w.mapping(t.Elem(), raw, at, path)
	case t.Kind() == reflect.Slice && raw[0] == '[':
		w.list(t.Elem(), raw, at, path)
	default:
		w.leaf(t, raw, at, path)
	}
}

func (w *walker) object(t reflect.Type, raw []byte, at int, path string, open bool) {
	fields := fieldsOf(t)
	w.members(raw, at, path, func(name string, member []byte, from, keyAt int) {
		f, ok := fields[name]
		switch near := nearest(name, fields); {
		case ok:
			w.value(f, member, from, join(path, name), false)
		case near != "" && (!open || strings.EqualFold(near, name)):
			w.complain(keyAt, join(path, name), "unknown field: did you mean %q?", near)
		case open:
			w.twice(member, from, join(path, name))
		default:
			w.complain(keyAt, join(path, name), "unknown field, must be one of %s", strings.Join(sorted(fields), ", "))
		}
	})
}

func (w *walker) mapping(elem reflect.Type, raw []byte, at int, path string) {
	w.members(raw, at, path, func(name string, member []byte, from, _ int) {
		w.value(elem, member, from, join(path, name), false)
	})
}

// members calls f for each member of the object raw and complains about names given twice.
func (w *walker) members(raw []byte, at int, path string, f func(name string, member []byte, from, keyAt int)) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	seen := map[string]bool{}
	for dec.Token(); dec.More(); {
		token, _ := dec.Token()
		name := token.(string)
		keyAt := at + int(dec.InputOffset()) - 1
		var member json.RawMessage
		if err := dec.Decode(&member); err != nil {
			w.complain(keyAt, join(path, name), "%v", err)
			return
		}
		if seen[name] {
			w.complain(keyAt, join(path, name), "given twice: keep one")
			continue
		}
		seen[name] = true
		w.lines[join(path, name)] = w.line(keyAt)
		f(name, member, at+int(dec.InputOffset())-len(member), keyAt)
	}
}

func (w *walker) list(elem reflect.Type, raw []byte, at int, path string) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.Token()
	for i := 0; dec.More(); i++ {
		var item json.RawMessage
		if err := dec.Decode(&item); err != nil {
			w.complain(at, path, "%v", err)
			return
		}
		from, name := at+int(dec.InputOffset())-len(item), fmt.Sprintf("%s[%d]", path, i)
		w.lines[name] = w.line(from)
		w.value(elem, item, from, name, false)
	}
}

// leaf lets the decoder judge a value that has no members of its own.
func (w *walker) leaf(t reflect.Type, raw []byte, at int, path string) {
	err := json.Unmarshal(raw, reflect.New(t).Interface())
	var te *json.UnmarshalTypeError
	if errors.As(err, &te) {
		w.complain(at, path, "is %s, must be %s", short(raw), describe(t))
	} else if err != nil {
		w.complain(at, path, "%v", err)
	}
}

// twice finds names given twice in a value of any shape, in one pass however deep it is.
func (w *walker) twice(raw []byte, at int, path string) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	type level struct {
		seen  map[string]bool // nil in a list
		named bool            // the next token is a value, not a name
	}
	var stack []level
	for {
		token, err := dec.Token()
		if err != nil {
			return
		}
		if d, ok := token.(json.Delim); ok && (d == '}' || d == ']') {
			stack = stack[:len(stack)-1]
			continue
		}
		if n := len(stack); n > 0 && stack[n-1].seen != nil {
			top := &stack[n-1]
			if top.named = !top.named; top.named {
				name := token.(string)
				if top.seen[name] {
					w.complain(at+int(dec.InputOffset())-1, join(path, name), "given twice: keep one")
				}
				top.seen[name] = true
				continue
			}
		}
		switch token {
		case json.Delim('{'):
			stack = append(stack, level{seen: map[string]bool{}})
		case json.Delim('['):
			stack = append(stack, level{})
		}
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func sorted(fields map[string]reflect.Type) []string {
	var names []string
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

package etcdconf

import (
	"reflect"
	"strings"
)

// fieldsOf maps the JSON names of a struct's fields, embedded ones included, to their types.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported() || f.Anonymous && name == "":
		case name == "":
			fields[f.Name] = f.Type
		default:
			fields[name] = f.Type
		}
	}
	return fields
}

// nearest is the known name that was probably meant, "" when none is close.
func nearest(name string, fields map[string]reflect.Type) string {
	best, least := "", 3
	for _, known := range sorted(fields) {
		if strings.EqualFold(known, name) {
			return known
		}
		if d := distance(strings.ToLower(name), known); d < least && d < len(known) {
			best, least = known, d
		}
	}
	return best
}

// distance counts the letters to change, add or take away (Levenshtein); long names are not compared.
func distance(a, b string) int {
	if len(a) > 32 || len(b) > 32 {
		return 99
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// describe says in words what a value of type t must be.
func describe(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "an object"
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return "a whole number in the range of " + t.Kind().String()
	}
}

// short quotes the beginning of a JSON value.
func short(raw []byte) string {
	switch {
	case raw[0] == '{':
		return "an object"
	case raw[0] == '[':
		return "a list"
	case len(raw) > 40:
		return string(raw[:40]) + "..."
	}
	return string(raw)
}

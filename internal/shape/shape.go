// Package shape says of what requests and answers of the Kafka protocol consist, and walks over one before it is decoded:
// a decoder that believes a count makes a million structs out of four bytes.
package shape

import (
	"fmt"
	"math"
	"strings"
)

// Table is how to walk over bodies, by key and version.
type Table [][]shape

// Parse reads a text with a line for each kind:
//
//	key  name  first-last  flexible version or -  fields
//
// Versions first to last are told, all that are used. A field is name:type@versions, its versions 4 (and later) or
// 0-3; without them it stands in all. Types are bool, i8, i16, i32, i64, f64, uuid, bytes, str, nstr that may
// be null, [type] an array of such and [field field ...] an array of structs; tags ends a struct that stands alone. In flexible versions lengths are compact, and
// tags follow the fields of the body and of each struct; fields that newer versions keep in tags are not told. Lines that
// begin with # say nothing.
func Parse(text string) (Table, error) {
	var t Table
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, versions, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("reading %q: %w", line, err)
		}
		for len(t) <= key {
			t = append(t, nil)
		}
		t[key] = versions
	}
	return t, nil
}

// Knows says whether a version of a kind is told.
func (t Table) Knows(key, version int16) bool {
	return key >= 0 && int(key) < len(t) && version >= 0 && int(version) < len(t[key]) && t[key][version] != nil
}

// MisfitError says that a length or a count in a body is more than what is left of it can hold.
type MisfitError struct {
	Bytes int    // of the body
	Field string // that does not fit
}

// Error names the field.
func (e *MisfitError) Error() string {
	return fmt.Sprintf("its %d bytes end before field %s does", e.Bytes, e.Field)
}

// Skim walks over a body of a known kind and returns what follows its last field, which is no error. It is a MisfitError
// when a length or a count says more than the bytes that are left can hold, whatever the decoder after it would make of
// that; kmsg makes as many tags as a count says. Skim allocates nothing and passes over each byte once.
func (t Table) Skim(key, version int16, body []byte) ([]byte, error) {
	if !t.Knows(key, version) {
		return nil, fmt.Errorf("the shape of kind %d version %d is not known", key, version)
	}
	rest, bad := t[key][version].skim(body)
	if bad != nil {
		return nil, &MisfitError{len(body), bad.name}
	}
	return rest, nil
}

// shape is how to walk over one version of a body; nil: it is not known, empty: it has no fields.
type shape []step

// step is the next thing in a body.
type step struct {
	kind   kind
	prefix int    // bytes of the length in front; 0: it is compact
	lowest int32  // the least length that is taken; what is below 0 is null
	size   int    // of a fixed field, in bytes; of what a length counts, the least
	name   string // of the field, for who must find out what is wrong
	inner  shape  // an array's element
}

type kind uint8

const (
	fixed  kind = iota // always of the same size; neighbours are one step
	run                // as many bytes as its length says
	array              // as many elements
	packed             // as many elements that are all of the same size
	tags               // a tag section
)

// anyNull lets every negative length be null, as kmsg and Kafka read it.
const anyNull = math.MinInt32

// scalars are the types whose size never changes.
var scalars = map[string]int{"bool": 1, "i8": 1, "i16": 2, "i32": 4, "i64": 8, "f64": 8, "uuid": 16}

// runs are the types that begin with their length, here in a version that is not flexible. A null where there should be
// bytes is empty: kmsg lets it pass.
var runs = map[string]step{
	"str":   {kind: run, size: 1, prefix: 2},
	"nstr":  {kind: run, size: 1, prefix: 2, lowest: anyNull},
	"bytes": {kind: run, size: 1, prefix: 4, lowest: -1},
}

// least is how many bytes it takes at least.
func (s shape) least() (n int) {
	for _, next := range s {
		switch {
		case next.kind == fixed:
			n += next.size
		case next.prefix > 0:
			n += next.prefix
		default:
			n++ // a compact length, or the count of tags
		}
	}
	return n
}

package wire

import (
	_ "embed"
	"math"
	"sync"
)

// shapesText says of what the bodies of requests consist, a line for each:
//
//	key  name  first-last  flexible version or -  fields
//
// Versions first to last are told, all that are served. A field is name:type@versions, its versions 4 (and later) or
// 0-3; without them it stands in all. Types are bool, i8, i16, i32, i64, f64, uuid, bytes, str, nstr that may
// be null, [type] an array of such and [field field ...] an array of structs. In flexible versions lengths are compact, and
// tags follow the fields of the body and of each struct; fields that newer versions keep in tags are not told.
//
// Every request that kmsg decodes has a line; Produce and Fetch are read by decoders of their own.
//
//go:embed shapes.txt
var shapesText string

// shapes holds by key and version how to walk over a body. It is made with the first request: not every process serves.
var shapes = sync.OnceValue(func() [][]shape { return mustParse(shapesText) })

// shape is how to walk over one version of a request; nil: it is not known, empty: it has no fields.
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

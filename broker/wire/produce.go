package wire

import (
	"encoding/binary"
	"fmt"
	"math"
)

// maxPartitions bounds how many partitions one Produce or Fetch request may name.
const maxPartitions = 1 << 16

// Topic is one topic of a Produce or Fetch request, named by name or, in newer versions, by id.
type Topic struct {
	Name       []byte // aliases the frame
	ID         [16]byte
	First, End int // its partitions are Partitions[First:End] of the request
}

// ProducePartition is one partition's records, as they came.
type ProducePartition struct {
	Index   int32
	Records []byte // aliases the frame; nil for null
}

// ProduceRequest is Produce (key 0) in versions 0 to 11. It is reusable: Decode keeps the slices.
type ProduceRequest struct {
	TransactionalID []byte // nil for null; aliases the frame
	Acks            int16  // 0 none, 1 appended, -1 durable
	TimeoutMillis   int32
	Topics          []Topic
	Partitions      []ProducePartition
	Throttle        int32 // milliseconds that the answer tells the client to wait; not of the request
}

// Decode reads a request's body. Everything in r aliases body afterwards.
func (r *ProduceRequest) Decode(body []byte, version int16) error {
	c := cursor{b: body, flexible: version >= 9}
	r.Topics, r.Partitions = r.Topics[:0], r.Partitions[:0]
	r.TransactionalID = nil
	if version >= 3 {
		r.TransactionalID = c.text()
	}
	r.Acks = c.int16()
	r.TimeoutMillis = c.int32()
	for n := c.array(3); n > 0 && !c.bad; n-- {
		t := Topic{Name: c.text(), First: len(r.Partitions)}
		for m := c.array(5); m > 0 && !c.bad; m-- {
			r.Partitions = append(r.Partitions, ProducePartition{Index: c.int32(), Records: c.bytes()})
			c.tags()
			if len(r.Partitions) > maxPartitions {
				return fmt.Errorf("%w: more than %d partitions", ErrMalformed, maxPartitions)
			}
		}
		c.tags()
		t.End = len(r.Partitions)
		if r.Topics = append(r.Topics, t); len(r.Topics) > maxPartitions {
			return fmt.Errorf("%w: more than %d topics", ErrMalformed, maxPartitions)
		}
	}
	c.tags()
	return c.done()
}

// ProduceResult is the answer for one partition, in the order of the request's partitions.
type ProduceResult struct {
	Error      int16
	Base       int64  // offset of the first record, -1 on error
	AppendTime int64  // milliseconds when the broker stamped the records, else -1
	LogStart   int64  // the partition's first offset, -1 on error
	Message    string // empty is null; sent from version 8 on
	Records    []RecordError
}

// RecordError is what is wrong with one record of a batch; sent from version 8 on.
type RecordError struct {
	Index   int32 // in the batch
	Message string
}

// AppendProduceResponse encodes the answer to r, whose results stand in the order of r.Partitions. It also returns, in
// that order, where in dst each one's error code (2 bytes) and base offset (8 bytes) lie, so that an answer can be
// corrected when the disk fails after all.
func AppendProduceResponse(dst []byte, r *ProduceRequest, results []ProduceResult, version int16) ([]byte, []int) {
	e := encoder{dst, version >= 9}
	marks := make([]int, 0, len(results))
	e.array(len(r.Topics))
	for _, t := range r.Topics {
		e.text(t.Name)
		e.array(t.End - t.First)
		for i := t.First; i < t.End; i++ {
			res := &results[i]
			e.int32(r.Partitions[i].Index)
			marks = append(marks, len(e.b))
			e.int16(res.Error)
			e.int64(res.Base)
			if version >= 2 {
				e.int64(res.AppendTime)
			}
			if version >= 5 {
				e.int64(res.LogStart)
			}
			if version >= 8 {
				appendRecordErrors(&e, res.Records)
				e.nullableText(res.Message)
			}
			e.tags()
		}
		e.tags()
	}
	if version >= 1 {
		e.int32(r.Throttle)
	}
	e.tags()
	return e.b, marks
}

func appendRecordErrors(e *encoder, records []RecordError) {
	e.array(len(records))
	for i := range records {
		e.int32(records[i].Index)
		e.nullableText(records[i].Message)
		e.tags()
	}
}

// encoder appends the fields of a message.
type encoder struct {
	b        []byte
	flexible bool
}

func (e *encoder) int8(v int8)   { e.b = append(e.b, byte(v)) }
func (e *encoder) int16(v int16) { e.b = binary.BigEndian.AppendUint16(e.b, uint16(v)) }
func (e *encoder) int32(v int32) { e.b = binary.BigEndian.AppendUint32(e.b, uint32(v)) }
func (e *encoder) int64(v int64) { e.b = binary.BigEndian.AppendUint64(e.b, uint64(v)) }

// array appends the count of an array; -1 is null.
func (e *encoder) array(n int) {
	if e.flexible {
		e.b = binary.AppendUvarint(e.b, uint64(n+1))
		return
	}
	e.int32(int32(n))
}

func (e *encoder) text(v []byte) {
	if e.flexible {
		e.b = binary.AppendUvarint(e.b, uint64(len(v)+1))
	} else {
		e.int16(int16(min(len(v), math.MaxInt16)))
	}
	e.b = append(e.b, v...)
}

// nullableText appends v, or null when it is empty.
func (e *encoder) nullableText(v string) {
	switch {
	case v != "":
		e.text([]byte(v))
	case e.flexible:
		e.b = append(e.b, 0)
	default:
		e.int16(-1)
	}
}

// tags appends an empty tag section.
func (e *encoder) tags() {
	if e.flexible {
		e.b = append(e.b, 0)
	}
}

package wire

import (
	"fmt"
	"math"

	"github.com/loghaul/loghaul/internal/record"
)

// FetchPartition is one partition a client asks for.
type FetchPartition struct {
	Index       int32
	LeaderEpoch int32 // the epoch the client believes in, -1 when it does not say
	Offset      record.Offset
	MaxBytes    int32
}

// FetchRequest is Fetch (key 1) in versions 0 to 16. It is reusable: Decode keeps the slices.
type FetchRequest struct {
	MaxWaitMillis  int32
	MinBytes       int32
	MaxBytes       int32
	ReadCommitted  bool
	SessionID      int32
	SessionEpoch   int32
	Topics         []Topic
	Partitions     []FetchPartition
	ForgottenCount int // partitions to forget; without sessions there is nothing to forget
}

// Decode reads a request's body. Topic names alias body afterwards.
func (r *FetchRequest) Decode(body []byte, version int16) error {
	c := cursor{b: body, flexible: version >= 12}
	*r = FetchRequest{Topics: r.Topics[:0], Partitions: r.Partitions[:0], SessionEpoch: -1}
	if version <= 14 {
		c.int32() // replica id
	}
	r.MaxWaitMillis, r.MinBytes, r.MaxBytes = c.int32(), c.int32(), math.MaxInt32
	if version >= 3 {
		r.MaxBytes = c.int32()
	}
	if version >= 4 {
		r.ReadCommitted = c.int8() == 1
	}
	if version >= 7 {
		r.SessionID, r.SessionEpoch = c.int32(), c.int32()
	}
	for n := c.array(3); n > 0 && !c.bad; n-- {
		t := r.topic(&c, version)
		for m := c.array(16); m > 0 && !c.bad; m-- {
			r.Partitions = append(r.Partitions, fetchPartition(&c, version))
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
	if version >= 7 {
		r.forgotten(&c, version)
	}
	if version >= 11 {
		c.text() // rack
	}
	c.tags()
	return c.done()
}

func (r *FetchRequest) topic(c *cursor, version int16) Topic {
	t := Topic{First: len(r.Partitions)}
	if version >= 13 {
		t.ID = c.id()
	} else {
		t.Name = c.text()
	}
	return t
}

func fetchPartition(c *cursor, version int16) FetchPartition {
	p := FetchPartition{Index: c.int32(), LeaderEpoch: -1}
	if version >= 9 {
		p.LeaderEpoch = c.int32()
	}
	p.Offset = record.Offset(c.int64())
	if version >= 12 {
		c.int32() // the epoch of the last record fetched
	}
	if version >= 5 {
		c.int64() // log start offset, of followers only
	}
	p.MaxBytes = c.int32()
	c.tags()
	return p
}

func (r *FetchRequest) forgotten(c *cursor, version int16) {
	for n := c.array(3); n > 0 && !c.bad; n-- {
		r.topic(c, version)
		m := c.array(4)
		r.ForgottenCount += m
		c.take(4 * m)
		c.tags()
	}
}

// FetchResult is the answer for one partition, in the order of the request's partitions.
type FetchResult struct {
	Error         int16
	HighWatermark record.Offset // -1 on error
	LastStable    record.Offset // -1 on error
	LogStart      record.Offset // -1 on error
	Aborted       []AbortedTxn  // for readers of committed records, who pass over its records
	Length        int           // bytes of records, which go out at this place
}

// AbortedTxn is one aborted transaction with records in an answer, ordered as Kafka does: by where it ended.
type AbortedTxn struct {
	ProducerID int64
	First      record.Offset
}

// FetchHead is a Fetch response without its records: they belong between the pieces.
type FetchHead struct {
	B        []byte
	Cuts     []int // for each partition, where in B its records go
	Throttle int32 // milliseconds that the client is told to wait
}

// AppendFetchResponse encodes the answer to r behind what head.B holds. A non-zero code refuses the whole request.
func AppendFetchResponse(head *FetchHead, r *FetchRequest, results []FetchResult, code, version int16) {
	e := encoder{head.B, version >= 12}
	head.Cuts = head.Cuts[:0]
	if version >= 1 {
		e.int32(head.Throttle)
	}
	if version >= 7 {
		e.int16(code)
		e.int32(0) // session id: this broker keeps none (KIP-227 allows it)
	}
	if code != 0 {
		e.array(0)
		e.tags()
		head.B = e.b
		return
	}
	e.array(len(r.Topics))
	for _, t := range r.Topics {
		if version >= 13 {
			e.b = append(e.b, t.ID[:]...)
		} else {
			e.text(t.Name)
		}
		e.array(t.End - t.First)
		for i := t.First; i < t.End; i++ {
			appendFetchPartition(&e, r, i, &results[i], version)
			head.Cuts = append(head.Cuts, len(e.b))
			e.tags()
		}
		e.tags()
	}
	e.tags()
	head.B = e.b
}

// appendFetchPartition encodes what stands before one partition's records, their length included.
func appendFetchPartition(e *encoder, r *FetchRequest, i int, res *FetchResult, version int16) {
	e.int32(r.Partitions[i].Index)
	e.int16(res.Error)
	e.int64(int64(res.HighWatermark))
	if version >= 4 {
		e.int64(int64(res.LastStable))
		if version >= 5 {
			e.int64(int64(res.LogStart))
		}
		appendAborted(e, r, res)
	}
	if version >= 11 {
		e.int32(-1) // preferred read replica
	}
	e.array(res.Length) // a byte field's length is written as an array's
}

func appendAborted(e *encoder, r *FetchRequest, res *FetchResult) {
	if !r.ReadCommitted {
		e.array(-1)
		return
	}
	e.array(len(res.Aborted))
	for _, a := range res.Aborted {
		e.int64(a.ProducerID)
		e.int64(int64(a.First))
		e.tags()
	}
}

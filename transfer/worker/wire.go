package worker

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/loghaul/loghaul/internal/record"
)

// Fetch (key 1) in version 11, the last one before flexible encoding; every Kafka from 2.3 to 4.x serves it. No
// session (KIP-227) is kept: every request names its partitions.
const (
	fetchKey      = 1
	fetchVersion  = 11
	readCommitted = 1
)

// ask is one partition in a request.
type ask struct {
	topic     string
	partition int32
	offset    record.Offset
	maxBytes  int32
}

// fetchLimits are the bounds of one request.
type fetchLimits struct {
	maxWaitMs int32
	minBytes  int32
	maxBytes  int32
}

// appendFetch encodes a request's body. Asks of one topic must stand together.
func appendFetch(dst []byte, l fetchLimits, asks []ask) []byte {
	be := binary.BigEndian
	dst = be.AppendUint32(dst, 0xffffffff) // replica id: a consumer
	dst = be.AppendUint32(dst, uint32(l.maxWaitMs))
	dst = be.AppendUint32(dst, uint32(l.minBytes))
	dst = be.AppendUint32(dst, uint32(l.maxBytes))
	dst = append(dst, readCommitted)
	dst = be.AppendUint32(dst, 0)          // session id
	dst = be.AppendUint32(dst, 0xffffffff) // session epoch: none
	topics := len(dst)
	dst = be.AppendUint32(dst, 0)
	for i, count := 0, uint32(0); i < len(asks); {
		n := i
		for n < len(asks) && asks[n].topic == asks[i].topic {
			n++
		}
		dst = be.AppendUint16(dst, uint16(len(asks[i].topic)))
		dst = append(dst, asks[i].topic...)
		dst = be.AppendUint32(dst, uint32(n-i))
		for ; i < n; i++ {
			dst = be.AppendUint32(dst, uint32(asks[i].partition))
			dst = be.AppendUint32(dst, 0xffffffff) // current leader epoch: not checked
			dst = be.AppendUint64(dst, uint64(asks[i].offset))
			dst = be.AppendUint64(dst, 0xffffffffffffffff) // log start offset: followers only
			dst = be.AppendUint32(dst, uint32(asks[i].maxBytes))
		}
		count++
		be.PutUint32(dst[topics:], count)
	}
	dst = be.AppendUint32(dst, 0)  // forgotten topics
	return be.AppendUint16(dst, 0) // rack
}

// answer is one partition in a response.
type answer struct {
	topic     string
	partition int32
	code      int16
	high      record.Offset // high watermark
	start     record.Offset // log start
	aborted   []aborted
	records   []byte // aliases the response
}

// aborted is a transaction whose records must not be seen: those of the producer from first up to its abort marker.
type aborted struct {
	producer int64
	first    record.Offset
}

var errAnswer = errors.New("the broker's answer to Fetch cannot be read")

// parseFetch decodes a response's body and calls f with each partition in it.
func parseFetch(b []byte, f func(answer)) (code int16, err error) {
	c := reader{b: b}
	c.i32() // throttle time: the broker delays by itself
	code = c.i16()
	c.i32() // session
	for topics := c.count(2 + 4); topics > 0; topics-- {
		topic := string(c.take(int(c.i16())))
		for parts := c.count(4 + 2 + 8*3 + 4 + 4 + 4); parts > 0; parts-- {
			a := answer{topic: topic, partition: c.i32(), code: c.i16(), high: record.Offset(c.i64())}
			c.i64() // last stable offset
			a.start = record.Offset(c.i64())
			for n := c.count(8 + 8); n > 0; n-- {
				a.aborted = append(a.aborted, aborted{c.i64(), record.Offset(c.i64())})
			}
			c.i32() // preferred read replica: none without a rack
			if n := c.i32(); n > 0 {
				a.records = c.take(int(n))
			}
			if c.bad {
				return code, fmt.Errorf("%w: it ends inside %s", errAnswer, topic)
			}
			f(a)
		}
	}
	if c.bad {
		return code, fmt.Errorf("%w: it is cut short", errAnswer)
	}
	return code, nil
}

// reader walks the fields of a response; after the first one that is not there all are zero.
type reader struct {
	b   []byte
	bad bool
}

func (c *reader) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.b, c.bad = nil, true
		return nil
	}
	v := c.b[:n]
	c.b = c.b[n:]
	return v
}

func (c *reader) i16() int16 {
	if v := c.take(2); v != nil {
		return int16(binary.BigEndian.Uint16(v))
	}
	return 0
}

func (c *reader) i32() int32 {
	if v := c.take(4); v != nil {
		return int32(binary.BigEndian.Uint32(v))
	}
	return 0
}

func (c *reader) i64() int64 {
	if v := c.take(8); v != nil {
		return int64(binary.BigEndian.Uint64(v))
	}
	return 0
}

// count is an array's length; null and negative are 0, and more elements than the rest could hold is bad.
func (c *reader) count(least int) int {
	n := int(c.i32())
	if n <= 0 {
		return 0
	}
	if n > len(c.b)/least {
		c.b, c.bad = nil, true
		return 0
	}
	return n
}

package produce

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/internal/record"
)

// Produce v7 (KIP-110), which every Kafka from 2.1 to 4.x serves, or v8 (KIP-467), whose
// request is the same; acks -1 means all.
const (
	keyProduce   = 0
	keyEpochs    = 23 // OffsetForLeaderEpoch
	keyDescribe  = 61 // DescribeProducers
	produceLeast = 7
	produceMost  = 8
	acksAll      = -1
)

// brokerTimeout is how long a broker may wait for its replicas.
const brokerTimeout = 30 * time.Second

// request is one Produce request on its way: at most one batch a partition.
type request struct {
	sends []send
	meta  []byte // what stands between the batches; kept from request to request
}

// send is one batch of a request and whom it belongs to.
type send struct {
	p     *Partition
	f     *flight
	bytes []byte
}

// body is the request behind its header: pieces of meta with the batches' own bytes
// between them. It aliases both until the connection has written it.
//
//	| transactional id 2, null | acks 2 | timeout 4 | topics 4 |
//	  topic: | name 2+n | partitions 4 | partition: | number 4 | length 4 | batch |
func (r *request) body() net.Buffers {
	slices.SortStableFunc(r.sends, func(a, b send) int { return strings.Compare(a.p.at.Topic, b.p.at.Topic) })
	be := binary.BigEndian
	b := be.AppendUint16(r.meta[:0], 0xffff)
	b = be.AppendUint16(b, uint16(acksAll&0xffff))
	b = be.AppendUint32(b, uint32(brokerTimeout.Milliseconds()))
	b = be.AppendUint32(b, uint32(r.topics()))
	cuts := make([]int, 0, len(r.sends))
	for i, s := range r.sends {
		if i == 0 || r.sends[i-1].p.at.Topic != s.p.at.Topic {
			b = be.AppendUint16(b, uint16(len(s.p.at.Topic)))
			b = append(b, s.p.at.Topic...)
			b = be.AppendUint32(b, uint32(r.ofTopic(i)))
		}
		b = be.AppendUint32(b, uint32(s.p.at.Number))
		b = be.AppendUint32(b, uint32(len(s.bytes)))
		cuts = append(cuts, len(b))
	}
	r.meta = b
	out, from := make(net.Buffers, 0, 2*len(cuts)), 0
	for i, cut := range cuts {
		out = append(out, b[from:cut], r.sends[i].bytes)
		from = cut
	}
	return out
}

// topics counts the topics of a sorted request.
func (r *request) topics() (n int) {
	for i, s := range r.sends {
		if i == 0 || r.sends[i-1].p.at.Topic != s.p.at.Topic {
			n++
		}
	}
	return n
}

// ofTopic counts the batches from i on that share its topic.
func (r *request) ofTopic(i int) int {
	n := i
	for n < len(r.sends) && r.sends[n].p.at.Topic == r.sends[i].p.at.Topic {
		n++
	}
	return n - i
}

// answer is what a broker says about one batch.
type answer struct {
	code  int16
	base  record.Offset
	words string // the broker's, of a refusal; from v8 on
}

var errAnswer = errors.New("malformed answer to Produce")

// parseAnswers reads a Produce v7 or v8 response.
//
//	| topics 4 | name 2+n | partitions 4 | number 4 | error 2 | base offset 8 |
//	| append time 8 | log start 8 | (v8: records 4 | (index 4 | words 2+n)* |
//	  words 2+n) | ... | throttle 4 |                      words may be null (-1)
func parseAnswers(b []byte, version int16) (map[journal.Partition]answer, error) {
	c := cursor{b: b}
	out := map[journal.Partition]answer{}
	for topics := c.int32(); topics > 0 && !c.bad; topics-- {
		name := string(c.take(int(c.int16())))
		for parts := c.int32(); parts > 0 && !c.bad; parts-- {
			at := journal.Partition{Topic: name, Number: c.int32()}
			a := answer{code: c.int16(), base: record.Offset(c.int64())}
			c.take(16)
			if version >= 8 {
				a.words = c.words()
			}
			out[at] = a
		}
	}
	c.take(4)
	if c.bad || len(c.b) != 0 {
		return nil, fmt.Errorf("%w of %d bytes", errAnswer, len(b))
	}
	return out, nil
}

// words are what a broker says about one partition: of the first record it complains
// about, and of the whole.
func (c *cursor) words() string {
	var first string
	for n := c.int32(); n > 0 && !c.bad; n-- {
		c.int32()
		if s := c.nullable(); first == "" {
			first = s
		}
	}
	whole := c.nullable()
	if whole == "" || whole == first {
		return first
	}
	if first == "" {
		return whole
	}
	return whole + ": " + first
}

// nullable is a string that may be null, which is empty here.
func (c *cursor) nullable() string {
	n := c.int16()
	if n < 0 {
		return ""
	}
	return string(c.take(int(n)))
}

// cursor walks big-endian fields; after the first bad one all are zero.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.bad, c.b = true, nil
		return nil
	}
	v := c.b[:n]
	c.b = c.b[n:]
	return v
}

func (c *cursor) int16() int16 {
	if v := c.take(2); v != nil {
		return int16(binary.BigEndian.Uint16(v))
	}
	return 0
}

func (c *cursor) int32() int32 {
	if v := c.take(4); v != nil {
		return int32(binary.BigEndian.Uint32(v))
	}
	return 0
}

func (c *cursor) int64() int64 {
	if v := c.take(8); v != nil {
		return int64(binary.BigEndian.Uint64(v))
	}
	return 0
}

package handle

import (
	"errors"
	"math"
	"time"

	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/broker/wire"
	"github.com/loghaul/loghaul/internal/record"
)

// rules are what a topic asks of every record.
type rules struct {
	keyed            bool  // cleanup.policy=compact: a record without a key would never go
	timed            bool  // message.timestamp.type=CreateTime: a record's time is the producer's
	earliest, latest int64 // times that it may have then
}

// rulesOf is what a topic asks of records that come now.
func rulesOf(e *topics.Effective) rules {
	r := rules{keyed: e.Compact, timed: !e.AppendTime, earliest: math.MinInt64, latest: math.MaxInt64}
	if e.TimestampBefore < 0 && e.TimestampAfter < 0 {
		return r
	}
	now := time.Now().UnixMilli()
	if e.TimestampBefore >= 0 {
		r.earliest = now - e.TimestampBefore.Milliseconds()
	}
	if e.TimestampAfter >= 0 {
		r.latest = now + e.TimestampAfter.Milliseconds()
	}
	return r
}

// holds says whether every record of a batch keeps the rules.
func (r *rules) holds(h record.Header, s record.Summary) bool {
	switch {
	case r.keyed && s.Keyless > 0:
		return false
	case h.LogAppendTime():
		return r.timed && h.MaxTimestamp != -1 && h.MaxTimestamp >= r.earliest && h.MaxTimestamp <= r.latest
	case !r.timed || s.Earliest == -1:
		return true
	}
	return s.Earliest >= r.earliest && s.Latest <= r.latest
}

// faults gathers what is wrong with the records of one batch.
type faults struct {
	rules
	records []wire.RecordError
	count   int
	time    bool // one of them has a wrong time
}

// mostFaults bounds how many records of a batch, and of all batches together, an answer names.
const mostFaults = 1000

// see looks at one record. appendTime says that it claims to have its time from a broker.
func (f *faults) see(number int, ms int64, keyed, appendTime bool) {
	message := ""
	switch {
	case f.keyed && !keyed:
		message = "a compacted topic takes no record without a key"
	case f.timed && ms != -1 && (ms < f.earliest || ms > f.latest):
		message = "the time of the record is outside of what message.timestamp.before.max.ms and message.timestamp.after.max.ms allow"
		f.time = true
	case (!f.timed || ms == -1) && appendTime:
		message = "a producer must not mark a record as timed by the broker"
		f.time = true
	default:
		return
	}
	if f.count++; f.count <= mostFaults {
		f.records = append(f.records, wire.RecordError{Index: int32(number), Message: message})
	}
}

// err is the answer, nil when there is nothing wrong. A wrong time wins, as in Kafka.
func (f *faults) err() error {
	switch {
	case f.count == 0:
		return nil
	case f.time:
		return &codedError{code: errInvalidTimestamp, message: "records have an invalid time", records: f.records}
	}
	return &codedError{code: errInvalidRecord, message: "a compacted topic takes no records without a key", records: f.records}
}

// checkRecords counts the records of a batch and holds each one's fields against its size, as Kafka does: a batch that
// lies would stop its consumers, long after its producer has gone. It also holds them against the topic's rules.
func (t *tool) checkRecords(batch []byte, h record.Header, r rules) (record.Summary, error) {
	s, err := t.Check(batch, t.bound(len(batch)))
	if err != nil {
		return s, unpackError(t.note(err))
	}
	if r.holds(h, s) {
		return s, nil
	}
	f, n := faults{rules: r}, 0
	err = t.Read(batch, t.bound(len(batch)), func(rec *record.Record) error {
		f.see(n, rec.Timestamp, rec.Key != nil, h.LogAppendTime())
		n++
		return nil
	})
	if err != nil {
		return s, unpackError(err)
	}
	return s, f.err()
}

// unpackError is Kafka's code for records that cannot be taken apart.
func unpackError(err error) error {
	switch {
	case errors.Is(err, record.ErrTooLarge):
		return coded(errMessageTooLarge, "%v", err)
	case errors.Is(err, record.ErrCorrupt):
		return coded(errCorruptMessage, "%v", err)
	case errors.Is(err, record.ErrCodec):
		return coded(errUnsupportedCompressionType, "%v", err)
	}
	return coded(errInvalidRecord, "%v", err)
}

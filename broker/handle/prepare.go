package handle

import (
	"time"

	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/internal/record"
)

// prepared is one partition's records as its log takes them.
type prepared struct {
	batch  []byte // nil: there is nothing to append
	header record.Header
	tool   *tool // in whose buffer the batch lies; nil: it lies in the request
}

// release gives the buffer back; the batch is in the log then.
func (p *prepared) release() {
	if p.tool != nil {
		p.tool.giveBack()
		p.tool = nil
	}
}

// prepare checks the records of one partition and brings them into the form that the topic wants: one batch of format 2,
// in the topic's codec, timed by the broker if it says so. As a rule that is the batch as it came.
func prepare(records []byte, version int16, e *topics.Effective) (p prepared, err error) {
	if version < 3 {
		if record.MessageMagic(records) != 2 {
			return upgrade(records, e)
		}
		if len(records) < record.HeaderSize || cut(records) {
			return p, nil // Kafka takes a set that ends within its first batch for an empty one
		}
	}
	if p.header, err = checkBatch(records, version, e.MaxMessage); err != nil {
		return p, err
	}
	t := borrow()
	if err = p.shape(t, records, e); t.tooSmall() {
		t.giveBack()
		t, p.tool = borrowLarge(), nil
		err = p.shape(t, records, e)
	}
	if p.tool == nil {
		t.giveBack() // before the disk is waited for
	}
	return p, err
}

// shape checks the records of one batch and brings them into the topic's codec; in the tool's buffer, if that is another.
func (p *prepared) shape(t *tool, records []byte, e *topics.Effective) error {
	s, err := t.checkRecords(records, p.header, rulesOf(e))
	p.batch = records
	if err == nil && e.Recompress && e.Compression != p.header.Codec() {
		p.tool = t
		p.batch, err = t.Repack(t.out[:0], records, e.Compression, e.Level, t.bound(len(records)))
		t.out = p.batch
		if err = t.note(err); err == nil && len(p.batch) > e.MaxMessage {
			err = coded(errMessageTooLarge, "the record batch has %d bytes with compression.type=%s, max.message.bytes is %d", len(p.batch), e.Compression, e.MaxMessage)
		}
	}
	if err == nil {
		p.setTime(e, s)
	}
	return err
}

// cut says whether a batch of format 2 is longer than what there is of it.
func cut(batch []byte) bool {
	h, err := record.ParseHeader(batch)
	return err == nil && h.Size() > len(batch)
}

// setTime writes the broker's time into the batch where the topic says so. Else a wrong latest time in the header is put
// right, as Kafka does: old clients leave it out, and questions for an offset by its time pass over such batches.
func (p *prepared) setTime(e *topics.Effective, s record.Summary) {
	switch {
	case e.AppendTime:
		record.SetAppendTime(p.batch, time.Now().UnixMilli())
	case p.header.LogAppendTime():
		record.SetCreateTime(p.batch, s.Latest)
	case s.Latest != p.header.MaxTimestamp:
		record.SetMaxTime(p.batch, s.Latest)
	}
}

// upgrade is prepare for a message set of formats 0 and 1, which Produce up to version 2 brings: it becomes one batch, of
// the set's codec if the topic does not say otherwise.
func upgrade(set []byte, e *topics.Effective) (p prepared, err error) {
	if set == nil {
		return p, early(errInvalidRecord, "no message set")
	}
	if err = p.upgrade(borrow(), set, e); p.tool.tooSmall() {
		p.release()
		p = prepared{}
		err = p.upgrade(borrowLarge(), set, e)
	}
	return p, err
}

func (p *prepared) upgrade(t *tool, set []byte, e *topics.Effective) error {
	p.tool = t
	f := faults{rules: rulesOf(e)}
	u := record.Upgrade{Largest: e.MaxMessage, Limit: t.bound(len(set)), Codec: -1, Each: f.see}
	if e.Recompress {
		u.Codec, u.Level = e.Compression, e.Level
	}
	out, n, err := t.Upgrade(t.out[:0], set, u)
	if t.out = out; err != nil {
		return unpackError(t.note(err))
	}
	if n == 0 {
		return nil
	}
	if err := f.err(); err != nil {
		return err
	}
	if len(out) > e.MaxMessage {
		return coded(errMessageTooLarge, "the messages become a record batch of %d bytes, max.message.bytes is %d", len(out), e.MaxMessage)
	}
	if p.header, err = record.ParseHeader(out); err != nil {
		return err
	}
	p.batch = out
	if e.AppendTime {
		record.SetAppendTime(p.batch, time.Now().UnixMilli())
	}
	return nil
}

package handle

import (
	"errors"
	"time"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/broker/wire"
	"github.com/loghaul/loghaul/internal/record"
)

// read reads one partition: at most what it and the whole answer may have, but the answer's first batch always.
func (f *fetchReply) read(topic *topics.Topic, i, left int) (wire.FetchResult, *commitlog.Span) {
	p, log := &f.req.Partitions[i], f.logs[i]
	if code := f.refuse(topic, log, p); code != errNone {
		return fetchError(code), nil
	}
	m := log.Marks()
	res := marked(m)
	end := m.High
	if f.req.ReadCommitted {
		end = m.Stable
	}
	if p.Offset == end && m.Err == nil {
		return res, nil // the common case of a consumer that waits
	}
	most := min(int(p.MaxBytes), left)
	if f.bytes > 0 && most <= 0 {
		f.urgent = true
		return res, nil
	}
	span, err := f.span(log, p.Offset, max(most, 0))
	if err != nil {
		return fetchError(f.readError(topic, p, err)), nil
	}
	// Whole batches seldom fill a partition's share: who wants as many bytes as that would wait in vain for the rest.
	crowded := span.Length > most && f.bytes > 0
	f.urgent = f.urgent || span.More || crowded
	if crowded {
		span.Release()
		return res, nil
	}
	// The marks may have risen since; an answer must not hold records behind its own.
	m = log.Marks()
	res = marked(m)
	if f.req.ReadCommitted && span.Length > 0 {
		if res.Aborted, err = aborted(log, p.Offset, span, m.Stable); err != nil {
			span.Release()
			return fetchError(f.readError(topic, p, err)), nil
		}
	}
	return res, span
}

// refuse says why a partition is not read, or none.
func (f *fetchReply) refuse(topic *topics.Topic, log *commitlog.Log, p *wire.FetchPartition) int16 {
	switch {
	case topic == nil && f.header.Version >= 13:
		return errUnknownTopicID
	case log == nil:
		return errUnknownTopicOrPartition
	}
	if f.header.Version < 10 {
		switch e := topic.Effective(); {
		case e.Recompress && e.Compression == record.Zstd:
			return errUnsupportedCompressionType // as Kafka 3 says it; what producers of zstd wrote elsewhere is not looked into
		case f.header.Version < firstUnconverted && !e.DownConvert:
			return errUnsupportedVersion
		}
	}
	return checkEpoch(log, p.LeaderEpoch)
}

// marked is an answer without records.
func marked(m commitlog.Marks) wire.FetchResult {
	return wire.FetchResult{HighWatermark: m.High, LastStable: m.Stable, LogStart: m.Start}
}

// span reads batches of a partition.
func (f *fetchReply) span(log *commitlog.Log, from record.Offset, most int) (*commitlog.Span, error) {
	switch {
	case f.header.Version < firstUnconverted:
		return dataSpan(log, from, most)
	case f.req.ReadCommitted:
		return log.ReadCommitted(from, most)
	}
	return log.Read(from, most)
}

// aborted lists the aborted transactions that have records in a span.
func aborted(log *commitlog.Log, from record.Offset, span *commitlog.Span, stable record.Offset) ([]wire.AbortedTxn, error) {
	to := stable
	if span.More {
		if h, err := headerAt(span, span.Length); err == nil {
			to = min(to, h.BaseOffset)
		}
	}
	txns, err := log.Aborted(min(from, span.Base), to)
	if err == nil && log.Start() > from {
		// Deleted while it was read, and with it perhaps what says that it was aborted.
		err = commitlog.ErrOffsetOutOfRange
	}
	if err != nil || len(txns) == 0 {
		return nil, err
	}
	list := make([]wire.AbortedTxn, len(txns))
	for i, t := range txns {
		list[i] = wire.AbortedTxn{ProducerID: t.ProducerID, First: t.First}
	}
	return list, nil
}

// headerAt reads the header of the batch that begins so many bytes into a span, or right behind it.
func headerAt(span *commitlog.Span, at int) (record.Header, error) {
	var b [record.HeaderSize]byte
	if _, err := span.File.ReadAt(b[:], span.Position+int64(at)); err != nil {
		return record.Header{}, err
	}
	return record.ParseHeader(b[:])
}

// readError is Kafka's code for a failed read; damage and a broken disk are told to the operator too. Who comes to damage
// is answered late.
func (f *fetchReply) readError(topic *topics.Topic, p *wire.FetchPartition, err error) int16 {
	switch {
	case errors.Is(err, commitlog.ErrOffsetOutOfRange):
		return errOffsetOutOfRange
	case errors.Is(err, commitlog.ErrClosed):
		return errUnknownTopicOrPartition
	case isDamage(err):
		f.h.sayDamage(f.peer, topic.Name, p.Index, sought{"offset", int64(p.Offset)}, err)
		if late := time.Now().Add(damagePatience); f.until.After(late) {
			f.until = late
		}
		return errCorruptMessage
	}
	f.h.log.Error("reading for a Fetch request", f.peer.Who(), "topic", topic.Name, "partition", p.Index, "offset", int64(p.Offset), "error", err)
	return errStorage
}

func fetchError(code int16) wire.FetchResult {
	return wire.FetchResult{Error: code, HighWatermark: -1, LastStable: -1, LogStart: -1}
}

// checkEpoch compares the leader epoch that a client knows (-1: none) with the log's (KIP-320).
func checkEpoch(log *commitlog.Log, epoch int32) int16 {
	switch {
	case epoch < 0 || epoch == log.LeaderEpoch():
		return errNone
	case epoch < log.LeaderEpoch():
		return errFencedLeaderEpoch
	}
	return errUnknownLeaderEpoch
}

package commitlog

import (
	"context"
	"errors"
	"sort"

	"github.com/loghaul/loghaul/internal/record"
)

// sweep is one compaction: first it learns the latest offset of each key in the
// dirty part, then it writes the segments anew, one group after the other.
type sweep struct {
	log   *Log
	ctx   context.Context // of Compact, which a sweep does not outlive
	cfg   Config
	now   int64 // wall clock, ms
	stats *CompactStats
	pace  pace
	sieve record.Sieve
	in    []byte // one batch

	whole bool // a batch was too large to look into, and stays; so do deletions from then on
	keys  *keyMap
	upTo  record.Offset // the keys of all records below it are in the map
	txns  sweptTxns
	last  map[int64]lastBatch // of each producer that the log remembers
}

// lastBatch is where a producer's last sequence lies.
type lastBatch struct {
	epoch int16
	last  record.Offset // of its last batch in that epoch; -1: it has no sequence
}

// run compacts sources, which are dirty from an offset on.
func (s *sweep) run(sources []source, dirty record.Offset) error {
	s.txns.seen = map[int64]bool{}
	if err := s.learn(sources, dirty, sources[len(sources)-1].next); err != nil {
		return err
	}
	s.last = s.log.lastBatches()
	for len(sources) > 0 && sources[0].base < s.upTo {
		group := s.group(sources)
		sources = sources[len(group):]
		if err := s.rewrite(group); err != nil {
			return err
		}
	}
	s.stats.To = s.upTo
	return s.log.noteCompacted(s.upTo)
}

// group is the first sources that fit together into one segment.
func (s *sweep) group(sources []source) []source {
	n, size := 1, sources[0].size
	for n < len(sources) && sources[n].base < s.upTo {
		size += sources[n].size
		if size > s.cfg.SegmentBytes || sources[n].next-sources[0].base > 1<<31-1 {
			break
		}
		n++
	}
	return sources[:n]
}

// learn fills the key map from the records between dirty and end, batch after batch,
// until it is full, if need be in the middle of one.
func (s *sweep) learn(sources []source, dirty, end record.Offset) error {
	records, err := s.count(sources, dirty)
	if err != nil {
		return err
	}
	s.keys, s.upTo = newKeyMap(records, s.cfg.CompactionBytes), end
	for _, src := range sources {
		if src.next <= dirty {
			continue
		}
		err := s.each(src, func(h record.Header, batch []byte) error { return s.learnBatch(h, batch, dirty) })
		if err == errFull {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// errFull ends the learning of keys.
var errFull = errors.New("key map is full")

// learnBatch puts the keys of one batch into the map.
func (s *sweep) learnBatch(h record.Header, batch []byte, dirty record.Offset) error {
	if h.NextOffset() <= dirty || h.Control() || s.txns.aborts(h) {
		return nil
	}
	full := false
	_, _, err := s.sieve.Sift(nil, batch, max(mostUnpacked, len(batch)), 0, false, func(r *record.Record) bool {
		if !full && r.Key != nil && r.Offset >= dirty && !s.keys.put(r.Key, int64(r.Offset)) {
			full, s.upTo = true, r.Offset
		}
		return false
	})
	switch {
	case errors.Is(err, record.ErrTooLarge):
		return nil // it stays as it is, and what its keys had before stays too
	case err == nil && full:
		return errFull
	}
	return err
}

// count is how many records lie in the dirty part, which bounds its keys.
func (s *sweep) count(sources []source, dirty record.Offset) (int, error) {
	records := 0
	for _, src := range sources {
		if src.next <= dirty {
			continue
		}
		err := src.walk(0, src.size, func(_ *handle, _ int64, h record.Header) error {
			records += max(int(h.Count), 0)
			s.pace.worked(s.ctx, record.HeaderSize)
			return s.log.ended(s.ctx)
		})
		if err != nil {
			return 0, err
		}
	}
	return records, nil
}

// each calls f with every batch of a segment, whole and with a sound checksum; the
// bytes are valid until it is called again. Of the aborted transactions those are in
// memory that have records in the segment.
func (s *sweep) each(src source, f func(h record.Header, batch []byte) error) error {
	aborted, err := s.log.abortedEntries(src.base, src.next)
	if err != nil {
		return err
	}
	s.txns.load(aborted)
	return src.walk(0, src.size, func(file *handle, pos int64, h record.Header) error {
		if err := s.log.ended(s.ctx); err != nil {
			return err
		}
		if cap(s.in) < h.Size() {
			s.in = make([]byte, h.Size())
		}
		b := s.in[:h.Size()]
		if _, err := file.ReadAt(b, pos); err != nil {
			return &StorageError{Op: "reading", Path: src.path(logSuffix), Position: pos, Err: err}
		}
		if !record.CheckCRC(b) {
			return damaged("bad CRC")
		}
		s.pace.worked(s.ctx, len(b))
		return f(h, b)
	})
}

// sift appends to out what stays of one batch, and says whether anything changed.
func (s *sweep) sift(out []byte, h record.Header, batch []byte) ([]byte, bool, error) {
	s.stats.Records += int(h.Count)
	at, marked := h.DeleteHorizon()
	keep, mark := s.keeps(h, marked && at <= s.now && !s.whole)
	horizon := s.now + s.cfg.DeleteRetention.Milliseconds()
	if h.LastOffset() >= s.upTo {
		horizon = record.NoHorizon // older values of these keys are there still
	}
	next, found, err := s.sieve.Sift(out, batch, max(mostUnpacked, len(batch)), horizon, mark, keep)
	switch {
	case errors.Is(err, record.ErrTooLarge):
		s.whole = true
		s.stats.Kept += int(h.Count)
		return append(out, batch...), false, nil
	case err != nil:
		return out, false, err
	case found.Kept > 0:
		s.stats.Kept += found.Kept
		return next, found.Changed, nil
	case s.isLast(h):
		next, err = record.AppendEmpty(out, batch)
		return next, h.Count > 0, err
	}
	return out, true, nil
}

// keeps is which records of a batch stay, and whether the batch is to be marked with
// a delete horizon whatever they are; over: it has one, which has passed.
func (s *sweep) keeps(h record.Header, over bool) (keep func(*record.Record) bool, mark bool) {
	switch {
	case h.Control():
		alone := !s.txns.left(h)
		return func(*record.Record) bool { return !alone || !over }, alone
	case s.txns.aborts(h):
		return func(*record.Record) bool { return false }, false
	}
	return func(r *record.Record) bool {
		if r.Offset >= s.upTo {
			return true
		}
		return r.Key != nil && int64(r.Offset) >= s.keys.latest(r.Key) && (r.Value != nil || !over)
	}, false
}

// isLast says whether the batch holds its producer's last sequence, or, if it has
// none, its epoch.
func (s *sweep) isLast(h record.Header) bool {
	last, known := s.last[h.ProducerID]
	switch {
	case h.ProducerID < 0 || !known:
		return false
	case last.last >= 0:
		return last.last == h.LastOffset()
	}
	return h.Control() && h.ProducerEpoch == last.epoch
}

// lastBatches is where the producers' last sequences lie now.
func (l *Log) lastBatches() map[int64]lastBatch {
	l.appending.Lock()
	defer l.appending.Unlock()
	out := make(map[int64]lastBatch, len(l.appending.producers.byID))
	for id, p := range l.appending.producers.byID {
		b := lastBatch{epoch: p.epoch, last: -1}
		if p.n > 0 {
			s := p.batches[p.n-1]
			b.last = s.base + record.Offset(uint32(s.last-s.first)&0x7fffffff)
		}
		out[id] = b
	}
	return out
}

// sweptTxns follows the transactions through one walk over the log.
type sweptTxns struct {
	aborted map[int64][]abortedEntry // of one segment, by producer, ascending
	seen    map[int64]bool           // producers with a batch of a transaction that has not ended yet
}

// load takes over the aborted transactions of the next segment.
func (t *sweptTxns) load(aborted []abortedEntry) {
	t.aborted = map[int64][]abortedEntry{}
	for _, a := range aborted {
		t.aborted[a.ProducerID] = append(t.aborted[a.ProducerID], a)
	}
}

// aborts says whether the batch belongs to an aborted transaction.
func (t *sweptTxns) aborts(h record.Header) bool {
	if !h.Transactional() || h.Control() {
		return false
	}
	e := t.entry(h)
	return e != nil && e.First <= h.BaseOffset
}

// entry is the first aborted transaction of the batch's producer that ends behind
// the batch or with it.
func (t *sweptTxns) entry(h record.Header) *abortedEntry {
	all := t.aborted[h.ProducerID]
	i := sort.Search(len(all), func(i int) bool { return all[i].Last >= h.LastOffset() })
	if i == len(all) {
		return nil
	}
	return &all[i]
}

// began remembers that a transaction has a batch left.
func (t *sweptTxns) began(h record.Header) {
	if h.Transactional() && !h.Control() {
		t.seen[h.ProducerID] = true
	}
}

// left says whether there was any batch left of the transaction that the marker
// ends, when this walk came by.
func (t *sweptTxns) left(h record.Header) bool { return t.seen[h.ProducerID] }

// ended forgets the transaction that the marker ends.
func (t *sweptTxns) ended(h record.Header) { delete(t.seen, h.ProducerID) }

// mostUnpacked bounds what a compaction decompresses of one batch, beside which it
// holds what stays of that once more. A producer's batch may not hold more.
const mostUnpacked = 64 << 20

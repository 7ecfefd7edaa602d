package commitlog

import (
	"cmp"
	"slices"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// noTxn stands for "no transaction" where the first offset of one is wanted.
const noTxn record.Offset = -1

// OpenTxn is a transaction of one producer in this log that no marker has ended.
type OpenTxn struct {
	ProducerID int64
	Epoch      int16         // of the producer's last batch
	First      record.Offset // its first record
	Since      time.Time     // wall clock of that append
}

// txns is what holds the last stable offset back; guarded by Log.mu. The open ones
// ascend by first offset, because each begins at the log's end.
type txns struct {
	open     []txnRange
	settling []txnRange    // ended by a marker that is not durable yet
	unstable record.Offset // least first offset of both, noTxn: none
}

// txnRange is one transaction's first record and its marker.
type txnRange struct {
	producer    int64
	first, last record.Offset
}

// begin adds a transaction that begins at first.
func (t *txns) begin(producer int64, first record.Offset) {
	t.open = append(t.open, txnRange{producer: producer, first: first})
	t.settle(0)
}

// end moves the producer's open transaction to those that wait for their marker,
// which lies at last, to be durable.
func (t *txns) end(producer int64, last record.Offset) {
	i := slices.IndexFunc(t.open, func(r txnRange) bool { return r.producer == producer })
	if i < 0 {
		return
	}
	r := t.open[i]
	r.last = last
	t.open = slices.Delete(t.open, i, i+1)
	t.settling = append(t.settling, r)
}

// settle lets go of what has its marker below high.
func (t *txns) settle(high record.Offset) {
	t.settling = slices.DeleteFunc(t.settling, func(r txnRange) bool { return r.last < high })
	t.unstable = noTxn
	if len(t.open) > 0 {
		t.unstable = t.open[0].first
	}
	for _, r := range t.settling {
		if t.unstable < 0 || r.first < t.unstable {
			t.unstable = r.first
		}
	}
}

// firstBut is the first offset of the oldest open transaction of any other
// producer; noTxn: there is none.
func (t *txns) firstBut(producer int64) record.Offset {
	for _, r := range t.open {
		if r.producer != producer {
			return r.first
		}
	}
	return noTxn
}

// LastStable is the offset below which every transaction has ended durably: what a
// read_committed consumer may see. It is the first offset of the oldest open
// transaction, or the high watermark.
func (l *Log) LastStable() record.Offset {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.stableLocked()
}

// stableLocked is LastStable for who holds mu.
func (l *Log) stableLocked() record.Offset {
	stable := l.mu.high
	if u := l.mu.txns.unstable; u >= 0 && u < stable {
		stable = u
	}
	return max(stable, l.mu.start) // what was begun before the start is gone
}

// OpenTxns lists the transactions that no marker has ended, oldest first.
func (l *Log) OpenTxns() []OpenTxn {
	l.appending.Lock()
	defer l.appending.Unlock()
	var out []OpenTxn
	for id, p := range l.appending.producers.byID {
		if p.txnStart >= 0 {
			out = append(out, OpenTxn{ProducerID: id, Epoch: p.epoch, First: p.txnStart, Since: time.UnixMilli(p.txnSince)})
		}
	}
	slices.SortFunc(out, func(a, b OpenTxn) int { return cmp.Compare(a.First, b.First) })
	return out
}

// noteAborted puts the transaction that the marker h ends into the index of the
// segment it lies in. The caller holds appending; begin and end run under it too.
func (l *Log) noteAborted(s *segment, h record.Header, first record.Offset) {
	e := abortedEntry{AbortedTxn{h.ProducerID, first, h.LastOffset()}, h.NextOffset()}
	if other := l.mu.txns.firstBut(h.ProducerID); other >= 0 {
		e.stable = other
	}
	s.aborted.keep(e.bytes())
}

// loadTxns takes the open transactions from the producers' snapshot.
func (l *Log) loadTxns() {
	l.mu.txns = txns{unstable: noTxn}
	for id, p := range l.appending.producers.byID {
		if p.txnStart >= 0 {
			l.mu.txns.open = append(l.mu.txns.open, txnRange{producer: id, first: p.txnStart})
		}
	}
	slices.SortFunc(l.mu.txns.open, func(a, b txnRange) int { return cmp.Compare(a.first, b.first) })
}

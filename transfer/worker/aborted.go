package worker

import (
	"encoding/binary"

	"github.com/loghaul/loghaul/internal/record"
)

// abortedSet follows the transactions of one chunk (KIP-98, read committed).
type abortedSet struct {
	list []aborted // as the broker gave it, by first offset
	now  map[int64]bool
}

// has says whether a batch's records were aborted.
func (s *abortedSet) has(h record.Header) bool {
	if !h.Transactional() {
		return false
	}
	for i := range s.list {
		if a := s.list[i]; a.producer == h.ProducerID && a.first <= h.LastOffset() {
			if s.now == nil {
				s.now = map[int64]bool{}
			}
			s.now[a.producer] = true
			s.list[i].producer = -1 // begun
		}
	}
	return s.now[h.ProducerID]
}

// marker ends a transaction: an abort marker is a record whose key is version and type 0.
func (s *abortedSet) marker(h record.Header, batch []byte) {
	var r record.Reader
	_ = r.Read(batch, len(batch), func(rec *record.Record) error { // markers are never compressed; a bad one ends nothing
		if len(rec.Key) >= 4 && binary.BigEndian.Uint16(rec.Key[2:]) == 0 {
			delete(s.now, h.ProducerID)
		}
		return nil
	})
}

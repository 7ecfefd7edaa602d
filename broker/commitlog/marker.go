package commitlog

import (
	"encoding/binary"
	"fmt"

	"github.com/loghaul/loghaul/internal/record"
)

// Marker ends one producer's transaction in this log.
type Marker struct {
	ProducerID       int64
	Epoch            int16
	Commit           bool  // else abort
	CoordinatorEpoch int32 // of the coordinator that decided
}

// A marker is a control batch of one record, in Kafka's form:
//
//	key   | version 2 | type 2: 0 abort, 1 commit |
//	value | version 2 | coordinator epoch 4 |
const (
	markerAbort  = 0
	markerCommit = 1
)

// encode is the control batch, timed at ms.
func (m Marker) encode(ms int64) ([]byte, error) {
	be := binary.BigEndian
	key := be.AppendUint16(make([]byte, 2, 4), markerAbort)
	if m.Commit {
		be.PutUint16(key[2:], markerCommit)
	}
	value := be.AppendUint32(make([]byte, 2, 6), uint32(m.CoordinatorEpoch))
	b := record.NewBuilder(32)
	b.Append(0, key, value, 0, nil)
	batch, err := b.Seal(nil, record.Producer{ID: m.ProducerID, Epoch: m.Epoch, Sequence: -1}, record.None, ms, ms)
	if err != nil {
		return nil, err
	}
	record.SetMarker(batch)
	return batch, nil
}

// parseMarker reads the record of a control batch; false: it ends no transaction,
// because it is of another kind or compaction has emptied it.
func parseMarker(h record.Header, batch []byte) (m Marker, ok bool) {
	if !h.Control() || h.ProducerID < 0 || h.Count < 1 {
		return m, false
	}
	m = Marker{ProducerID: h.ProducerID, Epoch: h.ProducerEpoch, CoordinatorEpoch: -1}
	var r record.Reader
	_ = r.Read(batch, maxMarker, func(rec *record.Record) error {
		if len(rec.Key) < 4 {
			return errFound
		}
		kind := binary.BigEndian.Uint16(rec.Key[2:])
		m.Commit, ok = kind == markerCommit, kind <= markerCommit
		if len(rec.Value) >= 6 {
			m.CoordinatorEpoch = int32(binary.BigEndian.Uint32(rec.Value[2:]))
		}
		return errFound
	})
	return m, ok
}

// maxMarker bounds what is read of a control batch.
const maxMarker = 64 << 10

// AppendMarker ends the producer's transaction: its records count for readers of
// committed records once the marker is durable. Like Append it marks the log for
// the next group commit. Without an open transaction the marker is written all the
// same and changes only the epochs, so sending it twice does no harm. It refuses an
// older epoch of the producer with ErrInvalidProducerEpoch and an older one of the
// coordinator with ErrCoordinatorFenced.
func (l *Log) AppendMarker(m Marker) (Appended, error) {
	cfg, err := l.config()
	if err != nil {
		return Appended{}, fmt.Errorf("ending a transaction in %s: %w", l.name, err)
	}
	batch, err := m.encode(cfg.Now().UnixMilli())
	if err != nil {
		return Appended{}, fmt.Errorf("ending a transaction in %s: %w", l.name, err)
	}
	return l.Append(batch)
}

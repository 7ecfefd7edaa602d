package commitlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/record"
)

// producersFile holds the producers as of an offset; what was appended behind it
// is read from the log. Kafka's own .snapshot keeps one batch a producer, which
// is too few for a client that had five in flight, so ours is another file.
//
//	| "LHP2" | offset 8 | producers 4 | (id 8 | epoch 2 | last write ms 8 | transaction's first offset 8, -1: none |
//	  its begin ms 8 | coordinator epoch 4 | batches 1 | (first 4 | last 4 | base 8)*)* | CRC32C 4 |
//
// Another layout gets another magic: LHP1 is without the three fields about
// transactions. An unknown or damaged file is left out and the whole log is read
// instead.
const producersFile = "commitlog-producers"

const (
	snapshotMagic    = "LHP2"
	snapshotMagicOld = "LHP1"
	snapshotHeader   = 4 + 8 + 4
	snapshotProducer = 8 + 2 + 8 + 8 + 8 + 4 + 1
	maxSnapshot      = 1 << 30
)

var errSnapshot = errors.New("damaged producer snapshot")

// encode is the snapshot file as of offset.
func (ps *producers) encode(offset record.Offset) []byte {
	be := binary.BigEndian
	b := make([]byte, 0, snapshotHeader+len(ps.byID)*(snapshotProducer+remembered*16)+4)
	b = append(b, snapshotMagic...)
	b = be.AppendUint64(b, uint64(offset))
	b = be.AppendUint32(b, uint32(len(ps.byID)))
	for id, p := range ps.byID {
		b = be.AppendUint64(b, uint64(id))
		b = be.AppendUint16(b, uint16(p.epoch))
		b = be.AppendUint64(b, uint64(p.lastWrite))
		b = be.AppendUint64(b, uint64(p.txnStart))
		b = be.AppendUint64(b, uint64(p.txnSince))
		b = be.AppendUint32(b, uint32(p.coordinatorEpoch))
		b = append(b, byte(p.n))
		for _, s := range p.batches[:p.n] {
			b = be.AppendUint32(b, uint32(s.first))
			b = be.AppendUint32(b, uint32(s.last))
			b = be.AppendUint64(b, uint64(s.base))
		}
	}
	return be.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// decodeProducers reads a snapshot file.
func decodeProducers(b []byte) (producers, record.Offset, error) {
	be := binary.BigEndian
	ps := producers{byID: map[int64]*producer{}}
	if len(b) < snapshotHeader+4 || string(b[:4]) != snapshotMagic && string(b[:4]) != snapshotMagicOld {
		return ps, 0, fmt.Errorf("%w: no head", errSnapshot)
	}
	body := b[:len(b)-4]
	if crc32.Checksum(body, castagnoli) != be.Uint32(b[len(body):]) {
		return ps, 0, fmt.Errorf("%w: bad CRC", errSnapshot)
	}
	old := string(b[:4]) == snapshotMagicOld
	offset, count := record.Offset(be.Uint64(body[4:])), be.Uint32(body[12:])
	body = body[snapshotHeader:]
	for range count {
		var id int64
		var p *producer
		var err error
		if id, p, body, err = decodeProducer(body, old); err != nil {
			return ps, 0, err
		}
		ps.byID[id] = p
	}
	if len(body) != 0 || offset < 0 {
		return ps, 0, fmt.Errorf("%w: bytes left over", errSnapshot)
	}
	return ps, offset, nil
}

// decodeProducer reads one producer and returns what follows it; old: without
// transactions.
func decodeProducer(b []byte, old bool) (int64, *producer, []byte, error) {
	be := binary.BigEndian
	if len(b) < 19 || !old && len(b) < snapshotProducer {
		return 0, nil, nil, fmt.Errorf("%w: cut short", errSnapshot)
	}
	id, p := int64(be.Uint64(b)), newProducer(int16(be.Uint16(b[8:])))
	p.lastWrite = int64(be.Uint64(b[10:]))
	b = b[18:]
	if !old {
		p.txnStart, p.txnSince = record.Offset(be.Uint64(b)), int64(be.Uint64(b[8:]))
		p.coordinatorEpoch = int32(be.Uint32(b[16:]))
		b = b[20:]
	}
	p.n = int(b[0])
	b = b[1:]
	if p.n > remembered || len(b) < p.n*16 || p.txnStart < noTxn {
		return 0, nil, nil, fmt.Errorf("%w: %d batches of producer %d, transaction at %d", errSnapshot, p.n, id, p.txnStart)
	}
	for i := range p.n {
		p.batches[i] = sent{int32(be.Uint32(b)), int32(be.Uint32(b[4:])), record.Offset(be.Uint64(b[8:]))}
		b = b[16:]
	}
	return id, p, b, nil
}

// loadProducers is the snapshot in dir if it is sound and not ahead of end; else
// no producers as of offset 0, which makes the caller read the whole log.
func loadProducers(fsys disk.FS, dir string, end record.Offset) (producers, record.Offset, error) {
	none := producers{byID: map[int64]*producer{}}
	b, err := disk.ReadUpTo(fsys, filepath.Join(dir, producersFile), maxSnapshot)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		return none, 0, err
	}
	ps, offset, err := decodeProducers(b)
	if err == nil && offset > end {
		err = fmt.Errorf("%w: taken at offset %d, the log ends at %d", errSnapshot, offset, end)
	}
	if err != nil {
		return none, 0, err
	}
	return ps, offset, nil
}

// loadProducers reads the snapshot and then, from the log, what came after it, in
// the segment that begins at reread and those behind it. A snapshot that is missing
// or damaged means the whole log.
func (l *Log) loadProducers() (reread record.Offset, err error) {
	ps, from, err := loadProducers(l.fs, l.dir, l.mu.end)
	if scarce(err) {
		return 0, err
	} else if err != nil {
		l.mu.cfg.Logger.Warn("producer snapshot is unusable, the whole log is read for it", "log", l.name, "error", err)
	}
	l.appending.producers = ps
	l.loadTxns()
	reread = l.mu.segments[len(l.mu.segments)-1].base
	for i, s := range l.mu.segments {
		if i+1 < len(l.mu.segments) && l.mu.segments[i+1].base <= from {
			continue
		}
		// What the snapshot knows was synced before it, entries behind it are made anew.
		if err := s.trimAborted(from, l.mu.end); err != nil {
			return 0, err
		}
		if from >= l.mu.end {
			continue
		}
		reread = min(reread, s.base)
		if err := l.replayProducers(s, from); err != nil {
			return 0, err
		}
	}
	l.mu.txns.settle(l.mu.high) // every marker found is durable
	l.appending.producers.expire(l.mu.cfg.Aging().Add(-l.mu.cfg.ProducerExpiry))
	return reread, nil
}

// replayProducers lets the batches of one segment, from an offset on, have their
// effect on producers and transactions.
func (l *Log) replayProducers(s *segment, from record.Offset) error {
	// The time of the append is not in the log; the file's own is no earlier.
	wrote := s.lastWrite.UnixMilli()
	return l.walkDurable(s, from, func(f *handle, pos int64, h record.Header) error {
		if h.BaseOffset < from {
			return nil
		}
		m, err := s.marker(f, pos, h)
		if err != nil {
			return err
		}
		change := l.appending.producers.add(h, m, wrote, l.mu.cfg.MaxProducers)
		switch {
		case change.began:
			l.mu.txns.begin(h.ProducerID, h.BaseOffset)
		case change.ended:
			if change.aborted {
				l.noteAborted(s, h, change.first)
			}
			l.mu.txns.end(h.ProducerID, h.LastOffset())
		}
		return nil
	})
}

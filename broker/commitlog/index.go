package commitlog

import (
	"encoding/binary"

	"github.com/loghaul/loghaul/internal/record"
)

const (
	indexWidth = 8  // | relative last offset 4 | position 4 |
	timesWidth = 12 // | time 8 | relative last offset 4 |
)

// indexEntry says where in its segment a batch begins.
type indexEntry struct {
	last     record.Offset // of the batch, less the segment's base
	position int64
}

func (e indexEntry) bytes() []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, indexWidth), uint32(e.last))
	return binary.BigEndian.AppendUint32(b, uint32(e.position))
}

func parseIndexEntry(b []byte) indexEntry {
	return indexEntry{
		last:     record.Offset(int32(binary.BigEndian.Uint32(b))),
		position: int64(int32(binary.BigEndian.Uint32(b[4:]))),
	}
}

// timeEntry says that no batch up to last is later than time, and that the batch
// that ends at last is exactly as late.
type timeEntry struct {
	time int64 // milliseconds since 1970
	last record.Offset
}

func (e timeEntry) bytes() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, timesWidth), uint64(e.time))
	return binary.BigEndian.AppendUint32(b, uint32(e.last))
}

func parseTimeEntry(b []byte) timeEntry {
	return timeEntry{
		time: int64(binary.BigEndian.Uint64(b)),
		last: record.Offset(int32(binary.BigEndian.Uint32(b[8:]))),
	}
}

// byOffset is the last index entry at or before relative offset rel.
func (s *segment) byOffset(rel record.Offset) (indexEntry, bool, error) {
	var b [indexWidth]byte
	ok, err := s.index.last(b[:], func(b []byte) bool { return parseIndexEntry(b).last <= rel })
	return parseIndexEntry(b[:]), ok, err
}

// byPosition is the last index entry at or before a position.
func (s *segment) byPosition(position int64) (indexEntry, bool, error) {
	var b [indexWidth]byte
	ok, err := s.index.last(b[:], func(b []byte) bool { return parseIndexEntry(b).position <= position })
	return parseIndexEntry(b[:]), ok, err
}

// byTime is the last time entry before ms that speaks of offsets below high; the
// first record at or after ms lies behind it.
func (s *segment) byTime(ms int64, high record.Offset) (timeEntry, bool, error) {
	var b [timesWidth]byte
	ok, err := s.times.last(b[:], func(b []byte) bool {
		e := parseTimeEntry(b)
		return e.time < ms && s.base+e.last < high
	})
	return parseTimeEntry(b[:]), ok, err
}

// latest is the last time entry of all.
func (s *segment) latest() (timeEntry, bool, error) {
	var b [timesWidth]byte
	ok, err := s.times.last(b[:], func([]byte) bool { return true })
	return parseTimeEntry(b[:]), ok, err
}

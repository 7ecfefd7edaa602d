package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// One message of formats 0 and 1, which clients before Kafka 0.11 speak, big-endian. A message set is such messages, one
// behind the other; the last may be cut, and is then left out:
//
//	| offset 8 | size 4 | crc 4 | magic 1 | attributes 1 | timestamp 8, in format 1 |
//	| key length 4, -1 null | key | value length 4, -1 null | value |
//
// size counts what follows it; crc is CRC-32 (IEEE) of everything from magic on. Attributes hold the codec (bits 0-2) and,
// in format 1, log append time (3). A message with a codec is a wrapper: its value is a whole message set, packed, of
// messages of the same format without a codec. The wrapper's offset is that of its last message; those inside count from 0
// in format 1 and are absolute in format 0. The time of a wrapper is the latest inside, or with log append time that of all.

const (
	messageOverhead = 12              // offset and size
	leastMessage    = 4 + 1 + 1 + 4*2 // what size counts at least, in format 0
	atMessageMagic  = messageOverhead + 4
)

// ErrCorrupt says that a message has a wrong checksum, an unknown format or a size below its own fields'.
var ErrCorrupt = errors.New("corrupt message")

// errCut says that a message set ends within a message.
var errCut = errors.New("the message set ends here")

// message is one message; its bytes alias the set.
type message struct {
	offset     Offset
	magic      int8
	attributes int8
	timestamp  int64  // milliseconds since 1970; -1 in format 0
	key, value []byte // nil: null
}

func (m *message) codec() Codec        { return Codec(m.attributes & 7) }
func (m *message) logAppendTime() bool { return m.magic == 1 && m.attributes&attrAppendTime != 0 }

// MessageMagic is the format, 0, 1 or 2, of the first message or batch of a set; -1 when it is too short to say.
func MessageMagic(set []byte) int8 {
	if len(set) <= atMessageMagic {
		return -1
	}
	return int8(set[atMessageMagic])
}

// nextMessage reads the message at the head of b and returns what follows it; errCut: there is no whole one.
func nextMessage(b []byte) (m message, rest []byte, err error) {
	if len(b) < messageOverhead {
		return m, nil, errCut
	}
	size := int64(int32(binary.BigEndian.Uint32(b[8:])))
	if size < leastMessage {
		return m, nil, fmt.Errorf("%w: size %d is less than a message has", ErrCorrupt, size)
	}
	if len(b) <= atMessageMagic {
		return m, nil, errCut
	}
	m.offset, m.magic = Offset(binary.BigEndian.Uint64(b)), int8(b[atMessageMagic])
	if m.magic < 0 || m.magic > 2 {
		return m, nil, fmt.Errorf("%w: magic %d, want 0 or 1", ErrCorrupt, m.magic)
	}
	if int64(len(b)-messageOverhead) < size {
		return m, nil, errCut
	}
	body, rest := b[messageOverhead:messageOverhead+size], b[messageOverhead+size:]
	if m.magic == 2 {
		return m, rest, nil
	}
	if crc32.ChecksumIEEE(body[4:]) != binary.BigEndian.Uint32(body) {
		return m, nil, fmt.Errorf("%w: the checksum is wrong", ErrCorrupt)
	}
	m.attributes, m.timestamp = int8(body[5]), -1
	fields := body[6:]
	if m.magic == 1 {
		if len(fields) < 16 {
			return m, nil, fmt.Errorf("%w: size %d is less than a message of format 1 has", ErrCorrupt, size)
		}
		m.timestamp, fields = int64(binary.BigEndian.Uint64(fields)), fields[8:]
	}
	var ok, ok2 bool
	m.key, fields, ok = sized(fields)
	m.value, fields, ok2 = sized(fields)
	if !ok || !ok2 || len(fields) != 0 {
		return m, nil, fmt.Errorf("%w: key and value do not fill the message", ErrFormat)
	}
	return m, rest, nil
}

// sized reads a length of 4 bytes and that many bytes; -1 is nil.
func sized(b []byte) (field, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := int64(int32(binary.BigEndian.Uint32(b)))
	b = b[4:]
	if n == -1 {
		return nil, b, true
	}
	if n < 0 || n > int64(len(b)) {
		return nil, nil, false
	}
	return b[:n:n], b[n:], true
}

// appendMessage encodes m onto dst, checksum last.
func appendMessage(dst []byte, m *message) []byte {
	at, be := len(dst), binary.BigEndian
	dst = be.AppendUint64(dst, uint64(m.offset))
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0, byte(m.magic), byte(m.attributes)) // size and checksum come last
	if m.magic == 1 {
		dst = be.AppendUint64(dst, uint64(m.timestamp))
	}
	dst = appendSized(dst, m.key)
	dst = appendSized(dst, m.value)
	return finishMessage(dst, at)
}

// messageSize is how many bytes appendMessage appends.
func messageSize(m *message) int {
	size := messageOverhead + leastMessage + len(m.key) + len(m.value)
	if m.magic == 1 {
		size += 8
	}
	return size
}

// finishMessage fills in size and checksum of the message that begins at.
func finishMessage(dst []byte, at int) []byte {
	body := dst[at+messageOverhead:]
	binary.BigEndian.PutUint32(dst[at+8:], uint32(len(body)))
	binary.BigEndian.PutUint32(body, crc32.ChecksumIEEE(body[4:]))
	return dst
}

func appendSized(dst, field []byte) []byte {
	if field == nil {
		return append(dst, 0xff, 0xff, 0xff, 0xff)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(field)))
	return append(dst, field...)
}

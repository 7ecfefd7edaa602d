package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

const (
	frameHead = 8
	// maxFrame bounds what one frame may announce: an input value is at most
	// 1.5 MiB in etcd, and everything else is far below.
	maxFrame = 16 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// kind says what a frame holds.
type kind byte

const (
	kindHeader     kind = 1  // version, instance, cluster, boot, producer id: the first frame
	kindMeta       kind = 2  // cluster, boot and producer id have changed
	kindGeneration kind = 3  // all that is known of one generation
	kindInput      kind = 4  // one input value
	kindPartition  kind = 5  // where one partition stands
	kindBegin      kind = 6  // one batch is about to be sent
	kindDone       kind = 7  // one batch was acknowledged
	kindSkip       kind = 8  // bytes that no record will carry
	kindReplace    kind = 9  // batches proven not stored are begun anew in other shape
	kindLost       kind = 10 // one batch can never be sent
	kindForget     kind = 11 // a generation is of no interest any more
	kindEnd        kind = 12 // the snapshot ends here
	kindGap        kind = 13 // bytes of a generation are nowhere
	kindDoubt      kind = 14 // the journal may not know all that was sent
	kindTrust      kind = 15 // what the brokers have of one topic was taken over
	kindFound      kind = 16 // bytes that are stored and were not begun here
	kindDouble     kind = 17 // records that may be there twice
)

// errTorn says that a frame is cut off by the end of the file.
var errTorn = errors.New("frame is cut short")

// errFrame says that a frame's bytes are not what was written.
var errFrame = errors.New("frame does not match its checksum")

// appendFrame writes one frame whose payload fill appends.
func appendFrame(dst []byte, k kind, fill func([]byte) []byte) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, frameHead)...)
	dst = append(dst, byte(k))
	if fill != nil {
		dst = fill(dst)
	}
	body := dst[at+frameHead:]
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(body)))
	binary.LittleEndian.PutUint32(dst[at+4:], crc32.Checksum(body, castagnoli))
	return dst
}

// nextFrame takes the frame at the head of b: its kind, payload and whole length.
// errTorn and errFrame say why there is none.
func nextFrame(b []byte) (kind, []byte, int, error) {
	if len(b) < frameHead {
		return 0, nil, 0, errTorn
	}
	n := binary.LittleEndian.Uint32(b)
	if n < 1 || n > maxFrame {
		return 0, nil, 0, fmt.Errorf("%w: it announces %d bytes", errFrame, n)
	}
	if int(n) > len(b)-frameHead {
		return 0, nil, 0, errTorn
	}
	body := b[frameHead : frameHead+int(n)]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
		return 0, nil, 0, errFrame
	}
	return kind(body[0]), body[1:], frameHead + int(n), nil
}

// followed says whether any whole frame lies in b: what is bad before it is then
// damage and not merely a torn end. Only frames of the usual size are looked for, so
// that bytes which look like a length do not each cost a checksum of the rest.
func followed(b []byte) bool {
	for i := 1; i+frameHead < len(b); i++ {
		if n := binary.LittleEndian.Uint32(b[i:]); n > usualFrame {
			continue
		}
		if _, _, _, err := nextFrame(b[i:]); err == nil {
			return true
		}
	}
	return false
}

// usualFrame is more than all frames have but those of very large inputs.
const usualFrame = 16 << 10

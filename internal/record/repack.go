package record

import (
	"encoding/binary"
	"fmt"
)

// Repack appends to dst one whole batch with its records packed by another codec, or by the same at another
// level; all else that its header says stays. Limit is how many bytes it may have unpacked (ErrTooLarge).
func (c *Converter) Repack(dst, batch []byte, codec Codec, level Level, limit int) ([]byte, error) {
	h, err := ParseHeader(batch)
	if err != nil {
		return dst, err
	}
	body, err := c.dec.decompress(batch[HeaderSize:h.Size()], h.Codec(), limit)
	if err != nil {
		return dst, fmt.Errorf("decompressing a batch (%s): %w", h.Codec(), err)
	}
	at := len(dst)
	out, err := c.comp.compress(append(dst, batch[:HeaderSize]...), body, codec, level)
	if err != nil {
		return dst, fmt.Errorf("compressing a batch with %s: %w", codec, err)
	}
	packed := out[at:]
	binary.BigEndian.PutUint32(packed[atLength:], uint32(len(packed)-overhead))
	binary.BigEndian.PutUint16(packed[atAttributes:], uint16(h.Attributes&^7)|uint16(codec))
	putCRC(packed)
	return out, nil
}

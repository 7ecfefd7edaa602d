package record

import "encoding/binary"

// AppendTombstone adds one record with a null value, which deletes its key where a log is read as a
// table. tsDelta is its time less the batch's first, in milliseconds; the key is copied.
func (b *Builder) AppendTombstone(tsDelta int64, key []byte) {
	size := 1 + varintSize(tsDelta) + varintSize(int64(b.count)) +
		varintSize(int64(len(key))) + len(key) + 1 + 1
	dst := binary.AppendVarint(b.records(), int64(size))
	dst = append(dst, 0)
	dst = binary.AppendVarint(dst, tsDelta)
	dst = binary.AppendVarint(dst, int64(b.count))
	dst = binary.AppendVarint(dst, int64(len(key)))
	dst = append(dst, key...)
	dst = binary.AppendVarint(dst, -1) // no value
	b.buf = binary.AppendVarint(dst, 0)
	b.count++
}

// appendNullable adds one record without headers; nil is null, for its key and for its value.
func (b *Builder) appendNullable(tsDelta int64, key, value []byte) {
	size := 1 + varintSize(tsDelta) + varintSize(int64(b.count)) + nullableSize(key) + nullableSize(value) + 1
	dst := binary.AppendVarint(b.records(), int64(size))
	dst = append(dst, 0)
	dst = binary.AppendVarint(dst, tsDelta)
	dst = binary.AppendVarint(dst, int64(b.count))
	dst = appendNullable(dst, key)
	dst = appendNullable(dst, value)
	b.buf = append(dst, 0) // no headers
	b.count++
}

func nullableSize(field []byte) int {
	if field == nil {
		return 1
	}
	return varintSize(int64(len(field))) + len(field)
}

func appendNullable(dst, field []byte) []byte {
	if field == nil {
		return binary.AppendVarint(dst, -1)
	}
	dst = binary.AppendVarint(dst, int64(len(field)))
	return append(dst, field...)
}

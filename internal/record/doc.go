// Package record is the Kafka record batch, format 2: it reads and stamps the
// header in place, builds batches straight from the caller's bytes, and reads
// records back out of them, compressed or not. It turns the message sets of
// formats 0 and 1 (message.go) into batches and batches into message sets.
//
// One batch, big-endian, as Kafka's DefaultRecordBatch and KIP-98 define it:
//
//	| base offset 8 | length 4 | leader epoch 4 | magic 1 | crc 4 |     bytes 0..20
//	| attributes 2 | last offset delta 4 | first timestamp 8 |          bytes 21..34
//	| max timestamp 8 | producer id 8 | producer epoch 2 |              bytes 35..52
//	| base sequence 4 | record count 4 | records ...                    bytes 53..
//
// length counts what follows it, so a whole batch is 12+length bytes. crc is
// CRC32C of everything from attributes on: base offset and leader epoch lie
// outside it, so a broker stamps both without touching the rest. Attributes hold
// the codec (bits 0-2), log append time (3), transactional (4) and control (5).
//
// One record, inside the possibly compressed part; all numbers zigzag varints:
//
//	| length | attributes 1 byte | timestamp delta | offset delta |
//	| key length, -1 null | key | value length, -1 null | value |
//	| header count | (key length | key | value length | value)* |
package record

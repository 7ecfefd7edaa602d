// Package wire moves requests and responses between a connection and the handlers: frames of bounded size and
// memory, the headers, and the Produce and Fetch messages, whose record batches pass through as they are. Of all other
// requests it knows the shape, so that none is decoded whose counts lie.
package wire

// A request on the wire, all numbers big-endian:
//
//	+-----------+---------+-------------+----------------+------------------------+--------+------+
//	| length i32| key i16 | version i16 | correlation i32| client id, i16 + bytes | (tags) | body |
//	+-----------+---------+-------------+----------------+------------------------+--------+------+
//
// Tags stand there when the request's version is flexible (KIP-482); the client id is never compact. A response is
//
//	+-----------+-----------------+--------+------+
//	| length i32| correlation i32 | (tags) | body |
//	+-----------+-----------------+--------+------+
//
// and ApiVersions answers without tags in every version, so that a client that knows nothing yet can read it.

// Package journal remembers, crash-safely, which batches were sent and which were
// acknowledged, per file generation and topic: what Begin wrote survives kill -9,
// what Done wrote is never sent again, and damage is named and never read as
// "start at 0".
//
// The journal is one file, journal-00000007.log, of frames:
//
//	| length 4 | CRC32C 4 | kind 1 | payload length-1 |      little endian
//
// length counts kind and payload, the checksum covers both. Numbers in payloads
// are varints, strings and lists carry their length before them. The file begins
// with a snapshot: a header frame with the format's version, the instance, boot
// and cluster ids, then one frame for each input value, generation, partition and
// open batch, then a frame that ends it. What happens afterwards is appended. A
// snapshot is complete (written, fsynced, renamed, its folder fsynced) before its
// file gets its name, so only the end of a file can be torn.
//
// A new kind of frame needs a new version in the header; a journal of a newer
// version than ours is refused with its number, an older one is read and written anew.
//
// When its end was torn or damaged, the machine was started anew, or it lies on
// another host or in another folder than it was written in, the journal is doubted,
// and so it is while it is new: Doubted says why, topic by topic, until Trust says
// that the brokers were asked what they have.
package journal

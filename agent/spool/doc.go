// Package spool keeps, crash-safely, the bytes of files that lost their last name
// before they were acknowledged: an open descriptor dies with its process, and what
// was kept here does not.
//
// What is kept of one generation on its way to one topic lies in segments, named by
// both and by the first position in them:
//
//	5f2a90cc1e6b03d7-00000000000001234567.spool
//
// A segment begins with what it is about, and frames follow:
//
//	| "lhspool1" 8 | length 4 | CRC32C 4 | JSON length |
//	| length 4 | CRC32C 4 | position 8 | file size 8 | flags 4 | bytes length |      little endian
//
// A frame's checksum covers everything behind it. file size is that of the source
// when the frame was written, so that what could not be kept is known to the byte;
// bit 0 of flags says that nobody wrote to the source any more. A frame without bytes
// only says that. What stands behind the first bad frame of a segment does not count.
// A new meaning needs a new name in the first 8 bytes.
package spool

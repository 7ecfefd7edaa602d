// Package statelog keeps a room's state as keyed records in a partition of the broker's own: the last record of a key
// counts, whoever appends is answered once the disk has it, and the log stays small.
package statelog

// Notes for maintainers.
//
// A room appends what it has decided under its own lock, so the order of the log is the order of the decisions, and acts
// on it when the writer says that it is durable. When the log has grown past a limit, the room appends all live state
// anew, waits for the disk and drops what lies before:
//
//	┌──────────────────────────────┬───────────────┬─────
//	│ old records, many of one key │ live state    │ new records
//	└──────────────────────────────┴───────────────┴─────
//	  dropped when the live state is durable
//
// A crash at any point leaves the old records, or these and some of the new, or the new: each reads back as the same
// state.

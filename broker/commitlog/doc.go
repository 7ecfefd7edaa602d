// Package commitlog keeps one partition's record batches in segment files, finds
// them by offset or time, makes them durable in one group commit over all logs,
// tells which are committed, keeps the latest of each key where that is asked for,
// and after a crash cuts the torn tail and nothing else.
package commitlog

// For maintainers. One partition is one folder, in Kafka's own file formats;
// numbers are big-endian, names are the segment's first offset in 20 digits:
//
//	00000000000000000090.log        the batches, byte for byte as they came
//	00000000000000000090.index      8 bytes an entry:  | last offset of a batch, less 90: 4 | its position: 4 |
//	00000000000000000090.timeindex  12 bytes an entry: | latest time so far, ms: 8 | last offset of its batch, less 90: 4 |
//	00000000000000000090.txnindex   34 bytes an entry: the aborted transactions whose markers lie in the segment (aborted.go)
//	leader-epoch-checkpoint         text: 0, number of lines, then "epoch first-offset"
//
// and files of our own, which Kafka passes over:
//
//	commitlog-checkpoint   text with a checksum: log start, recovery point, whether closed cleanly (checkpoint.go)
//	commitlog-producers    sequences and open transactions of producers as of an offset (snapshot.go)
//	commitlog-compacted    text with a checksum: the offset below which the log has been compacted (compacted.go)
//	FIRST-NEXT.cleaned     a compacted segment that is being written, and
//	FIRST-NEXT.swap        one that stands for those from FIRST on and below NEXT (swap.go)
//
// What makes a crash harmless is order. A batch is durable when the fdatasync
// that follows it is done; only then does the high watermark pass it. A recovery
// point is written after the bytes below it, their index entries and the
// producers' sequences have been synced. A segment is unlinked after its
// successor's name is durable. The entries of the index of aborted transactions are
// on the disk before the producers' snapshot that no longer knows them as open, and
// are made anew from the batches behind that. So every file can be thought away up
// to its last sync, and Open still finds each record that was ever acknowledged.
//
// Batches lie in order and may leave gaps, inside and between them, once a log has
// been compacted; base and last offset of a batch are what they were.
//
// What Kafka's formats leave without a checksum is vouched for by the recovery point,
// which has one: below which offset there may be gaps, the leader epochs, the entries of
// aborted transactions. So a base offset or an epoch that was flipped is found when its
// batch is read first (chain.go), a lost or changed .txnindex before it shows what was
// aborted (aborted_sums.go), and each is made anew or refused by file and position.
//
// Locks, in the order they may be taken: Log.compacting (one compaction, or Close),
// Log.keeping (one recovery point, deletion, swap or Close at a time), Log.syncing (one
// sync of batches), Log.rebuilding (one who makes the index of aborted transactions
// anew), Log.appending (one writer),
// Log.mu (what readers see; held for a few instructions), then the small locks of a
// segment's files. An append never waits for a sync, a sync of batches for
// no other file's, a reader never waits for a write.

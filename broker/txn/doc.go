// Package txn keeps transactions: who may write under a transactional id, which partitions its transaction spans, and
// that each of them hears the same end, whatever crashes in between. It gives out producer ids, each once for ever.
package txn

// Notes for maintainers.
//
// A transactional id is always in one of Kafka's states (state.go has a sentence for each):
//
//	              first partition                EndTxn(commit)
//	┌───────┐ ───────────────────▶ ┌─────────┐ ────────────────▶ ┌───────────────┐ markers  ┌────────────────┐
//	│ Empty │                      │ Ongoing │                   │ PrepareCommit │ ───────▶ │ CompleteCommit │
//	└───────┘        ┌───────────▶ └─────────┘ ──────────┐       └───────────────┘          └────────────────┘
//	    ▲            │ next transaction   EndTxn(abort), │       ┌───────────────┐          ┌────────────────┐
//	    │            │            time out, new producer └─────▶ │ PrepareAbort  │ ───────▶ │ CompleteAbort  │
//	    │            └─────────────────────────────────┐         └───────────────┘          └────────────────┘
//	    └── InitProducerId ────────────────────────────┴──────────────────────────────────────────────┘
//
// The order of what becomes durable carries the promise:
//
//  1. the partition is in the stored transaction before the first batch is let into it (AddPartitions, then Enter);
//  2. PrepareCommit or PrepareAbort is durable before the first marker is written, and from its append on nobody enters;
//  3. every marker is durable before Complete is appended.
//
// So a crash finds a transaction that has not ended, which times out; or one that has, and whose markers are written
// again, which changes nothing where they were; or one that is over.
//
// One lock per transactional id (transaction.mu), held from a decision to the append that stores it, so the log has the
// decisions in their order. Memory follows the append, answers follow the disk. Lock order: a transaction's, then the
// coordinator's list or the writer's.
//
// Goroutines, all of Run: the writer's (package statelog), one that ends transactions with up to maxEnding helpers
// (complete.go), one that aborts what took too long, forgets ids and keeps the log short (keep.go).
//
// What is stored (codec.go) is what Apache Kafka stores in __transaction_state, so its tools read it.

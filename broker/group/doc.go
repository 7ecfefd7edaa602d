// Package group keeps consumer groups: who is a member, which generation holds, what each member was
// assigned and how far the group has read. A commit is answered once it is durable, generations never
// mix, and nobody waits for ever.
package group

// Notes for maintainers.
//
// A group is always in one of these states (group.go has a sentence for each):
//
//	              first member joins
//	     ┌───────┐ ─────────────────▶ ┌────────────────────┐
//	     │ Empty │                    │ PreparingRebalance │ ◀──────────────┐
//	     └───────┘ ◀───────────────── └────────────────────┘                │
//	         ▲       nobody came back            │ all came back,           │ a member joins, leaves, expires,
//	         │                                   │ or the barrier's end     │ or changes what it can do
//	         │                                   ▼                          │
//	         │                        ┌────────────────────┐                │
//	         │                        │ CompletingRebalance│ ───────────────┤
//	         │                        └────────────────────┘                │
//	         │                                   │ the leader's assignment  │
//	         │                                   ▼ is durable               │
//	         │                             ┌──────────┐                     │
//	         └──── (by PreparingRebalance) │  Stable  │ ────────────────────┘
//	                                       └──────────┘
//
// A group of the consumer protocol (KIP-848) has a roster instead: the broker computes who is to have which
// partitions, and leads each member there by its heartbeats (consumer_reconcile.go draws it). Offsets,
// transactions, deletion and the log are the same for both.
//
// A transaction's offsets (txn_commit.go) are appended as they come, in batches of their producer, and wait
// beside the visible ones until the marker is durable. Of two commits of a partition the later in the log
// holds, whenever the transaction ends; rewriting the log keeps that order.
//
// One lock per group (group.mu). Lock order: a group's, then that of the open transactions, then the
// coordinator's list, the deadlines' or the writer's, which never nest. Nothing waits with a lock held
// except Log.Append, which is a write to the page cache: with it inside the lock, the order of the log is
// the order in which the group decided, so a commit of an old generation can never lie behind one of a
// newer generation.
//
// Three goroutines, all of Run: one for the deadlines of all groups (deadline.go), one that waits for the
// disk and then answers (package statelog), one that forgets old offsets and rewrites the log (keep.go).
//
// What is stored (codec.go) is what Apache Kafka stores in __consumer_offsets, so its tools read it.

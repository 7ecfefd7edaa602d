package commitlog

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/loghaul/loghaul/internal/record"
)

// What Append, Read and the rest refuse; test with errors.Is.
var (
	// ErrOutOfOrderSequence: the producer's first sequence does not follow its
	// last one (Kafka's error 45).
	ErrOutOfOrderSequence = errors.New("producer sequence is out of order")
	// ErrInvalidProducerEpoch: the producer was fenced by a newer epoch of the
	// same id (Kafka's error 47).
	ErrInvalidProducerEpoch = errors.New("producer epoch is older than the log's")
	// ErrInvalidTxnState: a batch that belongs to no transaction from a producer
	// that has one open (Kafka's error 48).
	ErrInvalidTxnState = errors.New("batch is not part of the producer's open transaction")
	// ErrCoordinatorFenced: a marker of a coordinator older than the one that wrote
	// the producer's last (Kafka's error 52).
	ErrCoordinatorFenced = errors.New("transaction coordinator epoch is older than the log's")
	// ErrOffsetOutOfRange: the offset lies before the log's start or behind its
	// end (Kafka's error 1).
	ErrOffsetOutOfRange = errors.New("offset is out of range")
	// ErrFailed: the log failed for good, because a sync failed or torn bytes
	// could not be taken back. It is always a *StorageError too.
	ErrFailed = errors.New("log failed")
	// ErrClosed: the log was closed or deleted.
	ErrClosed = errors.New("log is closed")
	// ErrDamaged: what is asked for is damaged on the disk, or in no file of the log
	// (Kafka's error 2). It is always a *StorageError too.
	ErrDamaged = errors.New("stored records are damaged or lost")
	// ErrTooLarge: the batch does not fit into any segment of 2 GiB.
	ErrTooLarge = errors.New("record batch is too large for a segment")
)

// StorageError is a file that could not be read, written or synced, and where.
type StorageError struct {
	Op       string // what was being done: "writing", "syncing", "reading", ...
	Path     string
	Position int64 // byte in the file
	Err      error
	Fatal    bool // the log takes no appends until it is opened again
}

// Error names file, position and cause, and the mend where there is one.
func (e *StorageError) Error() string {
	s := fmt.Sprintf("%s %s at position %d: %v", e.Op, e.Path, e.Position, e.Err)
	switch {
	case e.Fatal:
		s += "; the log takes no more appends, check the disk and restart"
	case errors.Is(e.Err, syscall.ENOSPC):
		s += "; free space on that disk, writing then goes on by itself"
	}
	return s
}

// Unwrap is the cause.
func (e *StorageError) Unwrap() error { return e.Err }

// Is makes a fatal StorageError an ErrFailed.
func (e *StorageError) Is(target error) bool { return e.Fatal && target == ErrFailed }

// damage is bytes that are no sound batch: where recovery cuts, and what a reader
// refuses to hand out. Its text is the reason alone.
type damage struct{ reason string }

func (d *damage) Error() string { return d.reason }

// Is makes it an ErrDamaged.
func (d *damage) Is(target error) bool { return target == ErrDamaged }

func damaged(format string, a ...any) error { return &damage{fmt.Sprintf(format, a...)} }

// asDamage tells bad bytes from a disk that could not be read, for which nothing
// may ever be cut.
func asDamage(err error) (*damage, bool) {
	var d *damage
	return d, errors.As(err, &d)
}

// Cut is what recovery took away: Bytes from Position of Segment on, in which
// the batch at Offset was the first bad one.
type Cut struct {
	Log      string // folder name, web_log-0
	Segment  string // file name
	Position int64
	Bytes    int64
	Offset   record.Offset
	Reason   string
}

// String is the line that the operator sees.
func (c Cut) String() string {
	return fmt.Sprintf("recovered %s: truncated %d bytes at position %d of %s (offset %d): %s",
		c.Log, c.Bytes, c.Position, c.Segment, c.Offset, c.Reason)
}

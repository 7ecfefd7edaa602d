package disk

import "errors"

// Reserver is a File that can have room laid out for what is about to be written.
type Reserver interface {
	// Reserve has the disk lay size bytes out from a position on. What the file holds, and its length, stay; Truncate gives
	// back what lies behind the end. ErrNoReserve where that would cost more than it saves; then
	// nothing was laid out.
	Reserve(position, size int64) error
}

// ErrNoReserve says that room cannot be laid out in this file, or not now.
var ErrNoReserve = errors.New("no room is laid out ahead on this file system")

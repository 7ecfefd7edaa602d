package handle

import (
	"errors"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/loghaul/loghaul/broker/commitlog"
)

// diskWatch says once that the disk is full, and once that it is not any more, however many batches are refused.
type diskWatch struct {
	full  atomic.Bool
	since atomic.Int64 // nanoseconds since 1970
}

// calmDown is how long a full disk must have been full before a batch that fits ends it: small batches may fit
// between larger ones that do not.
const calmDown = 2 * time.Second

// windowsDiskFull is Windows' own number for a full disk.
const windowsDiskFull = syscall.Errno(112)

// note looks at how an append went.
func (d *diskWatch) note(log *slog.Logger, l *commitlog.Log, err error) {
	switch {
	case err == nil && d.full.Load():
		if time.Now().UnixNano()-d.since.Load() > int64(calmDown) && d.full.CompareAndSwap(true, false) {
			log.Info("there is room on the disk again, writing goes on", "folder", filepath.Dir(l.Dir()))
		}
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, windowsDiskFull):
		d.since.Store(time.Now().UnixNano())
		if d.full.CompareAndSwap(false, true) {
			log.Error("the disk is full: batches are refused until there is room, producers keep and resend them;"+
				" free space, lower log.retention.bytes or delete topics", "folder", filepath.Dir(l.Dir()), "error", err)
		}
	}
}

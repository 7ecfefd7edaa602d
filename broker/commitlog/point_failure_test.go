package commitlog

import (
	"strings"
	"syscall"
	"testing"

	"github.com/loghaul/loghaul/internal/disk/crashdisk"
)

// A disk says once that it could not keep something. When who writes a recovery point is
// told, the next sync would hear that all is well: nothing may be promised any more.
func TestAFailedSyncForARecoveryPointIsNeitherHiddenNorTriedAgain(t *testing.T) {
	for _, failing := range []string{"syncdir", "sync " + indexSuffix, "sync " + timesSuffix} {
		t.Run(failing, func(t *testing.T) {
			fsys := crashdisk.New()
			l := openWith(t, logDir(t), Config{Disk: fsys, IndexInterval: 1}, NewSyncer(SyncerConfig{}))
			for range 4 {
				appendTo(t, l, plain(t, "a"))
			}
			l.sync()
			l.rollNow(t)
			appendTo(t, l, plain(t, "in a segment without a durable name"))
			high, failed := l.HighWatermark(), 0
			kind, suffix, _ := strings.Cut(failing, " ")
			fsys.SetFault(func(op, path string, n int) (int, error) {
				if op == kind && strings.HasSuffix(path, suffix) {
					if failed++; failed == 1 {
						return n, syscall.EIO
					}
				}
				return n, nil
			})
			l.writePoint()
			if suffix != "" {
				high = l.End() // the batches and their segment's name were synced before
			}
			l.sync()
			wantErr(t, l.Err(), ErrFailed)
			if l.HighWatermark() != high || failed != 1 {
				t.Errorf("durable to %d, want %d; synced %d times", l.HighWatermark(), high, failed)
			}
			_, err := l.Append(plain(t, "b"))
			wantErr(t, err, ErrFailed)
			if !strings.Contains(err.Error(), "check the disk") {
				t.Errorf("the error does not say what to do: %v", err)
			}
		})
	}
}

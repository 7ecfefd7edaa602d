package commitlog

import (
	"time"

	"golang.org/x/sys/unix"
)

// nap sleeps about that long. The runtime's own timers wake an idle process up to a
// millisecond late, which is longer than a sync.
func nap(d time.Duration) {
	t := unix.NsecToTimespec(d.Nanoseconds())
	_ = unix.Nanosleep(&t, nil) // a signal may end it earlier
}

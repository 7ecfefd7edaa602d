//go:build !linux

package commitlog

import "time"

// nap sleeps about that long.
func nap(d time.Duration) { time.Sleep(d) }

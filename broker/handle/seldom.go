package handle

import (
	"sync/atomic"
	"time"
)

const (
	idsPace   = 10 * time.Second // least time between two lines about producer ids that cannot be given out: clients ask ten times a second
	loginPace = time.Second      // about a login that nobody asked for: a client that cannot get in comes again at once
)

// seldom lets a line of the log through once in a while, whoever causes it.
type seldom struct{ last atomic.Int64 }

// now says whether it is time for another one.
func (s *seldom) now(pace time.Duration) bool {
	now, last := time.Now().UnixNano(), s.last.Load()
	return (last == 0 || now-last >= int64(pace)) && s.last.CompareAndSwap(last, now)
}

package handle

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestALineComesOnceInAWhile(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		var s seldom
		said := 0
		for range 100 {
			if s.now(idsPace) {
				said++
			}
			time.Sleep(idsPace / 10)
		}
		if said != 10 {
			t.Errorf("100 failures in ten times the pace are told in %d lines, want 10", said)
		}
	})
}

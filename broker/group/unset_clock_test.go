package group

import (
	"testing"
	"time"
)

// A machine without a battery starts in 1970: what was committed before its clock was set is not 56 years old after it.
func TestACommitOfAClockThatWasNotSetIsKept(t *testing.T) {
	g := &group{c: &Coordinator{cfg: Config{Retention: time.Hour}}, state: Empty}
	now := time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)
	for committed, want := range map[time.Time]bool{time.Unix(20, 0): false, now.Add(-time.Minute): false, now.Add(-2 * time.Hour): true} {
		if got := g.expired(Partition{Topic: "web_log"}, Committed{Time: committed}, now); got != want {
			t.Errorf("a commit of %s is forgotten: %v, want %v", committed, got, want)
		}
	}
}

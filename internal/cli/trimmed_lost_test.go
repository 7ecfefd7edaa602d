package cli

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

// The mend that the broker names for records lost right before the first one is a trim up to that: it is sent.
func TestATrimUpToTheFirstRecordGivesUpWhatIsLostBeforeIt(t *testing.T) {
	at := brokers(t, kfake.SeedTopics(1, "orders"))
	for _, yes := range []bool{false, true} {
		args := []string{"topic", "trim", "orders", "--partition", "0", "--before", "0", "--brokers", at}
		if yes {
			args = append(args, "--yes")
		}
		o := loghaul(t, args...).want(t, exitDone)
		if !strings.Contains(o.stdout, "nothing to trim") || strings.Contains(o.stdout, "given up") != yes {
			t.Errorf("--yes %t says %q", yes, o.stdout)
		}
	}
}

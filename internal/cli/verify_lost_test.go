package cli

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
)

// What the broker says is lost has not expired: verify then finds that its bytes are missing.
func TestVerifyDoesNotTakeWhatIsLostForExpired(t *testing.T) {
	_, at := damagedBroker(t, func(_ string, segments []string) {
		if err := os.Remove(segments[0]); err != nil {
			t.Fatal(err)
		}
	})
	cl := newCluster(kafka.Config{Brokers: []string{at}, ClientID: "test"})
	defer cl.Close()
	read := func(cut func(int32)) (n int, err error) {
		err = readAll(t.Context(), cl, "t", waits{func(err error) { t.Error(err) }, time.Minute}, func(int32, *record.Record) { n++ }, cut)
		return n, err
	}
	cuts := 0
	if n, err := read(func(int32) { cuts++ }); err != nil || n != 3 || cuts != 0 {
		t.Errorf("it reads %d records and %d partitions have expired records: %v", n, cuts, err)
	}
	if _, err := read(nil); err == nil || !strings.Contains(err.Error(), "offsets 0 to 0 of t/0 cannot be read") { // of accounts each counts
		t.Errorf("of accounts that are lost it says %v", err)
	}
	loghaul(t, "topic", "trim", "t", "--partition", "0", "--before", "1", "--yes", "--brokers", at).want(t, exitDone)
	if n, err := read(func(int32) { cuts++ }); err != nil || n != 3 || cuts != 1 {
		t.Errorf("after the trim it reads %d records and %d partitions have expired records: %v", n, cuts, err)
	}
}

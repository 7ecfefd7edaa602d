package commitlog

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// former rewrites a folder's recovery point in the layout before there were gaps, epochs
// and sums of aborted transactions.
func former(t *testing.T, dir string) {
	t.Helper()
	c, err := loadCheckpoint(unsyncedDisk{}, dir)
	if err != nil || c == nil {
		t.Fatalf("recovery point: %v, %v", c, err)
	}
	c.former = true
	writeFile(t, filepath.Join(dir, checkpointFile), c.bytes())
}

// A folder of the time before keeps what it says: above all, the log start of records that
// were deleted stays where it was.
func TestARecoveryPointOfTheFormerLayoutIsKept(t *testing.T) {
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprint("killed ", killed), func(t *testing.T) {
			dir := logDir(t)
			l := open(t, dir, Config{SegmentBytes: 600})
			for i := range 12 {
				appendTo(t, l, plain(t, fmt.Sprint(i)))
			}
			appendTo(t, l, txnBatch(t, 20, -1, "never"))
			endTxn(t, l, 20, false)
			l.rollNow(t)
			appendTo(t, l, plain(t, "after"))
			if err := l.DeleteBefore(7); err != nil { // in the middle of a segment
				t.Fatal(err)
			}
			want := readAllValues(t, l, 7, 1<<20)
			if killed {
				l.Abandon()
			} else {
				closeLog(t, l)
			}
			former(t, dir)
			var said bytes.Buffer
			logger := slog.New(slog.NewTextHandler(&said, nil))
			for range 2 { // as it was, and with the point that was written then
				l = open(t, dir, Config{SegmentBytes: 600, Logger: logger, RecheckBytes: 1})
				if l.Start() != 7 || l.End() != 15 {
					t.Fatalf("the log holds %d to %d, want 7 to 15", l.Start(), l.End())
				}
				sameValues(t, readAllValues(t, l, 7, 1<<20), want)
				aborted, err := l.Aborted(0, l.End())
				if err != nil || len(aborted) != 1 || aborted[0].ProducerID != 20 {
					t.Fatalf("aborted are %v, %v", aborted, err)
				}
				if n := l.Rechecked(); n > 2*l.Size()/3 {
					t.Errorf("%d of %d bytes were read again", n, l.Size())
				}
				if said.Len() > 0 {
					t.Errorf("it said\n%s", said.String())
				}
				closeLog(t, l)
				if c := pointOf(t, l); c.former || c.aborted == "" || c.start != 7 {
					t.Errorf("the next recovery point is %+v", c)
				}
			}
		})
	}
}

// A log of a Kafka has no recovery point of ours: its index of aborted transactions is made
// anew, which is nothing to be alarmed about.
func TestAForeignLogIsNoReasonForAlarm(t *testing.T) {
	dir := logDir(t)
	l := open(t, dir, Config{})
	appendTo(t, l, txnBatch(t, 20, -1, "never"))
	endTxn(t, l, 20, false)
	closeLog(t, l)
	for _, name := range []string{checkpointFile, producersFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	var said bytes.Buffer
	l = open(t, dir, Config{Logger: slog.New(slog.NewTextHandler(&said, nil))})
	if aborted, err := l.Aborted(0, l.End()); err != nil || len(aborted) != 1 {
		t.Fatalf("aborted are %v, %v", aborted, err)
	}
	if bytes.Contains(said.Bytes(), []byte("level=WARN")) || bytes.Contains(said.Bytes(), []byte("did not fit")) {
		t.Errorf("it said\n%s", said.String())
	}
}

package commitlog

import (
	"fmt"
	"os"
	"testing"

	"github.com/loghaul/loghaul/internal/record"
)

// What lies behind damage goes with it at a start after a crash, and had been given out beyond the recovery point.
func TestOffsetsBehindDamageBeforeTheRecoveryPointAreNotUsedAgain(t *testing.T) {
	for name, more := range map[string]int{"in the same segment": 2, "in later segments": 30} {
		t.Run(name, func(t *testing.T) {
			s := &lossStory{t: t, dir: logDir(t)}
			l := open(t, s.dir, Config{SegmentBytes: 1500})
			for i := range 4 {
				appendTo(t, l, plain(t, fmt.Sprint("value ", i)))
			}
			l.writePoint()
			for i := range more {
				appendTo(t, l, plain(t, fmt.Sprint("more ", i)))
			}
			end := l.End()
			s.kill(l)
			f, err := os.OpenFile(s.path(0), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteAt([]byte{1, 2, 3}, 160); err != nil { // in the second or third batch
				t.Fatal(err)
			}
			f.Close()
			l = s.start()
			if l.End() < end {
				t.Errorf("the next record gets offset %d, %d was given out", l.End(), end)
			}
			from := l.Damages()[0].From
			s.wantSaid(1, fmt.Sprintf("offsets %d to %d of web_log-0 are lost", from, end-1))
			s.wantHole(l, from, end)
			if a := appendTo(t, l, plain(t, "new")); a.Base != record.Offset(end) {
				t.Errorf("the next record is at %d, want %d", a.Base, end)
			}
		})
	}
}

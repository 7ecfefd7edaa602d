package commitlog

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/realkafka"
	"github.com/loghaul/loghaul/internal/record"
)

// Kafka's own DumpLogSegments reads what a log writes: batches, markers, indexes, the
// index of aborted transactions, and what compaction makes of them.
func TestKafkasToolReadsSegmentsAndTheirIndexes(t *testing.T) {
	tools := realkafka.StartTools(t, realkafka.V4)
	defer tools.Close()
	c := newClock()
	dir := logDir(t)
	l := open(t, dir, compacting(c))
	transaction := func(id int64, sequence int32, pairs ...string) {
		t.Helper()
		b := keyed(t, record.Producer{ID: id, Sequence: sequence}, record.Lz4, pairs...)
		record.SetTransactional(b)
		appendTo(t, l, b)
	}
	put(t, l, "a=1", "b=1")
	transaction(7, 0, "c=1", "d=1")
	transaction(8, 0, "e=1")
	put(t, l, "b", "x=1")
	endTxn(t, l, 7, false)
	endTxn(t, l, 8, false)
	transaction(8, 1, "f=1")
	endTxn(t, l, 8, true)
	l.rollNow(t)
	put(t, l, "a=2")
	l.rollNow(t)
	put(t, l, "active=1")
	dump := func(dir string) string {
		t.Helper()
		files, _ := filepath.Glob(filepath.Join(dir, "0*"))
		r, err := tools.Run(t.Context(), "", "org.apache.kafka.tools.DumpLogSegments", "--print-data-log", "--files", strings.Join(files, ","))
		if err != nil || r.Code != 0 || strings.Contains(r.Out, "isvalid: false") || strings.Contains(r.Err, "ismatch") || strings.Contains(r.Err, "time index") {
			t.Fatalf("dumping %v: %v, %s", files, err, r)
		}
		return r.Out
	}
	want := func(out string, lines ...string) {
		t.Helper()
		for _, line := range lines {
			if !strings.Contains(out, line) {
				t.Errorf("Kafka does not see %q in\n%s", line, out)
			}
		}
	}
	closeLog(t, l)
	want(dump(dir), "endTxnMarker: ABORT coordinatorEpoch: 1", "endTxnMarker: COMMIT coordinatorEpoch: 1",
		"producerId: 7 firstOffset: 2 lastOffset: 7 lastStableOffset: 4", "producerId: 8 firstOffset: 4 lastOffset: 8 lastStableOffset: 9")
	l = open(t, dir, compacting(c))
	compact(t, l, c.now)
	closeLog(t, l)
	out := dump(dir)
	want(out, "baseOffset: 2 lastOffset: 3 count: 0 baseSequence: 0 lastSequence: 1 producerId: 7 producerEpoch: 0",
		fmt.Sprintf("deleteHorizonMs: OptionalLong[%d]", c.now.Add(time.Hour).UnixMilli()), "producerId: 7 firstOffset: 2 lastOffset: 7")
	if strings.Contains(out, "key: c ") {
		t.Errorf("Kafka still sees what was compacted away:\n%s", out)
	}
}

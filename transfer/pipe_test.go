package transfer

import (
	"testing"

	"github.com/loghaul/loghaul/etcdconf"
)

const fileSink = `{"type":"file","topics":["web_log"],"batch":{"age":"20ms"}}`

func TestLinesOfATopicArriveInItsFilesOnce(t *testing.T) {
	w := newWorld(t, 3, "web_log")
	w.sinks.Put("out", fileSink)
	tr := w.run()
	for p := range int32(3) {
		w.produce("web_log", p, 0, 1000)
	}
	w.wantLines("web_log", 3, 1000)
	eventually(t, "no lag", func() bool {
		r := tr.route("out", "web_log")
		return r.State == etcdconf.StateRunning && r.LagRecords == 0 && len(r.Partitions) == 3
	})
}

func TestATransferGoesOnWhereItStopped(t *testing.T) {
	w := newWorld(t, 2, "web_log")
	w.sinks.Put("out", fileSink)
	for round := range 3 {
		tr := w.run()
		for p := range int32(2) {
			w.produce("web_log", p, round*500, (round+1)*500)
		}
		w.wantLines("web_log", 2, (round+1)*500)
		tr.stop()
	}
}

package agent

import (
	"fmt"
	"testing"

	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/etcdconf"
)

// BenchmarkSurvey looks at 100,000 streams that are at rest, as a status or a scrape
// does.
func BenchmarkSurvey(b *testing.B) {
	j, err := journal.Open(journal.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	a := &Agent{journal: j}
	in := &input{Input: etcdconf.Input{Name: "web"}}
	a.mu.streams = map[streamID]*stream{}
	for n := range 100_000 {
		id := streamID{fmt.Sprintf("/var/log/service-%06d/app.log", n), "web_log"}
		a.mu.streams[id] = &stream{id: id, want: in}
	}
	b.ReportAllocs()
	for b.Loop() {
		if v := a.survey(); v.all.streams != 100_000 || len(v.worst) != shownStreams {
			b.Fatalf("%d streams, %d of them shown", v.all.streams, len(v.worst))
		}
	}
}

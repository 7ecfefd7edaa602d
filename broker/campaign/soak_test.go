package campaign

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// soaking is the load of a broker that runs for hours: retention and compaction bound all of it.
func soaking(w *world) []worker {
	aged := newSequences(w, "aged", 4, 2, true, "segment.bytes", "262144", "retention.bytes", "1048576")
	aged.burst = 60
	classic, next := newMembers(aged, "classic"), newMembers(aged, "next", kgo.ServerSideBalancer())
	classic.loses, next.loses = true, true
	return []worker{aged, classic, next, &keyed{w: w}, &transactions{w: w, id: "x0", retained: true}, &commits{w: w}, &churn{w: w, name: "a"}, &churn{w: w, name: "b"}}
}

// sample is what a broker takes at a moment.
type sample struct{ heap, resident, files, goroutines float64 }

// measure is a part of a sample, and how much the last quarter of a run may have more of it than the second one: so many
// times it, and so much on top for what a short run has not settled.
type measure struct {
	name, metric string
	times, more  float64
	unit         float64 // what it is told in
	part         func(*sample) *float64
}

var measures = []measure{
	{"live heap in MiB", "go_memstats_heap_alloc_bytes", 1.15, 8 << 20, 1 << 20, func(s *sample) *float64 { return &s.heap }},
	{"resident memory in MiB", "process_resident_memory_bytes", 1.2, 24 << 20, 1 << 20, func(s *sample) *float64 { return &s.resident }},
	{"open files", "process_open_fds", 1.1, 25, 1, func(s *sample) *float64 { return &s.files }},
	{"goroutines", "go_goroutines", 1.1, 40, 1, func(s *sample) *float64 { return &s.goroutines }},
}

// say is a run's quarters.
func (m measure) say(quarters [4]float64) string {
	var b strings.Builder
	for _, q := range quarters {
		fmt.Fprintf(&b, " %.1f", q/m.unit)
	}
	return m.name + b.String()
}

// look takes a sample; what is garbage is collected before.
func look(t *testing.T, admin string) (s sample) {
	t.Helper()
	get(t, admin+"/debug/pprof/heap?gc=1", func(string) {})
	found := 0
	get(t, admin+"/metrics", func(line string) {
		name, value, _ := strings.Cut(line, " ")
		for _, m := range measures {
			if name == m.metric {
				*m.part(&s), _ = strconv.ParseFloat(value, 64)
				found++
			}
		}
	})
	if found < 2 { // some systems tell nothing about processes
		t.Fatalf("only %d of the metrics are there", found)
	}
	return s
}

// get calls f with each line of a page.
func get(t *testing.T, url string, f func(line string)) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		f(lines.Text())
	}
	_, _ = io.Copy(io.Discard, resp.Body)
}

func TestSoakedBrokerStaysFlat(t *testing.T) {
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	d := length(*duration, 8*time.Second, 20*time.Second)
	p := launch(t, filepath.Join(t.TempDir(), "data"), "127.0.0.1:0", "127.0.0.1:0")
	ready := p.wait()
	w := newWorld(t, ready["broker"], soaking)
	var samples []sample
	every, began := max(d/400, 250*time.Millisecond), time.Now()
	for time.Since(began) < d && !w.failed() {
		rest(w.life, every)
		if w.failed() {
			break
		}
		samples = append(samples, look(t, ready["admin"]))
	}
	w.finish()
	p.stop()
	var said []string
	for _, m := range measures {
		var quarters [4]float64
		for q := range quarters {
			part := samples[q*len(samples)/4 : (q+1)*len(samples)/4]
			for _, s := range part {
				quarters[q] += *m.part(&s) / float64(len(part))
			}
		}
		if quarters[3] > quarters[1]*m.times+m.more {
			t.Errorf("it grows: %s", m.say(quarters))
		}
		said = append(said, m.say(quarters))
	}
	t.Logf("ran %s under load, by quarters: %s; %d records in, %d consumed by groups, %d transactions, %d commits of offsets", d, strings.Join(said, ", "),
		w.count.records.Load(), w.count.consumed.Load(), w.count.committed.Load()+w.count.aborted.Load(), w.count.commits.Load())
}

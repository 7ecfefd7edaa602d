package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/loghaul/loghaul/agent/produce/producetest"
	"github.com/loghaul/loghaul/internal/record"
)

func TestABacklogDoesNotHoldUpAFileWithALineNowAndThen(t *testing.T) {
	const backlog = 1 << 38 // of holes, which nobody reads to their end
	h := newHouse(t, oneTopic)
	h.lines("slow.log", 0, 1)
	h.write("backlog.log", "")
	if err := os.Truncate(filepath.Join(h.logs, "backlog.log"), backlog); err != nil {
		t.Skipf("no file of %d bytes is to be had here: %v", int64(backlog), err)
	}
	h.input("slow", "web_log", "slow.log", "")
	h.input("wide", "web_log", "backlog.log", `"max_line_bytes":100000`)
	r := h.start()
	slow := func() (n int) {
		h.b.Each(producetest.Partition{Topic: "web_log"}, func(rec *record.Record) {
			if strings.HasPrefix(string(rec.Value), "slow.log") {
				n++
			}
		})
		return n
	}
	read := func() (at int64) {
		for _, s := range r.Status().Streams {
			if strings.HasSuffix(s.Path, "backlog.log") {
				at = s.Position
			}
		}
		return at
	}
	for i := 1; i <= 3; i++ {
		before := read()
		h.until(func() bool { return read() > before }, func() string { return "the backlog is not read" })
		h.lines("slow.log", i, 1)
		h.until(func() bool { return slow() == i+1 }, func() string {
			return fmt.Sprintf("%d lines came of the file that has few, want %d; %d bytes of the backlog are read", slow(), i+1, read())
		})
	}
	if n := read(); n >= backlog {
		t.Errorf("the backlog was read to its end: nobody had to wait for it")
	}
}

// alive is how many bytes of the heap are in use.
func alive() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestTheBudgetHoldsWhileManyFilesGrowAndTheBrokerIsAway(t *testing.T) {
	const files, each, memory = 100, 400_000, 8 << 20
	h := newHouse(t, map[string]int32{"web_log": 16})
	h.change = func(c *Config) { c.Memory = memory }
	for i := range files {
		h.lines(fmt.Sprintf("%d.log", i), 0, 1)
	}
	h.input("web", "web_log", "*.log", `"compression":"none"`)
	r := h.start()
	h.until(func() bool { return h.count("web_log") == files }, func() string { return "not every file is followed" })
	var refused [16]atomic.Int64
	h.b.Set(func() {
		h.b.Refuse = func(at producetest.Partition, _ record.Header) int16 {
			refused[at.Number].Add(1)
			return notEnoughReplicas
		}
	})
	text := strings.Repeat(strings.Repeat("x", 199)+"\n", each/200)
	before, most := alive(), int64(0)
	for i := range files { // five times the budget in all
		h.write(fmt.Sprintf("%d.log", i), text)
	}
	for tries := int64(1); tries <= 2; tries++ {
		h.until(func() bool {
			all := true
			r.mu.Lock()
			defer r.mu.Unlock()
			for n := range r.mu.topics["web_log"].lanes {
				all = all && refused[n].Load() >= tries
			}
			return all
		}, func() string { return "not every lane has met its broker" })
		most = max(most, alive()-before)
	}
	if most > memory+memoryBase/2 { // the broker of the test has some of it
		t.Errorf("%d KiB are in use for what cannot be sent, %d are allowed", most>>10, memory>>10)
	}
	h.hear()
	h.until(func() bool { return h.count("web_log") == files*(each/200+1) }, func() string {
		return fmt.Sprintf("%d records came when the broker was back, want %d", h.count("web_log"), files*(each/200+1))
	})
}

package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/agent/produce/producetest"
	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

var oneTopic = map[string]int32{"web_log": 1}

func TestLinesOfAFileReachItsTopic(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.lines("a.log", 0, 100)
	h.input("web", "web_log", "*.log", `"labels":{"app":"nginx"}`)
	h.start()
	h.want("web_log", numbered("a.log", 0, 100))
	h.write("a.log", "no end yet")
	h.lines("b.log", 0, 10)
	h.want("web_log", append(numbered("a.log", 0, 100), numbered("b.log", 0, 10)...))
	h.write("a.log", ", and now\r\n")
	h.want("web_log", slices.Concat(numbered("a.log", 0, 100), numbered("b.log", 0, 10), []string{"no end yet, and now"}))
	h.contiguous("web_log")
	h.b.Each(producetest.Partition{Topic: "web_log"}, func(r *record.Record) {
		if !strings.HasPrefix(string(r.Key), "web-1:"+h.logs) || len(r.Headers) != 2 || string(r.Headers[0].Key) != "app" {
			t.Fatalf("record with key %s and headers %v", r.Key, r.Headers)
		}
	})
}

func TestARestartGoesOnExactlyWhereItWas(t *testing.T) {
	h := newHouse(t, map[string]int32{"web_log": 3})
	h.input("web", "web_log", "*.log", "")
	var want []string
	for round := range 5 {
		for _, name := range []string{"a.log", "b.log", "c.log"} {
			h.lines(name, round*50, 50)
			want = append(want, numbered(name, round*50, 50)...)
		}
		r := h.start()
		h.want("web_log", want)
		r.stop()
	}
	h.contiguous("web_log")
}

func TestRotationWhileRunningAndWhileDown(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "a.log", "")
	var want []string
	n := 0
	add := func() {
		h.lines("a.log", n, 20)
		want = append(want, numbered("a.log", n, 20)...)
		n += 20
	}
	add()
	r := h.start()
	h.want("web_log", want)
	add()
	h.rename("a.log", "a.log.1")
	add()
	h.want("web_log", want)
	r.stop()
	add()
	h.rename("a.log.1", "a.log.2")
	h.rename("a.log", "a.log.1")
	add()
	h.start()
	h.want("web_log", want)
	h.contiguous("web_log")
}

// The kill between the first sight of a file and its first line must not make the
// agent forget that it followed the path.
func TestAFileRotatedWhileDownBeforeItsFirstLineIsDrained(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "*.log", "")
	h.write("a.log", "")
	h.lines("b.log", 0, 1)
	r := h.start()
	h.want("web_log", numbered("b.log", 0, 1)) // so the folder has been looked at
	h.until(func() bool { return len(r.Status().Streams) == 2 }, func() string { return "two streams" })
	r.stop()
	h.lines("a.log", 0, 20)
	h.rename("a.log", "a.log.1")
	h.lines("a.log", 20, 20)
	h.start()
	h.want("web_log", append(numbered("b.log", 0, 1), numbered("a.log", 0, 40)...))
}

func TestAFileThatIsTruncatedStartsOver(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "a.log", "")
	h.lines("a.log", 0, 50)
	h.start()
	h.want("web_log", numbered("a.log", 0, 50))
	if err := os.Truncate(filepath.Join(h.logs, "a.log"), 0); err != nil {
		t.Fatal(err)
	}
	h.lines("a.log", 100, 10)
	h.want("web_log", append(numbered("a.log", 0, 50), numbered("a.log", 100, 10)...))
	h.contiguous("web_log")
}

// A life that is over is journaled as such; the file's next one begins without a line, so that nothing of it is.
func TestAFileThatWasTruncatedBeforeARestartHasAnotherGeneration(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "a.log", "")
	h.lines("a.log", 0, 50)
	r := h.start()
	h.want("web_log", numbered("a.log", 0, 50))
	if err := os.Truncate(filepath.Join(h.logs, "a.log"), 0); err != nil {
		t.Fatal(err)
	}
	over := func() bool {
		return slices.ContainsFunc(r.journal.Generations("web_log"), func(g journal.Generation) bool { return g.Ended })
	}
	h.until(over, func() string { return "the truncation is not noticed" })
	r.stop()
	h.lines("a.log", 100, 10)
	h.start()
	h.want("web_log", append(numbered("a.log", 0, 50), numbered("a.log", 100, 10)...))
	h.contiguous("web_log")
}

func TestKeysKeepAFileInOnePartition(t *testing.T) {
	h := newHouse(t, map[string]int32{"web_log": 4})
	h.input("web", "web_log", "*.log", "")
	for _, name := range []string{"a.log", "b.log", "c.log", "d.log", "e.log"} {
		h.lines(name, 0, 30)
	}
	if err := h.once(); err != nil {
		t.Fatal(err)
	}
	for n := range int32(4) {
		h.b.Each(producetest.Partition{Topic: "web_log", Number: n}, func(r *record.Record) {
			if want := line.Partition(r.Key, 4); want != n {
				t.Fatalf("key %s lies in partition %d, Kafka's client would use %d", r.Key, n, want)
			}
		})
	}
}

func TestWithoutAKeyBatchesSpread(t *testing.T) {
	h := newHouse(t, map[string]int32{"web_log": 4})
	h.input("web", "web_log", "a.log", `"key":"none","batch":{"bytes":1024,"age":"5ms"}`)
	h.lines("a.log", 0, 2000)
	if err := h.once(); err != nil {
		t.Fatal(err)
	}
	h.want("web_log", numbered("a.log", 0, 2000))
	h.contiguous("web_log")
	// Five batches of a partition may be in flight, so the first twenty go round whoever
	// answers when; after that a partition that is slow to answer is passed over.
	for n := range int32(4) {
		if got := len(h.b.Values(producetest.Partition{Topic: "web_log", Number: n})); got < 5*10 {
			t.Errorf("partition %d got %d of 2000 lines, want five batches of at least ten", n, got)
		}
	}
}

func TestAPartitionThatIsGivenIsUsed(t *testing.T) {
	h := newHouse(t, map[string]int32{"web_log": 3})
	h.input("web", "web_log", "*.log", `"partition":2`)
	h.lines("a.log", 0, 10)
	h.lines("b.log", 0, 10)
	if err := h.once(); err != nil {
		t.Fatal(err)
	}
	if got := h.b.Values(producetest.Partition{Topic: "web_log", Number: 2}); len(got) != 20 {
		t.Errorf("partition 2 holds %d records, want 20", len(got))
	}
}

func TestEveryCodecArrives(t *testing.T) {
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		h := newHouse(t, oneTopic)
		h.input("web", "web_log", "a.log", `"compression":"`+codec+`"`)
		h.lines("a.log", 0, 500)
		if err := h.once(); err != nil {
			t.Fatal(err)
		}
		h.want("web_log", numbered("a.log", 0, 500))
	}
}

func TestFiltersAndLongLines(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "a.log", `"drop":["DEBUG"],"redact":[{"pattern":"\\d{4}","with":"****"}],"max_line_bytes":100,"long_lines":"split"`)
	h.write("a.log", "one\nDEBUG two\ncard 1234\n"+strings.Repeat("x", 250)+"\nlast\nDEBUG\n")
	if err := h.once(); err != nil {
		t.Fatal(err)
	}
	x := strings.Repeat("x", 100)
	h.want("web_log", []string{"one", "card ****", x, x, x[:50], "last"})
	h.contiguous("web_log")
	h.write("a.log", "after\n")
	if err := h.once(); err != nil {
		t.Fatal(err)
	}
	h.want("web_log", []string{"one", "card ****", x, x, x[:50], "last", "after"})
	h.contiguous("web_log") // the line that was dropped before the restart is still accounted for
}

func TestOnceEndsWhenAllIsSent(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "*.log", "")
	h.lines("a.log", 0, 1000)
	h.write("b.log", "without an ending")
	h.write("empty.log", "")
	if err := h.once(); err != nil {
		t.Fatal(err)
	}
	h.want("web_log", append(numbered("a.log", 0, 1000), "without an ending"))
	if err := h.once(); err != nil {
		t.Fatal(err)
	}
	h.want("web_log", append(numbered("a.log", 0, 1000), "without an ending"))
}

func TestRule13_StartAtTheEndHoldsForTheFilesOfThatMoment(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "*.log", `"start":"end"`)
	h.lines("old.log", 0, 10)
	r := h.start()
	r.wantState("web", etcdconf.StateApplied, "")
	h.until(func() bool { return len(r.Status().Streams) == 1 && r.journalKnows("web_log", 1) }, func() string { return "the old file is not known" })
	h.lines("new.log", 0, 5)
	h.lines("old.log", 10, 5)
	h.want("web_log", append(numbered("new.log", 0, 5), numbered("old.log", 10, 5)...))
	r.stop()
	h.lines("old.log", 15, 5)
	h.lines("newer.log", 0, 5)
	h.start()
	h.want("web_log", slices.Concat(numbered("new.log", 0, 5), numbered("old.log", 10, 10), numbered("newer.log", 0, 5)))
}

// journalKnows says whether n generations are journaled.
func (a *Agent) journalKnows(topic string, n int) bool { return len(a.journal.Generations(topic)) == n }

package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// What was sent to one partition before an edit and to another after it is found in
// both, however much of others lies above it.
func TestRule7_WhatAnEditSentToAnotherPartitionIsReadBackToo(t *testing.T) {
	for _, parts := range [][2]string{{`"partition":0`, `"partition":1`}, {`"partition":1`, `"partition":0`}} {
		h := newHouse(t, map[string]int32{"web_log": 2})
		h.input("web", "web_log", "a.log", parts[0])
		h.lines("a.log", 0, 50)
		r := h.start()
		want := numbered("a.log", 0, 50)
		h.want("web_log", want)
		h.input("web", "web_log", "a.log", parts[1])
		h.lines("a.log", 50, 50)
		want = append(want, numbered("a.log", 50, 50)...)
		h.want("web_log", want)
		h.input("noise", "web_log", "noise.log", parts[1])
		h.lines("noise.log", 0, 6000)
		want = append(want, numbered("noise.log", 0, 6000)...)
		h.want("web_log", want)
		r.stop()
		h.forget()
		h.lines("a.log", 100, 50)
		r = h.start()
		h.want("web_log", slices.Concat(want, numbered("a.log", 100, 50)))
		h.contiguous("web_log")
		r.wantNoDoubles()
		r.stop()
	}
}

// A copy of the journal that was taken elsewhere knows nothing of partitions to which the
// first one began to send later: they are asked too. Without a key nobody can say whose
// the records are, and what is sent again is counted.
func TestRule4_AMovedJournalAsksPartitionsThatItDoesNotKnow(t *testing.T) {
	for _, more := range []string{"", `"key":"none","batch":{"bytes":1024,"age":"1ms"}`} {
		h := newHouse(t, map[string]int32{"web_log": 3})
		h.input("web", "web_log", "*.log", more)
		h.lines("a.log", 0, 50)
		r := h.start()
		want := numbered("a.log", 0, 50)
		h.want("web_log", want)
		r.stop()
		moved := *h
		moved.data = filepath.Join(t.TempDir(), "data")
		if err := os.CopyFS(moved.data, os.DirFS(h.data)); err != nil {
			t.Fatal(err)
		}
		r = h.start()
		for n := range 6 { // in all partitions
			name := fmt.Sprintf("b%d.log", n)
			h.lines(name, 0, 20)
			want = append(want, numbered(name, 0, 20)...)
		}
		h.lines("a.log", 50, 200)
		want = append(want, numbered("a.log", 50, 200)...)
		h.want("web_log", want)
		r.stop()
		h.lines("a.log", 250, 10)
		want = append(want, numbered("a.log", 250, 10)...)
		r = moved.start()
		if more == "" {
			h.want("web_log", want)
			h.contiguous("web_log")
			r.wantNoDoubles()
			continue
		}
		doubles := func() int { return h.count("web_log") - len(want) }
		h.until(func() bool { return doubles() >= 0 && r.client.InFlight() == 0 && r.journalKnows("web_log", 7) }, func() string { return "lines are missing" })
		r.stop()
		if n := r.client.PossibleDoubles(); int64(doubles()) > n {
			t.Errorf("%d records are double, %d are counted", doubles(), n)
		}
	}
}

// A file that was compressed before all of it was sent cannot be told from another one by
// a journal that is new; that is said.
func TestRule7_ArchivesThatANewJournalDoesNotLeadIntoAreNamed(t *testing.T) {
	for _, packed := range []bool{true, false} {
		h := newHouse(t, oneTopic)
		h.input("web", "web_log", "a.log", "")
		h.lines("a.log", 0, 50)
		r := h.start()
		h.want("web_log", numbered("a.log", 0, 50))
		r.stop()
		h.forget()
		name := "b.log.1.gz" // not named after it
		if packed {
			name = "a.log.1.gz"
		}
		h.write(name, "what it holds does not matter\n")
		h.write("new", strings.Join(numbered("a.log", 50, 20), "\n")+"\n")
		h.rename("new", "a.log")
		r = h.start()
		h.want("web_log", numbered("a.log", 0, 70))
		r.stop()
		if told := strings.Contains(h.log.String(), "a.log.1.gz"); told != packed {
			t.Errorf("packed %v: the archive is named: %v", packed, told)
		}
	}
}

// Of a file whose records had no key once and have one now, or the other way round, each
// line is known by where it stands.
func TestRule7_AnEditOfTheKeyIsReadBackToo(t *testing.T) {
	const noKey = `"key":"none","batch":{"bytes":1024,"age":"1ms"}`
	for _, keys := range [][]string{{noKey, ""}, {"", noKey}, {noKey, "", noKey}} {
		h := newHouse(t, map[string]int32{"web_log": 3})
		var want []string
		for i, key := range keys {
			h.input("web", "web_log", "a.log", key)
			r := h.start() // where a life's last lines went the next one goes on
			h.lines("a.log", 200*i, 200)
			want = append(want, numbered("a.log", 200*i, 200)...)
			h.want("web_log", want)
			r.stop()
		}
		h.forget()
		h.lines("a.log", 200*len(keys), 50)
		want = append(want, numbered("a.log", 200*len(keys), 50)...)
		r := h.start()
		h.want("web_log", want)
		h.contiguous("web_log")
		r.wantNoDoubles()
		r.stop()
	}
}

// What others sent to one partition does not use up what may be read of the next.
func TestRule7_EachPartitionGetsItsShareOfWhatIsReadBack(t *testing.T) {
	h := newHouse(t, map[string]int32{"web_log": 2})
	h.change = func(c *Config) { c.RecallBytes = 2 << 20 }
	h.input("web", "web_log", "a.log", `"partition":1`)
	h.lines("a.log", 0, 100)
	r := h.start()
	h.want("web_log", numbered("a.log", 0, 100))
	r.stop()
	noise := func(partition int32, id int64, value string) {
		b := record.NewBuilder(0)
		for range 500 {
			b.Append(0, []byte("another host"), []byte(value), 0, nil)
		}
		now := time.Now().UnixMilli()
		sealed, err := b.Seal(nil, record.Producer{ID: id}, record.None, now, now)
		if err != nil {
			t.Fatal(err)
		}
		h.b.Set(func() {
			if code, _ := h.b.Append(partitionOf("web_log", partition), sealed); code != 0 {
				t.Errorf("code %d", code)
			}
		})
	}
	for id := range int64(10) { // more than may be read of both, and more than the first step here
		noise(0, 1<<40+id, strings.Repeat("x", 1000))
		noise(1, 1<<40+id, "x")
	}
	h.forget()
	h.lines("a.log", 100, 20)
	r = h.start()
	h.until(func() bool { return slices.Contains(h.values("web_log"), "a.log line 119") }, func() string { return "the new lines are not there" })
	seen := map[string]int{}
	for _, v := range h.values("web_log") {
		if seen[v]++; seen[v] > 1 && strings.HasPrefix(v, "a.log") {
			t.Fatalf("%q is there %d times", v, seen[v])
		}
	}
	r.stop()
}

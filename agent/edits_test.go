package agent

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/loghaul/loghaul/agent/produce/producetest"
	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/record"
)

func TestAnEditOfAnInputKeepsPositions(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "a.log", "")
	h.lines("a.log", 0, 10)
	r := h.start()
	h.want("web_log", numbered("a.log", 0, 10))
	for i, more := range []string{`"labels":{"x":"y"}`, `"max_line_bytes":500`, `"key":"none"`, `"partition":0`, `"batch":{"bytes":2000,"age":"1ms"},"compression":"zstd"`} {
		h.input("web", "web_log", "a.log", more)
		h.lines("a.log", 10+i*10, 10)
		h.want("web_log", numbered("a.log", 0, 20+i*10))
		r.wantState("web", etcdconf.StateApplied, "")
	}
	h.contiguous("web_log")
}

func TestAnotherTopicBeginsAnewAndTheOldOneStops(t *testing.T) {
	h := newHouse(t, map[string]int32{"web_log": 1, "other": 1})
	h.input("web", "web_log", "a.log", "")
	h.lines("a.log", 0, 10)
	h.start()
	h.want("web_log", numbered("a.log", 0, 10))
	h.input("web", "other", "a.log", "")
	h.want("other", numbered("a.log", 0, 10))
	h.lines("a.log", 10, 10)
	h.want("other", numbered("a.log", 0, 20))
	h.want("web_log", numbered("a.log", 0, 10))
	h.input("web", "web_log", "a.log", "")
	h.want("web_log", numbered("a.log", 0, 20))
}

func TestAPausedInputRestsAndKeepsItsPlace(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "a.log", "")
	h.lines("a.log", 0, 10)
	r := h.start()
	h.want("web_log", numbered("a.log", 0, 10))
	h.input("web", "web_log", "a.log", `"paused":true`)
	r.wantState("web", etcdconf.StatePaused, "")
	h.lines("a.log", 10, 10)
	h.input("other", "web_log", "b.log", "")
	h.lines("b.log", 0, 10)
	h.want("web_log", append(numbered("a.log", 0, 10), numbered("b.log", 0, 10)...))
	h.input("web", "web_log", "a.log", "")
	h.want("web_log", append(numbered("a.log", 0, 20), numbered("b.log", 0, 10)...))
}

func TestTheFirstOfTwoInputsSends(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("b", "web_log", "*.log", `"labels":{"from":"b"}`)
	h.input("a", "web_log", "*.log", `"labels":{"from":"a"}`)
	h.lines("a.log", 0, 10)
	r := h.start()
	h.want("web_log", numbered("a.log", 0, 10))
	r.wantState("a", etcdconf.StateApplied, "")
	r.wantState("b", etcdconf.StateOverlapped, "earlier name")
	h.inputs.Delete("a")
	r.wantState("b", etcdconf.StateApplied, "")
	h.lines("a.log", 10, 10)
	h.want("web_log", numbered("a.log", 0, 20))
}

func TestInputsForOthersAreLeftAlone(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("other-host", "web_log", "*.log", `"on":{"hosts":["db-*"]}`)
	h.input("other-label", "web_log", "*.log", `"on":{"labels":{"tier":"back"}}`)
	h.input("ours", "web_log", "a.log", `"on":{"hosts":["web-*"],"labels":{"tier":"front"}}`)
	h.lines("a.log", 0, 5)
	h.lines("b.log", 0, 5)
	r := h.start()
	h.want("web_log", numbered("a.log", 0, 5))
	if st := r.Status(); len(st.Inputs) != 1 || st.Inputs[0].Name != "ours" {
		t.Errorf("inputs %+v, want ours alone", st.Inputs)
	}
}

func TestWhatThisVersionCannotHonourIsSaid(t *testing.T) {
	h := newHouse(t, oneTopic)
	for name, more := range map[string]string{
		"encoding": `"encoding":"gbk"`, "format": `"format":"cri"`, "multiline": `"multiline":{"start":"^x"}`, "reader": `"reader":"tail"`,
	} {
		h.input(name, "web_log", "*.log", more)
	}
	h.input("good", "web_log", "a.log", "")
	h.lines("a.log", 0, 5)
	r := h.start()
	for _, name := range []string{"encoding", "format", "multiline", "reader"} {
		r.wantState(name, etcdconf.StateFailed, name)
	}
	h.want("web_log", numbered("a.log", 0, 5))
}

func TestABadValueLeavesTheLastGoodOneRunning(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "a.log", "")
	r := h.start()
	h.lines("a.log", 0, 5)
	h.want("web_log", numbered("a.log", 0, 5))
	h.input("web", "web_log", "a.log", `"drop":["("]`)
	r.wantState("web", etcdconf.StateFailed, "drop")
	h.lines("a.log", 5, 5)
	h.want("web_log", numbered("a.log", 0, 10))
}

func TestNothingOutsideTheRootsOrOurOwnIsFollowed(t *testing.T) {
	h := newHouse(t, oneTopic)
	outside := filepath.Join(filepath.Dir(h.logs), "outside.log")
	if err := os.WriteFile(outside, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(h.logs, "link.log")); err != nil {
		t.Fatal(err)
	}
	h.data = filepath.Join(h.logs, "data")
	h.input("web", "web_log", "**", "")
	h.input("root", "web_log", "../outside.log", "")
	h.lines("a.log", 0, 5)
	r := h.start()
	h.want("web_log", numbered("a.log", 0, 5))
	r.wantState("root", etcdconf.StateFailed, "--allow-root")
	r.stop()
	if got := h.values("web_log"); len(got) != 5 {
		t.Errorf("%d records: %v", len(got), got)
	}
}

func TestOneFolderOneAgent(t *testing.T) {
	h := newHouse(t, oneTopic)
	r := h.start()
	<-r.Ready()
	second, err := New(h.config())
	if err != nil {
		t.Fatal(err)
	}
	err = second.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), h.data) || !strings.Contains(err.Error(), "in use by pid") {
		t.Errorf("a second agent: %v, want the folder and the pid named", err)
	}
	if fi, err := os.Stat(h.data); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v", fi.Mode())
	}
}

func TestRule1_PartitionsThatAreAddedAreUsedByNewGenerations(t *testing.T) {
	h := newHouse(t, oneTopic)
	names := []string{"a.log", "b.log", "c.log", "d.log"}
	h.input("web", "web_log", "*.log", "")
	r := h.start()
	var want []string
	for _, name := range names {
		h.lines(name, 0, 10)
		want = append(want, numbered(name, 0, 10)...)
	}
	h.want("web_log", want)
	r.mu.Lock()
	tp := r.mu.topics["web_log"]
	r.mu.Unlock()
	h.b.Grow("web_log", 4)
	tp.recount(t.Context())
	for _, name := range names {
		h.lines(name, 10, 10)
		want = append(want, numbered(name, 10, 10)...)
	}
	h.want("web_log", want)
	if got := len(h.b.Values(partitionOf("web_log", 0))); got != len(want) {
		t.Errorf("partition 0 holds %d records, want all %d: generations stay where they began", got, len(want))
	}
	for _, name := range names {
		h.rename(name, name+".1")
		h.lines(name, 20, 10)
		want = append(want, numbered(name, 20, 10)...)
	}
	h.want("web_log", want)
	used := 0
	for n := range int32(4) {
		if got := h.b.Values(partitionOf("web_log", n)); n > 0 && len(got) > 0 {
			used++
		}
	}
	if used == 0 {
		t.Error("no new partition is used after a rotation")
	}
}

func TestRule1_AnEditWhileAStreamChangesPartitionsLosesNothing(t *testing.T) {
	h := newHouse(t, oneTopic)
	names := []string{"a.log", "b.log", "c.log", "d.log"}
	h.input("web", "web_log", "*.log", "")
	r := h.start()
	var want []string
	add := func(from int) {
		for _, name := range names {
			h.lines(name, from, 10)
			want = append(want, numbered(name, from, 10)...)
		}
	}
	add(0)
	h.want("web_log", want)
	r.mu.Lock()
	tp := r.mu.topics["web_log"]
	l := tp.lanes[0]
	r.mu.Unlock()
	h.b.Grow("web_log", 4)
	tp.recount(t.Context())
	h.b.Set(func() {
		h.b.Refuse = func(producetest.Partition, record.Header) int16 { return kerr.NotEnoughReplicas.Code }
	})
	add(10)
	for _, name := range names {
		h.rename(name, name+".1")
	}
	add(20)
	// The first lines of a new file are read, and wait for the last ones of the old.
	h.until(func() bool {
		held := make(chan bool, 1)
		l.tell(func(context.Context) {
			any := false
			for s := range l.streams {
				any = any || s.holding()
			}
			held <- any
		})
		return <-held
	}, func() string { return "no stream waits for its next partition" })
	h.input("web", "web_log", "*.log", `"max_line_bytes":500`)
	h.until(func() bool { return r.input("web").Revision > 1 }, func() string { return "the edit is not applied" })
	h.b.Set(func() { h.b.Refuse = nil })
	h.want("web_log", want)
	add(30)
	h.want("web_log", want)
	h.contiguous("web_log")
}

func TestAPartitionThatIsNotThereIsFailedAndMendedByAnEditOrByMorePartitions(t *testing.T) {
	h := newHouse(t, map[string]int32{"web_log": 3})
	h.input("web", "web_log", "a.log", "")
	h.lines("a.log", 0, 5)
	r := h.start()
	h.want("web_log", numbered("a.log", 0, 5))
	failed := func() bool { return r.Status().Inputs[0].State == etcdconf.StateFailed }
	state := func() string { return fmt.Sprintf("%+v", r.Status().Inputs) }

	h.input("web", "web_log", "a.log", `"partition":7`)
	h.until(failed, state)
	h.lines("a.log", 5, 5)
	h.input("web", "web_log", "a.log", `"partition":2`)
	h.want("web_log", numbered("a.log", 0, 10))
	h.until(func() bool { return r.Status().Inputs[0].State == etcdconf.StateApplied }, state)

	h.input("web", "web_log", "a.log", `"partition":7`)
	h.until(failed, state)
	h.lines("a.log", 10, 5)
	h.b.Grow("web_log", 8)
	r.mu.Lock()
	tp := r.mu.topics["web_log"]
	r.mu.Unlock()
	tp.recount(t.Context())
	h.want("web_log", numbered("a.log", 0, 15))
	h.contiguous("web_log")
}

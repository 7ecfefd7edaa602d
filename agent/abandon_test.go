package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/loghaul/loghaul/agent/produce/producetest"
	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/record"
)

// refuse makes the broker refuse what comes for one topic; 0: no more.
func (h *house) refuse(topic string, code int16) {
	h.b.Set(func() {
		h.b.Refuse = func(at producetest.Partition, _ record.Header) int16 {
			if at.Topic == topic {
				return code
			}
			return 0
		}
	})
}

func TestRule9_WhatCanNeverMoveIsGivenUpAsAsked(t *testing.T) {
	for _, running := range []bool{true, false} {
		h := newHouse(t, map[string]int32{"web_log": 1, "other": 1})
		h.change = func(c *Config) { c.DrainWait = 100 * time.Millisecond }
		h.input("web", "web_log", "a.log", "")
		h.input("side", "other", "b.log", "")
		h.refuse("web_log", kerr.InvalidRecord.Code)
		h.lines("a.log", 0, 20)
		h.lines("b.log", 0, 20)
		r := h.start()
		r.wantState("web", etcdconf.StateFailed, "cleanup.policy")
		h.want("other", numbered("b.log", 0, 20))
		if !running {
			r.stop()
		}
		h.until(func() bool { plan, err := UnsentBy(h.data, "side"); return err == nil && len(plan) == 0 }, func() string { return "batches of the other input would be given up" })
		plan, err := UnsentBy(h.data, "web")
		if err != nil || len(plan) != 1 || plan[0].Records != 20 || plan[0].Topic != "web_log" || plan[0].Bytes != int64(len(strings.Join(numbered("a.log", 0, 20), "\n")))+1 {
			t.Fatalf("the plan is %+v, %v; want the 20 lines that are in doubt", plan, err)
		}
		if err := Abandon(h.data, "web"); err != nil {
			t.Fatal(err)
		}
		if !running {
			r = h.start()
		}
		h.until(func() bool { plan, err := UnsentBy(h.data, "web"); return err == nil && len(plan) == 0 }, func() string { return "the lines are not given up" })
		h.refuse("web_log", 0)
		h.lines("a.log", 20, 20)
		h.want("web_log", numbered("a.log", 20, 20))
		r.wantState("web", etcdconf.StateApplied, "")
		if lost := r.metrics.lost.Load(); lost != plan[0].Bytes {
			t.Errorf("%d bytes are counted as lost, want %d", lost, plan[0].Bytes)
		}
	}
}

func TestWhatWaitsForATopicThatIsGoneIsGivenUpAsAsked(t *testing.T) {
	h := newHouse(t, map[string]int32{"web_log": 1, "other": 1})
	h.change = func(c *Config) { c.DrainWait = 100 * time.Millisecond }
	h.input("web", "web_log", "a.log", "")
	h.lines("a.log", 0, 20)
	h.refuse("web_log", kerr.NotEnoughReplicas.Code)
	r := h.start()
	h.until(func() bool { plan, err := UnsentBy(h.data, "web"); return err == nil && len(plan) == 1 }, func() string { return "nothing is begun" })
	r.stop()
	h.b.Stop()
	h.b.Start(map[string]int32{"other": 1}) // and web_log is not made again by itself
	h.input("web", "other", "a.log", `"topic_create":{"partitions":1}`)
	h.start()
	h.want("other", numbered("a.log", 0, 20))
	if err := Abandon(h.data, "web"); err != nil {
		t.Fatal(err)
	}
	h.until(func() bool { plan, err := UnsentBy(h.data, "web"); return err == nil && len(plan) == 0 }, func() string { return "the lines are not given up" })
}

func TestAFolderWithoutAnAgentHasNothingToGiveUp(t *testing.T) {
	dir := t.TempDir()
	if _, err := UnsentBy(dir, "web"); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("a folder without a journal: %v, want the mend", err)
	}
	h := newHouse(t, oneTopic)
	r := h.start()
	<-r.Ready()
	if plan, err := UnsentBy(h.data, "web"); err != nil || !slices.Equal(plan, nil) {
		t.Errorf("%+v, %v", plan, err)
	}
}

func TestARequestThatWouldBeHeededAgainIsNotHeeded(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.change = func(c *Config) { c.DrainWait = 100 * time.Millisecond }
	h.input("web", "web_log", "a.log", "")
	h.refuse("web_log", kerr.NotEnoughReplicas.Code)
	h.lines("a.log", 0, 20)
	h.start()
	h.until(func() bool { plan, err := UnsentBy(h.data, "web"); return err == nil && len(plan) == 1 }, func() string { return "nothing is begun" })
	if err := os.MkdirAll(filepath.Join(h.data, abandonDir, "web", "stuck"), 0o700); err != nil { // not to be removed
		t.Fatal(err)
	}
	h.until(func() bool { return h.log.count("cannot be removed") > 0 }, func() string { return "nobody is told" })
	h.refuse("web_log", 0)
	h.want("web_log", numbered("a.log", 0, 20))
}

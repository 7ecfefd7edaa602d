package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/loghaul/loghaul/agent/batch"
	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/agent/spool"
	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/disk/crashdisk"
	"github.com/loghaul/loghaul/internal/line"
)

func TestRule10WhatGoesFromItsPathWhileTheBrokerIsAwayIsSentWhenItIsBack(t *testing.T) {
	for name, known := range map[string]bool{"followed before": true, "new": false} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, oneTopic)
			h.input("web", "web_log", "*.log", "")
			var want []string
			if known {
				h.lines("a.log", 0, 10)
				r := h.start()
				h.want("web_log", numbered("a.log", 0, 10))
				r.stop()
			}
			h.b.Stop()
			h.lines("a.log", 10, 10)
			r := h.start()
			<-r.Ready()
			h.until(func() bool { r.guards.Lock(); defer r.guards.Unlock(); return r.guards.open == 1 }, func() string { return "the file is not held open" })
			h.remove("a.log") // and nobody makes another
			h.until(func() bool { return h.spooled() > int64(len(lines("a.log", 10, 10))) }, func() string { return "the deleted file is not in the spool" })
			h.b.Start(oneTopic)
			want = numbered("a.log", 10, 10)
			if known {
				want = numbered("a.log", 0, 20)
			}
			h.want("web_log", want)
			h.contiguous("web_log")
			h.until(func() bool { return h.spooled() == 0 }, func() string { return "the spool is not emptied" })
		})
	}
}

func TestRule10FilesAreHeldAtOnceWhenItIsKnownThatTheirTopicTakesItsTime(t *testing.T) {
	gs := &guards{wake: make(chan struct{}, 1)}
	g := &guard{id: streamID{"/var/log/a.log", "web_log"}, since: time.Now().Add(time.Hour)}
	gs.of("web_log").byPath["/var/log/a.log"] = g
	if n := len(gs.due()); n != 0 {
		t.Fatalf("%d files are opened before anybody knows whether their topic is there", n)
	}
	gs.hurry("audit")
	if n := len(gs.due()); n != 0 {
		t.Fatalf("%d files are opened because of another topic", n)
	}
	gs.hurry("web_log")
	if all := gs.due(); len(all) != 1 || len(gs.wake) != 1 {
		t.Fatalf("%d files are opened, woken %d: what is deleted until the topic is there is lost", len(all), len(gs.wake))
	}
}

func TestRule10FilesThatComeAndGoWhileTheTopicIsAwayCostNoMoreThanTheirNames(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "*.log", "")
	h.b.Stop()
	r := h.start()
	<-r.Ready()
	held := func(n int) {
		t.Helper()
		h.until(func() bool {
			r.guards.Lock()
			defer r.guards.Unlock()
			return r.guards.n == n && (r.guards.open > 0) == (n > 0)
		}, func() string {
			r.guards.Lock()
			defer r.guards.Unlock()
			return fmt.Sprintf("%d files are held, with %d descriptors; want %d", r.guards.n, r.guards.open, n)
		})
	}
	var want []string
	for i := range 3 {
		name := fmt.Sprintf("%d.log", i)
		h.lines(name, 0, 10)
		want = append(want, numbered(name, 0, 10)...)
		held(1)
		h.remove(name)
		held(0)
	}
	h.lines("0.log", 10, 5) // the name comes back
	want = append(want, numbered("0.log", 10, 5)...)
	held(1)
	h.b.Start(oneTopic)
	h.want("web_log", want)
	h.contiguous("web_log")
	h.until(func() bool { return h.spooled() == 0 }, func() string { return "the spool is not emptied" })
}

// remembering is an agent that has a journal and a spool in dir, and nothing else.
func remembering(t *testing.T, d disk.FS, dir string) *Agent {
	t.Helper()
	j, err := journal.Open(journal.Config{Dir: filepath.Join(dir, "journal"), Disk: d})
	if err != nil {
		t.Fatal(err)
	}
	s, err := spool.Open(spool.Config{Dir: filepath.Join(dir, "spool"), Disk: d})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), j.Close()); err != nil {
			t.Error(err)
		}
	})
	return &Agent{journal: j, spool: s, log: slog.New(slog.DiscardHandler)}
}

func (a *Agent) keepOf(t *testing.T, cp follow.Checkpoint, text string) {
	t.Helper()
	n, err := spooler{a, "web_log"}.Keep(cp, follow.Kept{Size: int64(len(text))}, []byte(text))
	if err != nil || n != len(text) {
		t.Fatalf("kept %d bytes, %v", n, err)
	}
}

func TestRule10APowerCutLeavesNothingInTheSpoolThatTheJournalDoesNotKnow(t *testing.T) {
	for seed := range uint64(20) {
		d, dir := crashdisk.New(), t.TempDir()
		a := remembering(t, d, dir)
		a.keepOf(t, follow.Checkpoint{ID: follow.ID{Inode: 7}, Path: "/var/log/a.log"}, "a line\n")
		cut := filepath.Join(t.TempDir(), "cut")
		if err := d.PowerCut(rand.New(rand.NewPCG(seed, 6)), dir, cut); err != nil {
			t.Fatal(err)
		}
		after := remembering(t, disk.Real{}, cut)
		list := after.spool.List()
		if len(list) != 1 {
			t.Fatalf("seed %d: the spool has %d generations, want the one that was kept", seed, len(list))
		}
		for key := range list {
			if _, ok := after.journal.Known(key.Topic, journalID(key.ID)); !ok {
				t.Fatalf("seed %d: the spool has a generation that the journal does not know: its lines are never sent", seed)
			}
		}
	}
}

func TestRule7_WhatIsDeletedWhileTheTopicIsReadBackStaysInTheJournal(t *testing.T) {
	a := remembering(t, disk.Real{}, t.TempDir())
	path := filepath.Join(t.TempDir(), "a.log")
	sent, deleted := follow.Checkpoint{ID: follow.ID{Inode: 7}, Path: path}, follow.Checkpoint{ID: follow.ID{Inode: 8}, Path: path}
	a.keepOf(t, deleted, "a line\n") // held while the topic is read, and deleted
	r := &recall{t: &topic{a: a, name: "web_log"}, anew: true, files: []follow.Checkpoint{sent, deleted}, paths: map[string][]int{path: {0, 1}},
		found: map[int]*stored{0: {life: sent, path: path, end: 10}}, plain: map[string]bool{}}
	if err := r.keep(); err != nil {
		t.Fatal(err)
	}
	if g, ok := a.journal.Known("web_log", journalID(sent.ID)); !ok || g.Position != 10 {
		t.Errorf("what was sent is journaled %t, to %d; want it to 10", ok, g.Position)
	}
	if _, ok := a.journal.Known("web_log", journalID(deleted.ID)); !ok {
		t.Error("a generation is forgotten that only the spool has: its lines are never sent")
	}
}

func TestRule4_WhatIsNobodysIsNotForgottenWhenItsFileCannotBeLookedForYet(t *testing.T) {
	a := remembering(t, disk.Real{}, t.TempDir())
	tp := &topic{a: a, name: "web_log"}
	tp.strays.add(stray{batch.Run{Generation: line.Generation(7), From: 0, To: 10, Records: 1}, true})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tp.recall(ctx, journal.Doubt{Why: "its end was torn"}); err == nil {
		t.Fatal("it was looked for")
	}
	if n := len(tp.strays.take()); n != 1 {
		t.Errorf("%d runs are left for the next try, want 1: it would be sent again", n)
	}
}

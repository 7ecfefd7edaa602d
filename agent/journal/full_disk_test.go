package journal

import (
	"errors"
	"syscall"
	"testing"
)

func TestAFullDiskRefusesWhatBeginsAndForgetsNothing(t *testing.T) {
	j := open(t, t.TempDir())
	g := register(t, j, 1)
	e := begin(t, j, batch(g, 0, 1, 0, 100))
	full := fill(j)
	*full = true
	if err := j.Begin(batch(g, 1, 1, 100, 200)); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Begin on a full disk: %v, want ENOSPC", err)
	}
	j.Done(e.Seq, 4)
	if acked, begun := j.Progress(g.Ref); acked != 100 || begun != 100 {
		t.Fatalf("acknowledged %d, begun %d, want 100 and 100", acked, begun)
	}

	again := crash(t, j) // killed while the disk was full: the acknowledgement is not known
	if len(again.InDoubt()[web]) != 1 {
		t.Fatalf("in doubt: %v, want the first batch", again.InDoubt())
	}
	again.Close()

	*full = false
	begin(t, j, batch(g, 1, 1, 100, 200))
	again = crash(t, j) // killed after there was room: it is
	if got := again.InDoubt()[web]; len(got) != 1 || got[0].Producer.Sequence != 1 {
		t.Errorf("in doubt: %v, want the second batch alone", got)
	}
}

func TestTheFileIsWrittenAnewWhenItIsLong(t *testing.T) {
	j := openWith(t, Config{Dir: t.TempDir(), CompactBytes: 10_000})
	g := register(t, j, 1)
	for i := range int32(2000) {
		e := begin(t, j, batch(g, i, 1, pos(int64(i)*100), pos(int64(i+1)*100)))
		if i < 1997 {
			j.Done(e.Seq, 0)
		}
		if err := j.compactIfLong(); err != nil {
			t.Fatal(err)
		}
	}
	if got := size(t, j.path(j.mu.number)); got > 12_000 || j.mu.number < 10 {
		t.Errorf("file %d holds %d bytes, want a short one after many", j.mu.number, got)
	}
	last := j.mu.seqs
	j = crash(t, j)
	if n := len(j.InDoubt()[web]); n != 3 || j.mu.seqs != last {
		t.Errorf("%d in doubt and sequence %d, want 3 and %d", n, j.mu.seqs, last)
	}
	if acked, _ := j.Progress(g.Ref); acked != 199_700 {
		t.Errorf("acknowledged %d, want 199700", acked)
	}
}

func TestGenerationsLongGoneAreForgotten(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), Now: clockAt(100)}
	j := openWith(t, cfg)
	old, doubt, idle := register(t, j, 1), register(t, j, 2), register(t, j, 4)
	begin(t, j, batch(doubt, 0, 1, 0, 100))
	j.cfg.Now = clockAt(140)
	fresh := register(t, j, 3)
	j.Saw(idle.Topic, idle.ID)
	j.mu.Lock()
	err := j.compact()
	j.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	j = crash(t, j)
	if _, ok := j.Get(old.Ref); ok {
		t.Error("a generation not seen for 40 days is still there")
	}
	for _, g := range []Generation{doubt, fresh, idle} {
		if _, ok := j.Get(g.Ref); !ok {
			t.Errorf("generation %d was forgotten", g.Ref)
		}
	}
}

// An agent that was down for a year, or whose clock says so, has looked for no file
// meanwhile: it knows them all.
func TestAClockThatJumpsForgetsNothing(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), Now: clockAt(100)}
	j := openWith(t, cfg)
	g := register(t, j, 1)
	for _, at := range []int{500, 50, 900} {
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		cfg.Now = clockAt(at)
		j = openWith(t, cfg)
		register(t, j, at)
		j.mu.Lock()
		err := j.compact()
		j.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := j.Get(g.Ref); !ok {
			t.Fatalf("on day %d a file of day 100 was forgotten, though nobody has looked for it since", at)
		}
	}
	j.cfg.Now = clockAt(940) // in which an agent ran
	j.mu.Lock()
	err := j.compact()
	j.mu.Unlock()
	if _, ok := j.Get(g.Ref); ok || err != nil {
		t.Errorf("a generation not seen for 40 days is still there (%v)", err)
	}
}

package worker

import (
	"errors"
	"syscall"
	"testing"

	"github.com/loghaul/loghaul/transfer/sink"
)

func TestASinkThatFailsIsShownAndTriedAgain(t *testing.T) {
	w := newWorld(t, 1)
	r := w.work(0)
	eventually(t, "taken over", func() bool { return r.Status().Moving })
	w.sink.failWith(syscall.ENOSPC)
	w.produce(0, 0, 50)
	eventually(t, "the error is shown", func() bool { return errors.Is(r.Status().Err, syscall.ENOSPC) })
	if got := w.group.offset(0); got != 0 {
		t.Errorf("committed %d while the disk is full", got)
	}
	w.sink.failWith(nil)
	w.sink.wantLines(t, 0, 50)
	eventually(t, "all is well", func() bool { s := r.Status(); return s.Err == nil && s.LagRecords == 0 && s.Committed == 50 })
}

func TestADrainGivesUpOnASinkThatFails(t *testing.T) {
	w := newWorld(t, 1)
	r := w.work(0)
	eventually(t, "taken over", func() bool { return r.Status().Moving })
	w.sink.failWith(syscall.EIO)
	w.produce(0, 0, 50)
	eventually(t, "the sink was tried", func() bool { return r.Status().Err != nil })
	if err := r.drain(t); !errors.Is(err, syscall.EIO) {
		t.Fatalf("draining: got %v, want the sink's error", err)
	}
	if got := w.group.offset(0); got != 0 {
		t.Errorf("committed %d, but nothing was stored", got)
	}
}

func TestACommitThatIsRefusedIsTriedAgain(t *testing.T) {
	w := newWorld(t, 1)
	r := w.work(0)
	eventually(t, "taken over", func() bool { return r.Status().Moving })
	w.group.failWith(errors.New("not authorized"))
	w.produce(0, 0, 50)
	eventually(t, "the error is shown", func() bool { return r.Status().Err != nil })
	w.group.failWith(nil)
	eventually(t, "committed", func() bool { return w.group.offset(0) == 50 })
}

func TestAPartitionThatCannotBeTakenOverIsTriedAgain(t *testing.T) {
	w := newWorld(t, 1)
	w.produce(0, 0, 10)
	w.sink.failWith(errors.New("somebody else writes the file"))
	r := w.work(0)
	eventually(t, "the error is shown", func() bool { return r.Status().Err != nil && !r.Status().Moving })
	w.sink.failWith(nil)
	w.sink.wantLines(t, 0, 10)
}

func TestRecordsThatRetentionTookAreCounted(t *testing.T) {
	w := newWorld(t, 1)
	w.produce(0, 0, 100)
	if err := w.cluster.DeleteRecords("web_log", 0, 40); err != nil {
		t.Fatal(err)
	}
	w.group.mu.commits[0] = Commit{Offset: 10}
	r := w.work(0)
	eventually(t, "60 lines stored", func() bool { return w.sink.count(0) == 60 })
	if got := r.Status().Lost; got != 30 {
		t.Errorf("lost %d, want 30: offsets 10 to 39", got)
	}
	eventually(t, "committed", func() bool { return w.group.offset(0) == 100 })
}

func TestALeaderThatMovesIsFollowed(t *testing.T) {
	w := newWorld(t, 1)
	w.work(0)
	for i := range 6 {
		if err := w.cluster.MoveTopicPartition("web_log", 0, int32(i%2)); err != nil {
			t.Fatal(err)
		}
		w.produce(0, i*10, (i+1)*10)
		w.sink.wantLines(t, 0, (i+1)*10)
	}
}

func TestManyPartitionsShareOneConnectionToALeader(t *testing.T) {
	w := newWorld(t, 20)
	for p := range int32(20) {
		w.produce(p, 0, 100)
		w.work(p)
	}
	for p := range int32(20) {
		w.sink.wantLines(t, p, 100)
	}
	if n := len(w.fetcher.leaders); n > 2 {
		t.Errorf("%d connections to 2 brokers", n)
	}
}

// A sink that hangs holds its own route's memory and no more; another route goes on.
func TestARouteThatHangsDoesNotStarveAnother(t *testing.T) {
	w := newWorld(t, 4)
	budget := NewBudget(16 << 20)
	stuck := newFakeSink()
	stuck.gate = make(chan struct{})
	hung := NewFetcher(FetchConfig{Cluster: w, Portion: budget.Join()})
	live := NewFetcher(FetchConfig{Cluster: w, Portion: budget.Join()})
	w.serve(hung)
	w.serve(live)
	for p := range int32(4) {
		w.produce(p, 0, 20_000)
		w.work(p, func(c *Config) { c.Sink, c.Fetcher, c.Commits = stuck, hung, newFakeGroup() })
	}
	for p := range int32(4) {
		w.work(p, func(c *Config) { c.Fetcher, c.Commits = live, newFakeGroup() })
	}
	for p := range int32(4) {
		w.sink.wantLines(t, p, 20_000)
	}
	if used := budget.Used(); used > 16<<20 {
		t.Errorf("%d bytes are held, want at most %d", used, 16<<20)
	}
}

var _ sink.Sink = (*fakeSink)(nil)

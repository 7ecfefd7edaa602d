package worker

import (
	"errors"
	"slices"
	"testing"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer/sink"
)

func TestRecordsAreStoredInOrderAndThenCommitted(t *testing.T) {
	w := newWorld(t, 1)
	r := w.work(0)
	for i := range 20 {
		w.produce(0, i*50, (i+1)*50)
	}
	w.sink.wantLines(t, 0, 1000)
	if err := r.drain(t); err != nil {
		t.Fatalf("draining: %v", err)
	}
	if got := w.group.offset(0); got != 1000 {
		t.Errorf("committed %d, want 1000", got)
	}
	if !slices.IsSorted(w.group.mu.all) {
		t.Errorf("commits went backwards: %v", w.group.mu.all)
	}
	if w.sink.mu.largest > 100 {
		t.Errorf("a batch had %d records, want at most 100", w.sink.mu.largest)
	}
}

func TestAWorkerGoesOnFromTheGroupsCommit(t *testing.T) {
	w := newWorld(t, 1)
	w.produce(0, 0, 100)
	r := w.work(0)
	w.sink.wantLines(t, 0, 100)
	if err := r.drain(t); err != nil {
		t.Fatal(err)
	}
	w.produce(0, 100, 150)
	w.work(0)
	w.sink.wantLines(t, 0, 150)
}

func TestTheCommitNamesItsOwnerBeforeTheFirstBatch(t *testing.T) {
	w := newWorld(t, 1)
	r := w.work(0, func(c *Config) { c.Digest, c.Incarnation = "d1", "id" })
	eventually(t, "a first commit", func() bool { return r.Status().Committed == 0 })
	n := parseNote(w.group.mu.commits[0].Metadata)
	if n.Owner != "web-1" || n.Digest != "d1" || n.Topic != "id" {
		t.Errorf("the commit says %+v, want owner, digest and topic", n)
	}
}

// What is handed from owner to owner is remembered, so that each can tell where its own ended.
func TestAnOwnerThatReturnsIsToldWhereItLeft(t *testing.T) {
	w := newWorld(t, 1)
	for i, owner := range []string{"a", "b", "c", "a"} {
		w.produce(0, i*10, (i+1)*10)
		r := w.work(0, func(c *Config) { c.Owner = owner })
		w.sink.wantLines(t, 0, (i+1)*10)
		if err := r.drain(t); err != nil {
			t.Fatal(err)
		}
	}
	var left []record.Offset
	for _, a := range w.sink.mu.assigned {
		left = append(left, a.Left)
	}
	if want := []record.Offset{sink.NoOffset, 0, 0, 10}; !slices.Equal(left, want) {
		t.Errorf("the owners were told that they left at %v, want %v", left, want)
	}
}

func TestACommitOfAnotherTopicOfTheSameNameMeansNothing(t *testing.T) {
	w := newWorld(t, 1)
	w.produce(0, 0, 10)
	w.group.mu.commits[0] = Commit{Offset: 7, Metadata: Note{Owner: "web-1", Topic: "old"}.String()}
	w.work(0, func(c *Config) { c.Incarnation = "new" })
	w.sink.wantLines(t, 0, 10)
}

func TestAFencedWorkerNeverCommits(t *testing.T) {
	w := newWorld(t, 1)
	r := w.work(0)
	eventually(t, "taken over", func() bool { return r.Status().Moving })
	w.group.failWith(ErrFenced)
	w.produce(0, 0, 10)
	if err := <-r.ended; !errors.Is(err, ErrFenced) {
		t.Fatalf("the worker ended with %v, want ErrFenced", err)
	}
	if got := w.group.offset(0); got != 0 {
		t.Errorf("committed %d after being fenced", got)
	}
}

func TestAWorkerThatIsCutOffCommitsNothingMore(t *testing.T) {
	w := newWorld(t, 1)
	w.sink.gate = make(chan struct{}) // the sink hangs
	r := w.work(0)
	w.produce(0, 0, 10)
	eventually(t, "taken over", func() bool { return r.Status().Moving })
	r.Drain()
	r.cancel()
	if err := <-r.ended; err == nil {
		t.Fatal("a worker whose sink hangs says that it drained")
	}
	if got := w.group.offset(0); got != 0 {
		t.Errorf("committed %d, but nothing was stored", got)
	}
}

func TestDrainStoresAndCommitsWhatIsInFlight(t *testing.T) {
	w := newWorld(t, 1)
	w.sink.gate = make(chan struct{}, 100)
	r := w.work(0)
	w.produce(0, 0, 10)
	eventually(t, "something is in flight", func() bool { return len(w.sink.gate) == 0 && r.Status().LagRecords > 0 })
	r.Drain()
	for range 100 {
		w.sink.gate <- struct{}{}
	}
	if err := <-r.ended; err != nil {
		t.Fatalf("draining: %v", err)
	}
	if stored, committed := w.sink.count(0), w.group.offset(0); int(committed) != stored {
		t.Errorf("stored %d, committed %d: want the same", stored, committed)
	}
}

// The sink may be one batch ahead of a commit in flight, never two: what it keeps to be cut back reaches no further.
func TestTheSinkIsAtMostTwoBatchesAheadOfTheGroup(t *testing.T) {
	w := newWorld(t, 1)
	r := w.work(0, func(c *Config) { c.Limits.Records = 10 })
	eventually(t, "taken over", func() bool { return r.Status().Moving })
	w.group.gate = make(chan struct{}, 1000)
	w.produce(0, 0, 200)
	eventually(t, "two batches stored", func() bool { return w.sink.count(0) == 20 })
	for range 1000 {
		w.group.gate <- struct{}{}
	}
	w.sink.wantLines(t, 0, 200)
}

func TestNotesStayUnderTheBrokersLimit(t *testing.T) {
	n := Note{Owner: "web-1/abc", Handed: map[string]record.Offset{}}
	for i := range record.Offset(500) {
		n.Handed[lineOf(0, int(i))] = i
	}
	s := n.String()
	if len(s) > maxNote {
		t.Fatalf("the note has %d bytes, want at most %d", len(s), maxNote)
	}
	back := parseNote(s)
	if _, ok := back.Handed[lineOf(0, 499)]; !ok || back.Owner != n.Owner {
		t.Errorf("the latest owner was left out: %d of 500 kept", len(back.Handed))
	}
}

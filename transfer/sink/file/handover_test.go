package file

import (
	"slices"
	"testing"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer/sink"
	"github.com/loghaul/loghaul/transfer/sink/sinktest"
)

func write(t *testing.T, s sink.Sink, first, next record.Offset) {
	t.Helper()
	b := sink.Batch{Topic: "web_log", First: first, Next: next}
	for o := first; o < next; o++ {
		b.Records = append(b.Records, sink.Record{Offset: o, Time: 1_700_000_000_000, Value: []byte(sinktest.Line("web_log", 0, o))})
	}
	if err := s.Write(t.Context(), b); err != nil {
		t.Fatalf("writing [%d, %d): %v", first, next, err)
	}
}

func assign(t *testing.T, s sink.Sink, start, left record.Offset) record.Offset {
	t.Helper()
	from, err := s.Assign(t.Context(), sink.Assignment{Topic: "web_log", Incarnation: "id", Start: start, Left: left})
	if err != nil {
		t.Fatalf("assigning: %v", err)
	}
	return from
}

func wantLines(t *testing.T, f *folder, ranges ...[2]record.Offset) {
	t.Helper()
	var want []string
	for _, r := range ranges {
		for o := r[0]; o < r[1]; o++ {
			want = append(want, sinktest.Line("web_log", 0, o))
		}
	}
	if got := f.Lines(t); !slices.Equal(got, want) {
		t.Fatalf("stored %d lines %.60q..., want %d %.60q...", len(got), got, len(want), want)
	}
}

// A host that was killed after storing a batch and before committing it comes back after another host has gone on from
// its last commit: the batch is on the other host, and must go here.
func TestAHostThatReturnsAfterAnotherCutsItsFilesToItsOwnLastCommit(t *testing.T) {
	for _, committed := range []record.Offset{20, 30} { // acknowledged, or accepted without our hearing of it
		f := newFolder(t, plain)
		s := f.Open(t)
		assign(t, s, 0, sink.NoOffset)
		for o := record.Offset(0); o < 40; o += 10 {
			write(t, s, o, o+10)
		}
		f.Kill(t, s)

		s = f.Open(t)
		if from := assign(t, s, 300, committed); from != 300 {
			t.Fatalf("going on from %d, want 300, where the other host stopped", from)
		}
		wantLines(t, f, [2]record.Offset{0, committed})
		write(t, s, 300, 310)
		f.Kill(t, s)
		s = f.Open(t)
		if from := assign(t, s, 300, sink.NoOffset); from != 310 {
			t.Fatalf("after another kill going on from %d, want 310, what the sidecar says", from)
		}
		wantLines(t, f, [2]record.Offset{0, committed}, [2]record.Offset{300, 310})
	}
}

// The same when the kill came while the file was being renamed: it is cut under its new name.
func TestARolledFileIsCutUnderItsNewName(t *testing.T) {
	for _, step := range []string{"rolling", "rolled", "opened", "appended", "renamed"} {
		f := newFolder(t, `{"type":"file","topics":["web_log"],"path":"{topic}/{partition}.log","roll":{"bytes":300,"age":"0s"}}`)
		s := f.Open(t)
		assign(t, s, 0, sink.NoOffset)
		write(t, s, 0, 10)
		write(t, s, 10, 20) // full now
		f.Arm(step)
		_ = s.Write(t.Context(), sink.Batch{Topic: "web_log", First: 20, Next: 21, Records: []sink.Record{{Offset: 20, Value: []byte("x")}}})
		f.Arm("")
		f.Kill(t, s)
		s = f.Open(t)
		assign(t, s, 300, 10)
		wantLines(t, f, [2]record.Offset{0, 10})
	}
}

func TestAHostThatCommittedNothingGivesAllItStoredBack(t *testing.T) {
	f := newFolder(t, plain)
	s := f.Open(t)
	assign(t, s, 0, sink.NoOffset)
	write(t, s, 0, 10)
	f.Kill(t, s)
	s = f.Open(t)
	assign(t, s, 50, 0)
	wantLines(t, f)
}

func TestTheSidecarWinsOverTheGroupsCommit(t *testing.T) {
	f := newFolder(t, plain)
	s := f.Open(t)
	assign(t, s, 0, sink.NoOffset)
	write(t, s, 0, 10)
	f.Kill(t, s)
	s = f.Open(t)
	if from := assign(t, s, 4, sink.NoOffset); from != 10 {
		t.Fatalf("going on from %d, want 10", from)
	}
}

func TestAResetRewindsTheSinkToo(t *testing.T) {
	f := newFolder(t, plain)
	s := f.Open(t)
	assign(t, s, 0, sink.NoOffset)
	write(t, s, 0, 10)
	f.Kill(t, s)
	s = f.Open(t)
	from, err := s.Assign(t.Context(), sink.Assignment{Topic: "web_log", Incarnation: "id", Start: 4, Left: sink.NoOffset, Reset: true})
	if err != nil || from != 4 {
		t.Fatalf("going on from %d (%v), want 4, where the reset says", from, err)
	}
	write(t, s, 4, 6)
	f.Kill(t, s)
	s = f.Open(t)
	if from := assign(t, s, 4, sink.NoOffset); from != 6 {
		t.Fatalf("after the reset going on from %d, want 6", from)
	}
}

func TestATopicMadeAnewBeginsAtItsOwnStart(t *testing.T) {
	f := newFolder(t, plain)
	s := f.Open(t)
	assign(t, s, 0, sink.NoOffset)
	write(t, s, 0, 10)
	f.Kill(t, s)
	s = f.Open(t)
	from, err := s.Assign(t.Context(), sink.Assignment{Topic: "web_log", Incarnation: "another", Start: 0, Left: sink.NoOffset})
	if err != nil || from != 0 {
		t.Fatalf("going on from %d (%v), want 0: the offset stored is of the old topic", from, err)
	}
	write(t, s, 0, 5)
	if n := len(f.Lines(t)); n != 15 {
		t.Fatalf("stored %d lines, want 10 of the old topic and 5 of the new one", n)
	}
}

func TestAPartitionThatSomebodyElseWritesIsNotTaken(t *testing.T) {
	f := newFolder(t, plain)
	zombie := f.Open(t)
	assign(t, zombie, 0, sink.NoOffset)
	s := f.Open(t)
	if _, err := s.Assign(t.Context(), sink.Assignment{Topic: "web_log", Left: sink.NoOffset}); err == nil {
		t.Fatal("a partition was taken over whose files another process writes")
	}
	f.Kill(t, zombie)
	assign(t, s, 0, sink.NoOffset)
}

func TestOwnersDifferByHostAndFolder(t *testing.T) {
	a, b := newFolder(t, plain), newFolder(t, plain)
	one, other := a.Open(t).(*Sink), b.Open(t).(*Sink)
	again := a.Open(t).(*Sink)
	if one.Owner() == other.Owner() || one.Owner() != again.Owner() {
		t.Fatalf("owners %q, %q and %q: want one for each folder", one.Owner(), other.Owner(), again.Owner())
	}
}

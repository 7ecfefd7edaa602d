package agent

import (
	"testing"

	"github.com/loghaul/loghaul/agent/batch"
	"github.com/loghaul/loghaul/internal/line"
)

// What finds no room is not forgotten silently: who hands it over counts it.
func TestStraysSayWhatTheyHaveNoRoomFor(t *testing.T) {
	var s strays
	run := func(n int) batch.Run {
		return batch.Run{Generation: line.Generation(n), From: 0, To: 10, Records: 1}
	}
	for n := range straysMost {
		if !s.add(stray{run(n), true}) || !s.took(1, batch.Run{From: line.Position(20 * n), To: line.Position(20*n + 10)}) {
			t.Fatalf("number %d finds no room", n)
		}
	}
	if s.add(stray{run(straysMost), true}) || s.took(2, run(0)) {
		t.Error("one more is taken, and it is not there")
	}
	if last := (batch.Run{Generation: straysMost - 1, From: 10, To: 20, Records: 1}); !s.add(stray{last, true}) {
		t.Error("what goes on where another one ends needs no room")
	}
	if runs := s.take(); len(runs) != straysMost || runs[straysMost-1].Records != 2 {
		t.Errorf("%d runs, the last of %d records", len(runs), runs[len(runs)-1].Records)
	}
}

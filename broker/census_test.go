package broker

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/broker/group"
)

func TestLossesBeyondTheLimitAreCountedTogether(t *testing.T) {
	l := newLosses(nil)
	for i := range mostLosses + 5 {
		l.add(lossKey{"g", group.Partition{Topic: "t", Index: int32(i)}}, 2)
	}
	l.add(lossKey{"g", group.Partition{Topic: "t", Index: 3}}, 1)
	list := l.list()
	if len(list) != mostLosses+1 || list[0] != (Loss{Group: others, Records: 10}) {
		t.Fatalf("%d losses, the first %+v; want %d, the first with 10 records of others", len(list), list[0], mostLosses+1)
	}
	if i := slices.Index(list, Loss{"g", "t", 3, 3}); i < 0 {
		t.Errorf("partition 3 does not count 3: %+v", list[:6])
	}
	l.forget("t")
	if list := l.list(); len(list) != 1 {
		t.Errorf("of the deleted topic %d are left", len(list)-1)
	}
}

func TestOneLineNamesTenGroupsAtMost(t *testing.T) {
	var lines strings.Builder
	l := newLosses(slog.New(slog.NewTextHandler(&lines, nil)))
	var readers []group.Reader
	for i := range 30 {
		readers = append(readers, group.Reader{Group: fmt.Sprint("g", i), Offset: 5})
	}
	at := group.Partition{Topic: "t"}
	l.note(commitlog.Deletion{Log: "t-0", From: 0, To: 5, Reason: commitlog.ReasonAge}, at, readers)
	if lines.Len() != 0 || len(l.list()) != 0 {
		t.Errorf("a deletion of what all have read is a loss: %s", lines.String())
	}
	l.note(commitlog.Deletion{Log: "t-0", From: 3, To: 9, Reason: commitlog.ReasonAge}, at, readers)
	if got := lines.String(); strings.Count(got, "\n") != 1 || strings.Count(got, "(4)") != 10 || !strings.Contains(got, "and others") || !strings.Contains(got, "retention.ms") {
		t.Errorf("said %q, want ten groups with 4 records each, and retention.ms", got)
	}
	if list := l.list(); len(list) != 30 || list[7].Records != 4 {
		t.Errorf("counted %+v, want 4 for each of 30", list)
	}
}

func TestALogsNameSaysItsPartition(t *testing.T) {
	for name, want := range map[string]group.Partition{"web_log-0": {Topic: "web_log"}, "a-b-12": {Topic: "a-b", Index: 12}} {
		if got, ok := partitionOf(name); !ok || got != want {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
	for _, name := range []string{"web", "web-", "web-x", "web-1x", ""} {
		if got, ok := partitionOf(name); ok {
			t.Errorf("%q is taken for %+v", name, got)
		}
	}
}

func TestAPhaseThatIsOverDoesNotComeBack(t *testing.T) {
	var s stage
	for _, p := range []phase{phaseRecovering, phaseServing, phaseEnded, phaseDraining} {
		s.enter(p)
	}
	if s.phase() != phaseEnded {
		t.Errorf("the phase is %q after the end", s.phase())
	}
}

func TestOfTooManySeriesTheLargestAreShown(t *testing.T) {
	var all []groupSeries
	for _, v := range []float64{3, 9, 1, 7, 5} {
		all = append(all, groupSeries{value: v})
	}
	if kept, out := largest(slices.Clone(all), 5); len(kept) != 5 || out != 0 || kept[0].value != 3 {
		t.Errorf("of five series %+v are kept, %d left out", kept, out)
	}
	if kept, out := largest(slices.Clone(all), 2); len(kept) != 2 || out != 3 || kept[0].value != 9 || kept[1].value != 7 {
		t.Errorf("the two largest are %+v, %d left out", kept, out)
	}
}

func TestDamageThatTheScrubFoundIsNoted(t *testing.T) {
	b, err := New(Config{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if notes := b.Notes(); len(notes) != 0 {
		t.Errorf("noted of a sound broker: %q", notes)
	}
	b.metrics.damaged(commitlog.Damage{Log: "t-0", Path: "/data/t-0/0.log", Position: 77, Reason: "bad CRC"})
	b.metrics.damaged(commitlog.Damage{Log: "t-1", Path: "/data/t-1/0.log"})
	if notes := b.Notes(); len(notes) != 1 || !strings.Contains(notes[0], "/data/t-0/0.log is damaged at position 77") {
		t.Errorf("noted %q, want the first damage", notes)
	}
}

// BenchmarkCount is what counting one appended batch costs.
func BenchmarkCount(b *testing.B) {
	m, err := newMetrics(nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		m.Received("web_log", 100, 1<<16)
	}
}

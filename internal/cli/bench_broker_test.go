package cli

import (
	"strings"
	"testing"

	"github.com/loghaul/loghaul/deploy/bench"
)

func TestWrongBenchFlagsAreNamed(t *testing.T) {
	loghaul(t, "bench", "broker", "--size", "huge").want(t, exitUsage, "--size huge: must be full or short")
	loghaul(t, "bench", "broker", "--legs", "seen,swim").want(t, exitUsage, "--legs swim: must be of perf-127")
	loghaul(t, "bench", "agent", "--size", "huge").want(t, exitUsage, "--size huge: must be full or short")
	loghaul(t, "bench", "agent", "--legs", "idle,swim").want(t, exitUsage, "--legs swim: must be of topic")
}

func TestTheTableOfTheBrokersBenchSaysWhatIsMet(t *testing.T) {
	report := bench.BrokerReport{CPUs: 2, Rows: []bench.Row{
		{Name: "producer-perf 127 B", Unit: "records/s", Ours: new(500000.4), Beside: "kafka", Other: new(400000.0), Ratio: new(1.25), Wanted: "at least kafka", Met: new(true)},
		{Name: "seen", Unit: "ms", Ours: new(2.5), Beside: "kafka", Wanted: "at most 2", Met: new(false)},
		{Name: "idle", Unit: "MB", Beside: "kafka", Wanted: "at most 100"},
		{Name: "  ready", Unit: "ms", Ours: new(12.0), Beside: "kafka"},
	}}
	var out, talk safeBuffer
	g := globals{stdout: &out, stderr: &talk, output: "table"}
	err := g.printRows(report, report.Rows, "there was nothing beside it")
	if exitCode(err) != exitDegraded || err.Error() != "1 of 3 goals are not met" {
		t.Errorf("it ends with %v, code %d, want the goal that is not met and code 3", err, exitCode(err))
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"WHAT UNIT LOGHAUL BESIDE RATIO WANTED MET",
		"producer-perf 127 B records/s 500000 400000 kafka 1.25 at least kafka yes",
		"seen ms 2.50 - at most 2 no",
		"idle MB - - at most 100 -",
		"ready ms 12.00 -",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the table is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !strings.HasPrefix(talk.String(), "1 of 3 goals cannot be told: there was nothing beside it") {
		t.Errorf("it said %q, want the one that cannot be told", talk.String())
	}
	report.Rows = report.Rows[:1]
	if err := g.printRows(report, report.Rows, "there was nothing beside it"); err != nil {
		t.Errorf("with all goals met it ends with %v", err)
	}
}

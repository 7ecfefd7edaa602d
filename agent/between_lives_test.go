package agent

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// doubtful leaves lines from..from+n of a.log in doubt: begun, and the agent gone. stored
// says whether the topic has them.
func (h *house) doubtful(from, n int, stored bool) {
	h.t.Helper()
	h.change = func(c *Config) { c.DrainWait = 100 * time.Millisecond }
	r := h.start()
	h.until(func() bool { return h.count("web_log") == from }, func() string { return "the lines before are not there" })
	h.until(func() bool { plan, err := UnsentBy(h.data, "web"); return err == nil && len(plan) == 0 }, func() string { return "the lines before are in doubt" })
	if stored {
		h.b.Set(func() { h.b.Cut = func() bool { return true } })
	} else {
		h.refuse("web_log", kerr.NotEnoughReplicas.Code)
	}
	h.lines("a.log", from, n)
	h.until(func() bool {
		plan, err := UnsentBy(h.data, "web")
		return err == nil && len(plan) == 1 && plan[0].Records == int64(n)
	}, func() string { return "nothing is in doubt" })
	if stored {
		h.until(func() bool { return h.count("web_log") == from+n }, func() string { return "the lines in doubt are not stored" })
	}
	r.stop()
	h.refuse("web_log", 0)
	h.b.Set(func() { h.b.Cut = nil })
}

// What is in doubt is framed by the value that framed it first, whatever became of the
// input since.
func TestRule5_AnInputThatIsEditedBetweenACrashAndTheRestart(t *testing.T) {
	for name, edit := range map[string]string{
		"filter":      `"drop":["line 1"]`,
		"labels":      `"labels":{"tier":"other"}`,
		"long lines":  `"max_line_bytes":8,"long_lines":"split"`,
		"compression": `"compression":"zstd"`,
		"no key":      `"key":"none"`,
	} {
		for _, stored := range []bool{false, true} {
			h := newHouse(t, oneTopic)
			h.input("web", "web_log", "a.log", "")
			h.lines("a.log", 0, 20)
			h.doubtful(20, 20, stored)
			h.input("web", "web_log", "a.log", edit)
			r := h.start()
			<-r.Ready()
			h.until(func() bool { plan, err := UnsentBy(h.data, "web"); return err == nil && len(plan) == 0 }, func() string { return "lines are in doubt" })
			h.want("web_log", numbered("a.log", 0, 40))
			h.contiguous("web_log")
			r.wantNoDoubles()
			if n := r.metrics.lost.Load(); n != 0 {
				t.Errorf("%s, stored %v: %d bytes are lost", name, stored, n)
			}
			r.stop()
		}
	}
}

// An input that is gone leaves nobody to frame what is in doubt but the journal.
func TestRule5_AnInputThatIsRemovedBetweenACrashAndTheRestart(t *testing.T) {
	for _, stored := range []bool{false, true} {
		h := newHouse(t, oneTopic)
		h.input("web", "web_log", "a.log", "")
		h.lines("a.log", 0, 20)
		h.doubtful(20, 20, stored)
		h.inputs.Delete("web")
		r := h.start()
		<-r.Ready()
		h.until(func() bool { plan, err := UnsentBy(h.data, "web"); return err == nil && len(plan) == 0 }, func() string { return "lines are in doubt" })
		h.want("web_log", numbered("a.log", 0, 40))
		r.wantNoDoubles()
		r.stop()
	}
}

// What is in doubt of a file that went while nobody ran was stored, or is lost and
// counted to the byte; what comes after it goes on.
func TestRule5_AFileThatIsGoneBetweenACrashAndTheRestart(t *testing.T) {
	for _, stored := range []bool{false, true} {
		h := newHouse(t, oneTopic)
		h.input("web", "web_log", "*.log", "")
		h.lines("a.log", 0, 20)
		h.doubtful(20, 20, stored)
		if err := os.Remove(filepath.Join(h.logs, "a.log")); err != nil {
			t.Fatal(err)
		}
		h.lines("b.log", 0, 20)
		r := h.start()
		<-r.Ready()
		want, lost := numbered("a.log", 0, 40), 0
		if !stored {
			want, lost = numbered("a.log", 0, 20), len(lines("a.log", 20, 20))
		}
		h.want("web_log", slices.Concat(want, numbered("b.log", 0, 20)))
		h.until(func() bool { plan, err := UnsentBy(h.data, "web"); return err == nil && len(plan) == 0 }, func() string { return "lines are in doubt" })
		if n := r.metrics.lost.Load(); n != int64(lost) {
			t.Errorf("stored %v: %d bytes are counted as lost, want %d", stored, n, lost)
		}
		r.wantNoDoubles()
		r.stop()
	}
}

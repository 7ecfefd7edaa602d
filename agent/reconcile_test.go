package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/loghaul/loghaul/etcdconf"
)

func TestWhatIsDeletedWhileItsPartitionIsNotThereIsNotLost(t *testing.T) {
	for name, mend := range map[string]func(h *house, r *running){
		"an edit": func(h *house, _ *running) { h.input("web", "web_log", "*.log", `"partition":2`) },
		"more partitions": func(h *house, r *running) {
			h.b.Grow("web_log", 8)
			r.mu.Lock()
			tp := r.mu.topics["web_log"]
			r.mu.Unlock()
			tp.recount(h.t.Context())
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, map[string]int32{"web_log": 3})
			h.input("web", "web_log", "*.log", `"partition":7`)
			h.lines("a.log", 0, 5)
			r := h.start()
			r.wantState("web", etcdconf.StateFailed, "partition 7")
			h.lines("a.log", 5, 5)
			size := int64(len(lines("a.log", 0, 10)))
			h.until(func() bool {
				st := r.Status().Streams
				return len(st) == 1 && st[0].Size == size
			}, func() string { return "nobody looks after the file while its partition is not there" })
			h.input("web", "web_log", "*.log", `"partition":7,"labels":{"a":"b"}`) // still nothing may be read
			h.rename("a.log", "b")
			if err := os.Remove(filepath.Join(h.logs, "b")); err != nil {
				t.Fatal(err)
			}
			h.lines("a.log", 20, 3)
			h.until(func() bool { return r.Status().Totals.LagBytes > size }, func() string { return "the new file is not looked after" })
			if n := h.count("web_log"); n > 0 {
				t.Errorf("%d records are somewhere else than where they belong", n)
			}
			mend(h, r)
			h.want("web_log", append(numbered("a.log", 0, 10), numbered("a.log", 20, 3)...))
			r.wantState("web", etcdconf.StateApplied, "")
		})
	}
}

func TestFilesThatComeAndGoAreGivenToTheFirstInputByName(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("a", "web_log", "x*.log", "")
	h.input("b", "web_log", "*.log", "")
	h.lines("x1.log", 0, 3)
	r := h.start()
	want := numbered("x1.log", 0, 3)
	h.want("web_log", want)
	r.wantState("b", etcdconf.StateOverlapped, "earlier name")
	for n := range 3 {
		name := fmt.Sprintf("y%d.log", n)
		h.lines(name, 0, 3)
		want = append(want, numbered(name, 0, 3)...)
		h.want("web_log", want)
		r.wantState("b", etcdconf.StateApplied, "")
		if err := os.Remove(filepath.Join(h.logs, name)); err != nil {
			t.Fatal(err)
		}
		r.wantState("b", etcdconf.StateOverlapped, "earlier name")
	}
	h.input("a", "web_log", "z*.log", "") // and now x1.log is the other's
	r.wantState("b", etcdconf.StateApplied, "")
	h.lines("x1.log", 3, 2)
	h.want("web_log", append(want, numbered("x1.log", 3, 2)...))
	h.until(func() bool { return r.Status().Totals.Streams == 1 }, func() string {
		return fmt.Sprintf("%d streams are left of one file", r.Status().Totals.Streams)
	})
}

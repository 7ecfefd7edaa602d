package agent

import (
	"os"
	"path/filepath"
	"testing"
)

func TestRule4_AnAgentWhoseJournalIsOlderThanTheLogGoesOnBehindIt(t *testing.T) {
	for _, more := range []string{"", `"drop":["DROP"]`, `"key":"none","batch":{"bytes":1024,"age":"1ms"}`} {
		t.Run(more, func(t *testing.T) { olderThanTheLog(t, more, false) })
		t.Run(more+" and forgotten", func(t *testing.T) { olderThanTheLog(t, more, true) })
	}
}

// olderThanTheLog puts a journal back that was copied before the last lines were sent;
// forgotten says that the leaders know nothing of us any more.
func olderThanTheLog(t *testing.T, more string, forgotten bool) {
	h := newHouse(t, map[string]int32{"web_log": 3})
	h.input("web", "web_log", "*.log", more)
	names := []string{"a.log", "b.log", "c.log"}
	var want []string
	add := func(from int) {
		for _, name := range names {
			h.lines(name, from, 100)
			want = append(want, numbered(name, from, 100)...)
		}
	}
	add(0)
	r := h.start()
	h.want("web_log", want)
	r.stop()
	restore := h.snapshot()
	add(100)
	h.lines("new.log", 0, 100) // a generation that the snapshot does not know
	want = append(want, numbered("new.log", 0, 100)...)
	names = append(names, "new.log")
	r = h.start()
	h.want("web_log", want)
	h.rename("a.log", "a.log.1")
	add(200)
	h.want("web_log", want)
	r.stop()
	restore()
	if forgotten {
		h.b.Set(func() {
			for n := range int32(3) {
				clear(h.b.Log(partitionOf("web_log", n)).Seen)
			}
		})
	}
	if more == "" {
		h.distrust() // as after a power cut; else it looks whole
	}
	add(300)
	r = h.start()
	h.want("web_log", want)
	h.contiguous("web_log")
	r.wantNoDoubles()
}

// distrust makes the journal's end torn.
func (h *house) distrust() {
	h.t.Helper()
	names, err := filepath.Glob(filepath.Join(h.data, "journal", "journal-*.log"))
	if err != nil || len(names) != 1 {
		h.t.Fatalf("journal files: %v, %v", names, err)
	}
	f, err := os.OpenFile(names[0], os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.Write([]byte{9, 0, 0})
		f.Close()
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

package agent

import (
	"os"
	"path/filepath"
	"testing"
)

// moveAway renames a log file into another folder, which the input's pattern matches as well.
func (h *house) moveAway(from, to string) {
	h.t.Helper()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(h.logs, to)), 0o755); err != nil {
		h.t.Fatal(err)
	}
	h.rename(from, to)
}

// A file is itself whatever folder it lies in: what was sent of it is not sent again, and
// the rest is.
func TestAFileThatWasMovedIntoAnotherFolderGoesOnWhereItWas(t *testing.T) {
	for name, anew := range map[string]bool{"nothing at the old path": false, "a new file at the old path": true} {
		for _, to := range []string{"old/x.log-1", "old/moved", "a/x.log", "z/x.log"} {
			t.Run(name+", "+to, func(t *testing.T) {
				h := newHouse(t, oneTopic)
				h.input("web", "web_log", "**", "")
				h.lines("x.log", 0, 50)
				if err := h.once(); err != nil {
					t.Fatal(err)
				}
				h.lines("x.log", 50, 30)
				h.moveAway("x.log", to)
				want := numbered("x.log", 0, 80)
				if anew {
					h.lines("x.log", 80, 20)
					want = numbered("x.log", 0, 100)
				}
				for range 2 {
					if err := h.once(); err != nil {
						t.Fatal(err)
					}
					h.want("web_log", want)
				}
				h.write(to, "late\n")
				h.start()
				h.want("web_log", append(want, "late"))
				h.contiguous("web_log")
			})
		}
	}
}

func TestAFileThatWasMovedAwayWithStartEndGoesOnWhereItWas(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "**", "")
	h.lines("x.log", 0, 50)
	if err := h.once(); err != nil {
		t.Fatal(err)
	}
	h.input("web", "web_log", "**", `"start":"end"`)
	h.lines("x.log", 50, 30)
	h.moveAway("x.log", "old/x.log-1")
	h.lines("x.log", 80, 20)
	if err := h.once(); err != nil {
		t.Fatal(err)
	}
	h.want("web_log", numbered("x.log", 0, 100))
}

// The path still has the file, and so has a second name: it is one file.
func TestASecondNameInAnotherFolderSendsNothingTwice(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "**", "")
	h.lines("x.log", 0, 50)
	if err := h.once(); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(h.logs, "old"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(h.logs, "x.log"), filepath.Join(h.logs, "old", "x.log-1")); err != nil {
		t.Skip("no hard links here:", err)
	}
	h.lines("x.log", 50, 30)
	if err := h.once(); err != nil {
		t.Fatal(err)
	}
	h.want("web_log", numbered("x.log", 0, 80))
}

// What the file holds is not what was sent of it: it is sent from its start.
func TestAFileThatWasMovedAwayAndWrittenAnewIsSentWhole(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "**", "")
	h.lines("x.log", 0, 50)
	if err := h.once(); err != nil {
		t.Fatal(err)
	}
	h.moveAway("x.log", "old/x.log-1")
	if err := os.Truncate(filepath.Join(h.logs, "old", "x.log-1"), 0); err != nil {
		t.Fatal(err)
	}
	h.lines("old/x.log-1", 0, 90)
	h.lines("x.log", 50, 20)
	for range 2 {
		if err := h.once(); err != nil {
			t.Fatal(err)
		}
		h.want("web_log", append(numbered("x.log", 0, 70), numbered("old/x.log-1", 0, 90)...))
	}
}

package agent

import (
	"os"
	"path/filepath"
	"testing"
)

// copyTruncate moves the copies of a file on by one, makes the next and truncates the file.
func (h *house) copyTruncate(name string) {
	h.t.Helper()
	if _, err := os.Stat(filepath.Join(h.logs, name+".1")); err == nil {
		h.rename(name+".1", name+".2")
	}
	b, err := os.ReadFile(filepath.Join(h.logs, name))
	if err != nil {
		h.t.Fatal(err)
	}
	h.write(name+".1", string(b))
	if err := os.Truncate(filepath.Join(h.logs, name), 0); err != nil {
		h.t.Fatal(err)
	}
}

func TestAWidePatternSendsTheLinesOfACopyOnce(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "a.log*", "")
	h.lines("a.log", 0, 50)
	r := h.start()
	h.want("web_log", numbered("a.log", 0, 50))
	h.lines("a.log", 50, 20)
	h.copyTruncate("a.log")
	h.want("web_log", numbered("a.log", 0, 70))
	h.lines("a.log", 70, 50)
	h.want("web_log", numbered("a.log", 0, 120))
	r.stop()
	h.lines("a.log", 120, 20)
	h.copyTruncate("a.log") // while nobody looks
	h.lines("a.log", 140, 30)
	h.start()
	h.want("web_log", numbered("a.log", 0, 170))
	h.lines("a.log", 170, 30)
	h.want("web_log", numbered("a.log", 0, 200))
	h.contiguous("web_log")
}

func TestAWidePatternSendsARotatedFileThatIsNoCopy(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "a.log*", "")
	h.lines("a.log", 0, 50)
	h.lines("a.log.1", 0, 50)
	h.start()
	h.want("web_log", append(numbered("a.log", 0, 50), numbered("a.log.1", 0, 50)...))
	h.lines("a.log.2", 0, 50)
	h.want("web_log", append(append(numbered("a.log", 0, 50), numbered("a.log.1", 0, 50)...), numbered("a.log.2", 0, 50)...))
}

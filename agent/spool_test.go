package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/agent/produce/producetest"
	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

// spooled is how many bytes lie in the files of the spool.
func (h *house) spooled() (n int64) {
	for _, name := range h.spoolFiles() {
		if st, err := os.Stat(name); err == nil {
			n += st.Size()
		}
	}
	return n
}

func (h *house) spoolFiles() []string {
	names, _ := filepath.Glob(filepath.Join(h.data, "spool", "*.spool"))
	return names
}

// pinned opens a log file for writing, as the program does that goes on writing to it.
func (h *house) pinned(name string) *os.File {
	h.t.Helper()
	w, err := os.OpenFile(filepath.Join(h.logs, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { w.Close() })
	return w
}

// deafen makes the broker refuse every batch but the first, which a start may send once more to make sure of it, and says
// how often it did; hear ends that.
func (h *house) deafen() (refused *atomic.Int64) {
	refused = &atomic.Int64{}
	h.b.Set(func() {
		h.b.Refuse = func(_ producetest.Partition, head record.Header) int16 {
			if head.BaseSequence == 0 {
				return 0
			}
			refused.Add(1)
			return notEnoughReplicas
		}
	})
	return refused
}

func (h *house) hear() { h.b.Set(func() { h.b.Refuse = nil }) }

const notEnoughReplicas = 19

func lines(name string, from, n int) string {
	return strings.Join(numbered(name, from, n), "\n") + "\n"
}

func (h *house) remove(name string) {
	h.t.Helper()
	if err := os.Remove(filepath.Join(h.logs, name)); err != nil {
		h.t.Fatal(err)
	}
}

// kill starts an agent as a process of its own, lets it live until ok, and kills it.
func (h *house) kill(ok func() bool, what string) {
	h.t.Helper()
	child := h.child()
	defer func() {
		child.Process.Kill()
		child.Wait()
	}()
	h.until(ok, func() string { return what })
}

func TestRule10ADeletedFileIsSentAfterAKill(t *testing.T) {
	for _, how := range []string{"at its path", "after a rotation"} {
		t.Run(how, func(t *testing.T) {
			h := newHouse(t, oneTopic)
			w := h.pinned("a.log")
			fmt.Fprint(w, lines("a.log", 0, 100))
			h.input("web", "web_log", "*.log", `"batch":{"bytes":3000,"age":"1ms"},"drop":["DROP"]`)
			first := h.start()
			h.want("web_log", numbered("a.log", 0, 100))
			first.stop() // nothing is in doubt: what is refused from now on was read
			refused := h.deafen()
			step := 0
			h.kill(func() bool {
				switch step {
				case 0: // some of it is begun and refused, the rest waits in the file
					fmt.Fprint(w, lines("a.log", 100, 400))
					step++
				case 1:
					if refused.Load() == 0 {
						return false
					}
					if how == "at its path" {
						h.remove("a.log")
					} else {
						h.rename("a.log", "a.log.1")
						h.lines("a.log", 1000, 50)
						h.remove("a.log.1")
					}
					fmt.Fprint(w, lines("a.log", 500, 100)) // and it is written to without a name
					step++
				case 2:
					return h.spooled() > int64(len(lines("a.log", 100, 500)))
				}
				return false
			}, "the deleted file is not in the spool")
			w.Close()
			h.hear()
			r := h.start()
			want := numbered("a.log", 0, 600)
			if how != "at its path" {
				want = append(want, numbered("a.log", 1000, 50)...)
			}
			h.want("web_log", want)
			h.contiguous("web_log")
			h.until(func() bool { return h.spooled() == 0 }, func() string { return "the spool is not emptied though all is acknowledged" })
			if n := r.metrics.lost.Load(); n != 0 {
				t.Errorf("%d bytes are counted as lost", n)
			}
		})
	}
}

func TestRule10WhatGoesWhileTheBrokerIsAwayFromTheStartIsKept(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "*.log", "")
	h.lines("a.log", 0, 10)
	r := h.start()
	h.want("web_log", numbered("a.log", 0, 10))
	r.stop()
	h.b.Stop()
	h.lines("a.log", 10, 10)
	r = h.start() // it cannot read, for nobody can say what is stored
	<-r.Ready()
	h.until(func() bool { r.guards.Lock(); defer r.guards.Unlock(); return r.guards.open == 1 }, func() string { return "the file is not held open" })
	h.rename("a.log", "a.log.1")
	h.lines("a.log", 20, 10)
	h.remove("a.log.1")
	h.until(func() bool { return h.spooled() > int64(len(lines("a.log", 10, 10))) }, func() string { return "the deleted file is not in the spool" })
	r.stop()
	r = h.start() // and once more
	h.b.Start(oneTopic)
	h.want("web_log", numbered("a.log", 0, 30))
	h.contiguous("web_log")
	h.until(func() bool { return h.spooled() == 0 }, func() string { return "the spool is not emptied" })
}

func TestRule10WhatIsBeyondTheBytesIsLostAndCounted(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "*.log", `"batch":{"bytes":3000,"age":"1ms"}`)
	h.change = func(c *Config) { c.DeletedBytes = int64(len(lines("a.log", 10, 5))) }
	h.lines("a.log", 0, 10)
	r := h.start()
	h.want("web_log", numbered("a.log", 0, 10))
	r.stop()
	h.b.Stop()
	h.lines("a.log", 10, 10)
	r = h.start()
	<-r.Ready()
	h.until(func() bool { r.guards.Lock(); defer r.guards.Unlock(); return r.guards.open == 1 }, func() string { return "the file is not held open" })
	h.remove("a.log")
	h.until(func() bool { return h.log.count("cannot be kept whole") > 0 }, func() string { return "it is not told that there is no room" })
	r.stop()
	h.b.Start(oneTopic)
	r = h.start()
	h.want("web_log", numbered("a.log", 0, 15))
	lost := int64(len(lines("a.log", 15, 5)))
	from := int64(len(lines("a.log", 0, 15)))
	h.until(func() bool { return r.metrics.lost.Load() == lost }, func() string {
		return fmt.Sprintf("%d bytes are counted as lost, want %d", r.metrics.lost.Load(), lost)
	})
	want := []journal.Gap{{From: line.Position(from), To: line.Position(from + lost)}}
	var have []journal.Gap
	h.until(func() bool {
		have = nil
		for _, g := range r.journal.Generations("web_log") {
			have = append(have, g.Gaps...)
		}
		return slices.Equal(have, want)
	}, func() string { return fmt.Sprintf("the journal knows the gaps %v, want %v", have, want) })
	h.until(func() bool { return h.spooled() == 0 }, func() string { return "the spool is not emptied" })
}

func TestAFileThatWasRotatedAwayWhileDownIsDrainedThoughNothingFollowedIt(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "*.log", "")
	h.lines("a.log", 0, 10)
	r := h.start()
	h.want("web_log", numbered("a.log", 0, 10))
	r.stop()
	h.lines("a.log", 10, 10)
	h.rename("a.log", "a.log.1") // and nobody writes a new one
	r = h.start()
	h.want("web_log", numbered("a.log", 0, 20))
	h.contiguous("web_log")
	h.lines("a.log", 20, 5)
	h.want("web_log", numbered("a.log", 0, 25))
}

func TestRule10FilesAreLookedAfterWhileTheBrokerTakesNothing(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "*.log", `"batch":{"bytes":2000,"age":"1ms"}`)
	h.lines("a.log", 0, 10)
	r := h.start()
	h.want("web_log", numbered("a.log", 0, 10))
	refused := h.deafen()
	h.lines("a.log", 10, 2000) // more than may be in flight: the lane waits
	h.until(func() bool { return refused.Load() > 0 }, func() string { return "the broker does not refuse" })
	want := numbered("a.log", 0, 2010)
	for i := range 3 { // each is there for a moment, and gone when the broker is back
		h.rename("a.log", "a.log.1")
		from, n := 10_000*(i+1), 100+i
		h.lines("a.log", from, n)
		want = append(want, numbered("a.log", from, n)...)
		h.remove("a.log.1")
		h.until(func() bool { return len(h.spoolFiles()) == i+1 }, func() string { return "a deleted file is not in the spool" })
		h.until(func() bool { // what was never seen cannot be kept
			st := r.Status()
			return len(st.Streams) == 1 && st.Streams[0].Size == int64(len(lines("a.log", from, n)))
		}, func() string { return "the new file is not seen" })
	}
	h.hear()
	h.want("web_log", want)
	h.contiguous("web_log")
	h.until(func() bool { return h.spooled() == 0 }, func() string { return "the spool is not emptied" })
}

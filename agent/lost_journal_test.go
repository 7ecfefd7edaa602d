package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/loghaul/loghaul/etcdconf"
)

// forget takes the agent's whole folder away.
func (h *house) forget() {
	h.t.Helper()
	if err := os.RemoveAll(h.data); err != nil {
		h.t.Fatal(err)
	}
}

// snapshot copies the journal; the answer puts it back into its place, files only, as a
// restored snapshot of the machine does.
func (h *house) snapshot() (restore func()) {
	h.t.Helper()
	kept, dir := filepath.Join(h.t.TempDir(), "kept"), filepath.Join(h.data, "journal")
	if err := os.CopyFS(kept, os.DirFS(dir)); err != nil {
		h.t.Fatal(err)
	}
	return func() {
		h.t.Helper()
		names, err := filepath.Glob(filepath.Join(dir, "*"))
		for _, name := range names {
			if err == nil {
				err = os.Remove(name)
			}
		}
		if err == nil {
			err = os.CopyFS(dir, os.DirFS(kept))
		}
		if err != nil {
			h.t.Fatal(err)
		}
	}
}

// wantNoDoubles says that the agent proved all that it did.
func (r *running) wantNoDoubles() {
	r.h.t.Helper()
	if n := r.client.PossibleDoubles(); n != 0 {
		r.h.t.Errorf("%d possible doubles are counted", n)
	}
}

func TestRule7_ALostJournalIsReadBackFromTheTopic(t *testing.T) {
	for name, more := range map[string]string{
		"by key":            "",
		"without a key":     `"key":"none","batch":{"bytes":1024,"age":"1ms"}`,
		"one partition":     `"partition":2`,
		"filtered":          `"drop":["DROP"],"redact":[{"pattern":"line","with":"LINE"}]`,
		"zstd, small parts": `"compression":"zstd","batch":{"bytes":1024,"age":"1ms"},"max_line_bytes":16,"long_lines":"truncate"`,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, map[string]int32{"web_log": 4})
			h.input("web", "web_log", "*.log", more)
			var want []string
			add := func(file string, from, n int) {
				h.lines(file, from, n)
				for _, v := range numbered(file, from, n) {
					if strings.Contains(more, "LINE") {
						v = strings.ReplaceAll(v, "line", "LINE")
					} else if strings.Contains(more, "truncate") {
						v = v[:min(len(v), 16)]
					}
					want = append(want, v)
				}
				h.write(file, "DROP\n")
				if !strings.Contains(more, "drop") {
					want = append(want, "DROP")
				}
			}
			add("a.log", 0, 300)
			add("b.log", 0, 100)
			r := h.start()
			h.want("web_log", want)
			h.rename("b.log", "b.log.1")
			add("b.log", 100, 100)
			h.want("web_log", want)
			r.stop()
			h.forget()
			add("a.log", 300, 50)
			h.rename("b.log", "b.log.2")
			add("b.log", 200, 50)
			r = h.start()
			h.want("web_log", want)
			add("a.log", 350, 50)
			h.want("web_log", want)
			h.contiguous("web_log")
			r.wantNoDoubles()
		})
	}
}

func TestRule7_WhatWasNotSentOfARotatedFileIsSent(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "*.log", "")
	h.lines("a.log", 0, 100)
	r := h.start()
	h.want("web_log", numbered("a.log", 0, 100))
	r.stop()
	h.forget()
	h.lines("a.log", 100, 30)
	h.rename("a.log", "a.log.1")
	h.lines("a.log", 130, 30)
	h.start()
	h.want("web_log", numbered("a.log", 0, 160))
	h.contiguous("web_log")
}

func TestRule7_AFileThatWasTruncatedMeanwhileIsNotTakenForTheOldOne(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "a.log", "")
	h.lines("a.log", 0, 50)
	r := h.start()
	h.want("web_log", numbered("a.log", 0, 50))
	r.stop()
	h.forget()
	if err := os.Truncate(filepath.Join(h.logs, "a.log"), 0); err != nil {
		t.Fatal(err)
	}
	h.lines("a.log", 1000, 200) // it grows beyond where it was
	r = h.start()
	want := append(numbered("a.log", 0, 50), numbered("a.log", 1000, 200)...)
	h.want("web_log", want)
	r.stop()
	// And that life of it is found again too.
	h.forget()
	h.lines("a.log", 1200, 10)
	h.start()
	h.want("web_log", append(want, numbered("a.log", 1200, 10)...))
	h.contiguous("web_log")
}

func TestRule7_NothingIsSentBeforeTheTopicWasReadBack(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "a.log", "")
	h.lines("a.log", 0, 50)
	r := h.start()
	h.want("web_log", numbered("a.log", 0, 50))
	r.stop()
	h.forget()
	h.lines("a.log", 50, 10)
	h.b.Set(func() { h.b.Read = kerr.KafkaStorageError.Code })
	for range 2 { // ended in the middle of it, and begun again
		r = h.start()
		r.wantState("web", etcdconf.StateApplying, "reading back")
		r.stop()
	}
	if n := h.count("web_log"); n != 50 {
		t.Fatalf("%d records while the topic cannot be read, want the 50 that were there", n)
	}
	h.b.Set(func() { h.b.Read = 0 })
	h.start()
	h.want("web_log", numbered("a.log", 0, 60))
}

func TestRule7_WhoMayNotReadBeginsAnewAndIsTold(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "a.log", "")
	h.lines("a.log", 0, 20)
	h.b.Set(func() { h.b.Read = kerr.TopicAuthorizationFailed.Code })
	h.start()
	h.want("web_log", numbered("a.log", 0, 20))
	if !strings.Contains(h.log.String(), "may not be read") {
		t.Error("nobody is told that a lost journal could not be made up for")
	}
}

func TestRule7_ATopicOfWhichTheBeginningWasCutAwayIsReadBack(t *testing.T) {
	for _, more := range []string{"", `"key":"none"`} {
		h := newHouse(t, oneTopic)
		h.input("web", "web_log", "a.log", more)
		r := h.start()
		for n := 0; n < 100; n += 20 { // a batch each
			h.lines("a.log", n, 20)
			h.want("web_log", numbered("a.log", 0, n+20))
		}
		r.stop()
		h.forget()
		h.b.Set(func() { h.b.Log(partitionOf("web_log", 0)).Start = 40 })
		h.lines("a.log", 100, 20)
		h.start()
		h.want("web_log", numbered("a.log", 0, 120))
	}
}

func TestAJournalCopiedToAnotherHostTakesNoLineForAnothers(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "*.log", "")
	h.lines("a.log", 0, 50)
	first := h.start()
	h.want("web_log", numbered("a.log", 0, 50))
	copied := *h
	copied.data = filepath.Join(t.TempDir(), "data")
	copied.logs = filepath.Join(t.TempDir(), "logs")
	copied.inputs = etcdconf.NewMemory(etcdconf.KindInput)
	copied.change = func(c *Config) { c.Host = "web-2" }
	if err := errors.Join(os.CopyFS(copied.data, os.DirFS(h.data)), os.CopyFS(copied.logs, os.DirFS(h.logs))); err != nil {
		t.Fatal(err)
	}
	copied.input("web", "web_log", "*.log", "")
	second := copied.start()
	// Its files are other ones, so they are sent from their beginning, under its name.
	want := slices.Concat(numbered("a.log", 0, 50), numbered("a.log", 0, 50))
	h.want("web_log", want)
	for n := range 5 {
		h.lines("a.log", 50+10*n, 10)
		copied.lines("a.log", 50+10*n, 10)
		want = append(want, numbered("a.log", 50+10*n, 10)...)
		want = append(want, numbered("a.log", 50+10*n, 10)...)
		h.want("web_log", want)
	}
	if a, b := first.journal.Instance(), second.journal.Instance(); a == b {
		t.Errorf("both are instance %s", a)
	}
	if a, b := first.journal.Producer(), second.journal.Producer(); a == b {
		t.Errorf("both go by producer id %d", a)
	}
}

func TestRule13_AnEditOfTheTopicGoesOnWhereTheFilesWereLeft(t *testing.T) {
	h := newHouse(t, map[string]int32{"web_log": 1, "other": 1, "third": 1})
	h.input("web", "web_log", "*.log", `"start":"end"`)
	h.lines("a.log", 0, 100)
	r := h.start()
	<-r.Ready()
	h.until(func() bool { return r.journalKnows("web_log", 1) }, func() string { return "the end of that moment is not journaled" })
	h.lines("a.log", 100, 10)
	h.want("web_log", numbered("a.log", 100, 10))
	h.input("web", "other", "*.log", `"start":"end"`)
	r.wantState("web", etcdconf.StateApplied, "")
	h.until(func() bool { return r.journalKnows("other", 1) }, func() string { return "the file is not known on its way to the other topic" })
	h.lines("a.log", 110, 10)
	h.want("other", numbered("a.log", 110, 10))
	r.stop()
	h.lines("a.log", 120, 10) // written while nobody looked, and the topic edited then
	h.input("web", "third", "*.log", `"start":"end"`)
	r = h.start()
	h.want("third", numbered("a.log", 120, 10))
	h.want("other", numbered("a.log", 110, 10))
	h.want("web_log", numbered("a.log", 100, 10))
	h.lines("b.log", 0, 10) // later ones begin at 0
	h.want("third", append(numbered("a.log", 120, 10), numbered("b.log", 0, 10)...))
}

func TestFirstsOfAnOlderVersionAreRead(t *testing.T) {
	h := newHouse(t, oneTopic)
	if err := os.MkdirAll(h.data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.data, "first.json"), []byte(`["web"]`), 0o600); err != nil {
		t.Fatal(err)
	}
	h.input("web", "web_log", "*.log", `"start":"end"`)
	h.lines("later.log", 0, 10)
	h.start()
	h.want("web_log", numbered("later.log", 0, 10))
	text, err := os.ReadFile(filepath.Join(h.data, "first.json"))
	if err != nil || string(text) != `{"web":["web_log"]}` {
		t.Errorf("first.json is %s, %v", text, err)
	}
}

func TestRule7_FilesBetweenTheSentOneAndTheNewestAreSent(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "a.log", "")
	h.lines("a.log", 0, 50)
	r := h.start()
	h.want("web_log", numbered("a.log", 0, 50))
	r.stop()
	h.forget()
	for n := 50; n < 200; n += 50 { // rotated away, none of them ever seen
		h.rename("a.log", fmt.Sprintf("a.log.%d", n))
		h.lines("a.log", n, 50)
	}
	h.start()
	h.want("web_log", numbered("a.log", 0, 200))
	h.contiguous("web_log")
}

func TestRule7_StartAtTheEndDoesNotPassOverWhatWasNotSent(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "*.log", `"start":"end"`)
	h.lines("old.log", 0, 50)
	h.lines("never.log", 0, 50)
	r := h.start()
	<-r.Ready()
	h.until(func() bool { return r.journalKnows("web_log", 2) }, func() string { return "the ends of that moment are not journaled" })
	h.lines("old.log", 50, 10)
	h.want("web_log", numbered("old.log", 50, 10))
	r.stop()
	h.forget()
	h.lines("old.log", 60, 10)
	h.start()
	h.want("web_log", numbered("old.log", 50, 20))
}

func TestRule13_AnEditOfTheTopicLosesNothingThatWasReadForTheOldOne(t *testing.T) {
	h := newHouse(t, map[string]int32{"web_log": 1, "other": 1})
	h.change = func(c *Config) { c.DrainWait = 100 * time.Millisecond }
	more := `"start":"end","batch":{"bytes":1048576,"age":"10s"}`
	h.input("web", "web_log", "*.log", more)
	h.lines("a.log", 0, 10)
	r := h.start()
	<-r.Ready()
	h.until(func() bool { return r.journalKnows("web_log", 1) }, func() string { return "the end of that moment is not journaled" })
	h.refuse("web_log", kerr.NotEnoughReplicas.Code)
	h.lines("a.log", 10, 10)
	h.until(func() bool { plan, err := UnsentBy(h.data, "web"); return err == nil && len(plan) == 1 }, func() string { return "nothing is in doubt" })
	h.lines("a.log", 20, 10) // read, and waiting for the batch before them
	id := streamID{filepath.Join(h.logs, "a.log"), "web_log"}
	h.until(func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		shown := &r.mu.streams[id].shown
		shown.Lock()
		defer shown.Unlock()
		return int(shown.read) == len(lines("a.log", 0, 30))
	}, func() string { return "they are not read" })
	h.input("web", "other", "*.log", more)
	h.until(func() bool { return r.journalKnows("other", 1) }, func() string { return "the file is not known on its way to the other topic" })
	r.stop() // before the old topic takes anything
	h.refuse("web_log", 0)
	h.lines("a.log", 30, 10)
	h.start()
	h.want("web_log", numbered("a.log", 10, 10))
	h.want("other", numbered("a.log", 20, 20))
}

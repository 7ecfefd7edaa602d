package agent

import (
	"context"
	"fmt"
	"testing"
	"time"
)

func TestDescriptorsOfTheFileReadLongestAgoAreClosedFirst(t *testing.T) {
	now := time.Unix(1000, 0)
	o := &openFiles{most: 3}
	streams := map[string]*stream{}
	read := func(name string) string {
		if streams[name] == nil {
			streams[name] = &stream{id: streamID{path: name}, awake: &awake{}}
		}
		now = now.Add(time.Second)
		v := o.count(streams[name], 1, true, now)
		if v == nil {
			return ""
		}
		return v.id.path
	}
	for _, step := range []struct{ read, closes string }{
		{"a", ""}, {"b", ""}, {"c", ""}, {"a", ""}, {"d", "b"},
	} {
		if got := read(step.read); got != step.closes {
			t.Fatalf("reading %s closes %q, want %q", step.read, got, step.closes)
		}
	}
	if v := o.count(streams["b"], 0, false, now); v != nil {
		t.Fatalf("%s is to be closed though there are no more than allowed", v.id.path)
	}
	looked := &stream{id: streamID{path: "never read"}, awake: &awake{}}
	if v := o.count(looked, 1, false, now); v != looked {
		t.Error("a file that was never read does not go before those that are")
	}
	o.count(looked, 0, false, now)
	if o.open() != 3 || o.mu.order.Len() != 3 {
		t.Errorf("%d descriptors of %d files are counted, want 3", o.open(), o.mu.order.Len())
	}
}

func TestIdleFilesKeepTheirDescriptorsWhileThereAreFew(t *testing.T) {
	now := time.Unix(1000, 0)
	o := &openFiles{most: 1000}
	var first *stream
	for i := range idleFiles {
		s := &stream{id: streamID{path: fmt.Sprint(i)}, awake: &awake{}}
		if first == nil {
			first = s
		}
		if v := o.count(s, 1, true, now); v != nil {
			t.Fatalf("%s is to be closed, the %dth of few", v.id.path, i)
		}
	}
	one := &stream{awake: &awake{}}
	if v := o.count(one, 1, true, now); v != nil {
		t.Fatalf("%s is to be closed though it was just read", v.id.path)
	}
	if v := o.count(one, 1, true, now.Add(idleAfter)); v != first {
		t.Error("an idle file keeps its descriptor while there are many")
	}
}

func TestReadingGoesOnWhereItWasAfterDescriptorsWereClosed(t *testing.T) {
	const files, most, rounds = 24, 5, 4
	h := newHouse(t, map[string]int32{"web_log": 3})
	h.change = func(c *Config) { c.MaxOpen = most }
	h.input("web", "web_log", "*.log", "")
	r := h.start()
	var want []string
	for round := range rounds {
		for i := range files {
			name := fmt.Sprintf("%d.log", i)
			h.lines(name, round*7, 7)
			want = append(want, numbered(name, round*7, 7)...)
		}
		h.until(func() bool { return h.count("web_log") >= len(want) }, func() string { return "not every line came" })
		if n := r.files.open(); n > most {
			t.Errorf("%d descriptors are open, at most %d are allowed", n, most)
		}
	}
	h.rename("3.log", "3.log.1")
	h.write("3.log.1", "a late line\n")
	h.lines("3.log", 100, 3)
	want = append(append(want, "a late line"), numbered("3.log", 100, 3)...)
	h.want("web_log", want)
	h.contiguous("web_log")
}

func TestAFileThatIsIdleIsForgottenAsFarAsTheJournalKnowsIt(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "a.log", `"drop":["noise"]`)
	h.write("a.log", "1\nnoise\n2\nnoise\n")
	r := h.start()
	h.want("web_log", []string{"1", "2"})
	var s *stream
	h.until(func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, s = range r.mu.streams {
		}
		return s != nil && s.lane.Load() != nil
	}, func() string { return "no stream" })
	slimmed := make(chan bool, 1)
	h.until(func() bool {
		l := s.lane.Load()
		l.tell(func(context.Context) {
			s.active = time.Time{} // as if nothing came for a while
			l.enrol(s, time.Now())
			slimmed <- len(s.sources) == 0
		})
		return <-slimmed
	}, func() string { return "what the journal knows as well is kept of an idle file" })
	h.write("a.log", "3\nnoise\n4\n")
	h.want("web_log", []string{"1", "2", "3", "4"})
	h.contiguous("web_log")
	if st := r.Status().Totals; st.SkippedBytes != 18 {
		t.Errorf("%d bytes are counted as skipped, want 18", st.SkippedBytes)
	}
}

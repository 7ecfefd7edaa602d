package group

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAPatternThatIsTooLargeIsRefusedBeforeItIsBuilt(t *testing.T) {
	for text, want := range map[string]bool{
		"app-.*":                          true,
		strings.Repeat("a", maxPattern-7): true,
		"(?:" + strings.Repeat("(a|b)", 100) + ")":       true,
		"(?:" + strings.Repeat("[^a]?", 100) + "){1000}": false,
		"(?:(?:(?:.{10}){10}x){9}){1,1000}":              false,
		strings.Repeat(`\pL`, 600):                       false,
		strings.Repeat("a", maxPattern+1):                false,
		"(":                                              false,
	} {
		before := time.Now()
		err := checkPattern(&text)
		if (err == nil) != want || err != nil && !errors.Is(err, ErrPattern) {
			t.Errorf("%.40s: %v, want it taken: %t", text, err, want)
		}
		if took := time.Since(before); took > 5*time.Second {
			t.Errorf("%.40s: took %s", text, took)
		}
	}
}

func TestPatternsAreHeldAgainstTopicsOnlyWhenTheseChange(t *testing.T) {
	topics := &fakeTopics{}
	for i := range 100 {
		topics.set(fmt.Sprint("t", i), 1)
	}
	world(t, Config{Topics: topics}, func(t *testing.T, c *Coordinator, _ *memLog) {
		k := newClient(c, "g", "m")
		k.pattern = "t.*"
		asked := 0
		beat := func() {
			t.Helper()
			r := k.request()
			r.May = func(string) bool { asked++; return true }
			if err := k.send(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			k.obey()
		}
		beat()
		if asked != 100 {
			t.Fatalf("asked for %d topics, want 100", asked)
		}
		for range 60 {
			pass(5 * time.Second)
			beat()
		}
		if asked != 100 {
			t.Errorf("in five quiet minutes: asked %d times, want none", asked-100)
		}
		topics.set("t100", 1)
		for range 3 {
			pass(5 * time.Second)
			beat()
		}
		if asked != 201 || len(k.owned) != 101 {
			t.Errorf("after a new topic: asked %d times, %d partitions; want 101 and 101", asked-100, len(k.owned))
		}
		for range 120 {
			pass(5 * time.Second)
			beat()
		}
		if asked != 302 {
			t.Errorf("ten minutes later: asked %d times, want 101: what it may see can have changed", asked-201)
		}
	})
}

func TestAPatternIsCountedWithWhatItFinds(t *testing.T) {
	topics := &fakeTopics{}
	for i := range 200 {
		topics.set(fmt.Sprint("t", i), 1)
	}
	world(t, Config{Topics: topics, MaxMemberBytes: 1 << 20}, func(t *testing.T, c *Coordinator, _ *memLog) {
		var refused error
		for i := range 1000 {
			k := newClient(c, "g", MemberID(fmt.Sprint("m", i)))
			k.pattern = fmt.Sprintf("t.*x{%d}y?", i%1000)
			if refused = k.send(t.Context(), k.request()); refused != nil {
				break
			}
		}
		if !errors.Is(refused, ErrGroupFull) || c.use.members.Load() > 1<<20 {
			t.Errorf("%d bytes of patterns in 1 MiB: %v", c.use.members.Load(), refused)
		}
		pass(time.Minute)
		if n := c.use.members.Load(); n != groupBytes+1 {
			t.Errorf("%d bytes are counted for a group without members", n)
		}
	})
}

func TestAPatternWaitsForItsMemberAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics := &fakeTopics{}
		topics.set("t", 1)
		topics.set("secret", 1)
		log := &memLog{lag: time.Millisecond}
		c, stop := start(t, Config{Topics: topics}, log)
		k, other := newClient(c, "g", "m"), newClient(c, "g", "n", "t")
		k.pattern = ".*"
		r := k.request()
		r.May = func(topic string) bool { return topic != "secret" }
		if err := k.send(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if err := other.send(t.Context(), other.request()); err != nil {
			t.Fatal(err)
		}
		stop()
		c, stop = start(t, Config{Topics: topics}, log.crashed(always))
		defer stop()
		other.c = c
		for range 4 {
			pass(5 * time.Second)
			_ = other.send(t.Context(), other.request())
		}
		if found := c.mu.groups["g"].roster.patterns[".*"].sorted(); fmt.Sprint(found) != "[t]" {
			t.Errorf("without a word of its member it finds %v", found)
		}
	})
}

// TestASlowPatternComesToItsEndInPieces gives it no time, and then all the time.
func TestASlowPatternComesToItsEndInPieces(t *testing.T) {
	p, err := newPattern("t.*[05]")
	if err != nil {
		t.Fatal(err)
	}
	s := &search{among: 1}
	for i := range 100 {
		s.names = append(s.names, fmt.Sprint("t", i))
	}
	p.search, p.heard = s, true
	past := time.Now().Add(-time.Hour)
	if done, changed := p.match(past); done || changed || s.next != 0 || !p.due(1, time.Now(), time.Hour) {
		t.Fatalf("without any time: done %t, changed %t, at topic %d", done, changed, s.next)
	}
	s.next = 1 // in the middle of a piece
	if done, _ := p.match(past); done || s.next != 16 {
		t.Fatalf("a piece ends at topic %d, want 16", s.next)
	}
	done, changed := p.match(time.Now().Add(time.Hour))
	if !done || !changed || len(p.topics) != 20-1 || p.search != nil || p.due(1, time.Now(), time.Hour) {
		t.Fatalf("with all the time: done %t, changed %t, %d topics", done, changed, len(p.topics))
	}
}

// TestAPatternThatTakesLongHoldsNobodyUp subscribes with one that takes seconds, in real time.
func TestAPatternThatTakesLongHoldsNobodyUp(t *testing.T) {
	topics := &fakeTopics{}
	for i := range 20_000 {
		topics.set(fmt.Sprintf("service-%05d-application-log", i), 1)
	}
	c, stop := start(t, Config{Topics: topics}, &memLog{})
	defer stop()
	k := newClient(c, "g", "m")
	k.pattern = strings.Repeat("(x*.?)", 300)
	before := time.Now()
	if err := k.send(t.Context(), k.request()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(before); took > 5*time.Second {
		t.Errorf("the answer took %s", took)
	}
}

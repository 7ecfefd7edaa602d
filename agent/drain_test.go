package agent

import (
	"context"
	"slices"
	"testing"
	"time"
)

// TestADrainWaitsForTheFileBehindOneThatWasRotated drains while the new file still waits until
// nobody writes to the old one any more.
func TestADrainWaitsForTheFileBehindOneThatWasRotated(t *testing.T) {
	h := newHouse(t, map[string]int32{"web_log": 1})
	h.input("web", "web_log", "*.log", "")
	h.lines("a.log", 0, 50)
	h.lines("b.log", 0, 50)
	r := h.start()
	want := append(numbered("a.log", 0, 50), numbered("b.log", 0, 50)...)
	h.want("web_log", want)
	for _, name := range []string{"a.log", "b.log"} {
		h.lines(name, 50, 10)
		h.rename(name, name+".1")
		h.lines(name, 60, 40)
		want = append(want, numbered(name, 50, 50)...)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	d, err := Drain(ctx, h.data)
	if err != nil || d.Error != "" || d.Waiting != 0 {
		t.Fatalf("the drain ended with %+v, %v; the log:\n%s", d, err, h.log)
	}
	r.stop()
	slices.Sort(want)
	if got := slices.Sorted(slices.Values(h.values("web_log"))); !slices.Equal(got, want) {
		t.Errorf("%d records after a drain, want %d: %s", len(got), len(want), difference(got, want))
	}
}

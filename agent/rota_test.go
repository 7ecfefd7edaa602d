package agent

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/loghaul/loghaul/agent/discover"
)

func TestARotaKeepsTheOrderOfLooks(t *testing.T) {
	var rotas [2]rota
	var want [2][]*stream
	streams := make([]*stream, 20)
	for i := range streams {
		streams[i] = &stream{}
	}
	for range 2000 {
		s, to := streams[rand.IntN(len(streams))], rand.IntN(3)
		for i := range want {
			want[i] = slices.DeleteFunc(want[i], func(x *stream) bool { return x == s })
		}
		s.leaveRota()
		if to < len(rotas) {
			rotas[to].push(s)
			want[to] = append(want[to], s)
		}
		for i := range rotas {
			var forth, back []*stream
			for x := rotas[i].first; x != nil; x = x.next {
				forth = append(forth, x)
			}
			for x := rotas[i].last; x != nil; x = x.prev {
				back = append(back, x)
			}
			slices.Reverse(back)
			if !slices.Equal(forth, want[i]) || !slices.Equal(back, want[i]) || rotas[i].n != len(want[i]) {
				t.Fatalf("a rota has %d streams, said to be %d, want %d in their order", len(forth), rotas[i].n, len(want[i]))
			}
		}
	}
}

func TestLooksASecondStayBoundedHoweverManyFilesThereAre(t *testing.T) {
	a := &Agent{events: discover.NewEvents(nil)} // nobody runs it: no events
	for _, c := range []struct {
		all, stirring int64
		busy, deaf    time.Duration
	}{
		{10, 10, lookBusy, lookDeaf},
		{1000, 100, lookBusy, lookDeaf},
		{100_000, 50, lookBusy, 30 * time.Second},
		{1_000_000, 100_000, 30 * time.Second, lookLast},
	} {
		a.followed.Store(c.all)
		a.stirring.Store(c.stirring)
		busy, idle, deaf := a.paces()
		if busy != c.busy || idle != c.deaf || deaf != c.deaf {
			t.Errorf("of %d files, %d of them busy, each is looked at after %v, %v, %v; want %v, %v, %v", c.all, c.stirring, busy, idle, deaf, c.busy, c.deaf, c.deaf)
		}
	}
}

func TestALineThatNoEventTellsOfIsFoundByLooking(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "*.log", "")
	h.lines("a.log", 0, 1)
	h.lines("b.log", 0, 1)
	r := h.start()
	h.want("web_log", append(numbered("a.log", 0, 1), numbered("b.log", 0, 1)...))
	r.byPath.Lock()
	r.byPath.m = map[string][]*stream{} // from now on no hint reaches a stream
	r.byPath.Unlock()
	h.lines("a.log", 1, 3)
	h.want("web_log", append(numbered("a.log", 0, 4), numbered("b.log", 0, 1)...))
}

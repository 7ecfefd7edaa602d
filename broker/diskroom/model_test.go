package diskroom

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// TestRandomLivesKeepThePromises lets clients and groups do what they like and looks, after every step, whether the
// budget holds and whether anything went that a live group had not committed.
func TestRandomLivesKeepThePromises(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 3))
			w := newWorld(t, Config{Budget: MinBudget})
			topics := []string{"a", "b", "b", "c"}
			var logs []*fakeLog
			for i, topic := range topics {
				logs = append(logs, w.add(topic, int32(i), false))
			}
			w.sinks = []Sink{{Name: "s", Group: "sink", Takes: func(topic string) bool { return topic == "b" && seed%2 == 0 }}}
			committed := map[string]map[int]record.Offset{"g": {}, "h": {}, "sink": {}}
			defer w.run()()
			for step := range 1500 {
				i := r.IntN(len(logs))
				switch r.IntN(8) {
				default:
					_ = w.produce(topics[i], logs[i], 1+r.IntN(9), 1+r.IntN(20<<10))
				case 0, 1:
					group := []string{"g", "h", "sink"}[r.IntN(3)]
					if topics[i] == "c" && r.IntN(4) > 0 {
						continue // hardly anybody reads it
					}
					to := max(committed[group][i], logs[i].begin()) + record.Offset(r.IntN(200))
					to = min(to, logs[i].end())
					committed[group][i] = to
					w.commit(group, topics[i], int32(i), to)
				case 2:
					time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
				}
				w.check(seed, step, topics, logs, committed)
			}
		})
	}
}

// check is the model: what lives, and what must be there.
func (w *world) check(seed uint64, step int, topics []string, logs []*fakeLog, committed map[string]map[int]record.Offset) {
	w.t.Helper()
	var used int64
	for i, l := range logs {
		used += l.bytes()
		read := false
		for group, offsets := range committed {
			offset, has := offsets[i]
			if !has && !(group == "sink" && topics[i] == "b" && seed%2 == 0) {
				continue
			}
			read = true
			if l.begin() > offset {
				w.t.Fatalf("seed %d, step %d: %s begins at %d, group %s has committed %d", seed, step, in(topics[i], i), l.begin(), group, offset)
			}
		}
		if !read && l.begin() > 0 {
			w.t.Fatalf("seed %d, step %d: %s, which nobody reads, begins at %d", seed, step, in(topics[i], i), l.begin())
		}
	}
	if limit := int64(MinBudget - MinBudget/20); used > limit {
		w.t.Fatalf("seed %d, step %d: clients have %d bytes of %d", seed, step, used, limit)
	}
}

// TestManyWritersAtOnceStayWithinTheBudget has what is on its way between the asking and the writing counted.
func TestManyWritersAtOnceStayWithinTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Budget: MinBudget})
		l := w.add("web_log", 0, false)
		w.commit("g", "web_log", 0, 1<<40)
		defer w.run()()
		var writers sync.WaitGroup
		for seed := range uint64(8) {
			writers.Go(func() {
				r := rand.New(rand.NewPCG(seed, 4))
				for range 300 {
					n := 1 + r.IntN(60<<10)
					if err := w.room.Admit("web_log", n); err != nil {
						t.Error(err)
						return
					}
					time.Sleep(time.Duration(r.IntN(50)) * time.Millisecond)
					l.append(1, n)
					if used, limit := l.bytes(), int64(MinBudget-MinBudget/20); used > limit {
						t.Errorf("clients have %d bytes of %d", used, limit)
					}
					w.room.Note(n, nil)
				}
			})
		}
		writers.Wait()
		if w.count("used up") > 0 {
			t.Errorf("somebody was refused:\n%s", w.lines.String())
		}
	})
}

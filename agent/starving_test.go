package agent

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/loghaul/loghaul/agent/produce/producetest"
	"github.com/loghaul/loghaul/internal/record"
)

func TestLanesWhoseBrokersAreAwayLeaveTheOthersMemory(t *testing.T) {
	const dead = 12
	h := newHouse(t, map[string]int32{"web_log": dead + 2})
	h.change = func(c *Config) { c.Memory = 8 << 20 }
	var refused [dead]atomic.Bool
	h.b.Set(func() {
		h.b.Refuse = func(at producetest.Partition, _ record.Header) int16 {
			if at.Number >= dead {
				return 0
			}
			refused[at.Number].Store(true)
			return notEnoughReplicas
		}
	})
	backlog := strings.Repeat(strings.Repeat("x", 199)+"\n", 10_000) // more than any lane has buffers for
	for n := range dead {
		file := fmt.Sprintf("dead-%d.log", n)
		h.write(file, backlog)
		h.input(fmt.Sprintf("dead-%d", n), "web_log", file, fmt.Sprintf(`"partition":%d`, n))
	}
	r := h.start()
	h.until(func() bool {
		all := r.budget.lanes.Load() == dead
		for n := range dead {
			all = all && refused[n].Load()
		}
		return all
	}, func() string { return "not every lane has met its broker" })
	for n := dead; n < dead+2; n++ { // they come when the others have all that they will ever take
		file := fmt.Sprintf("live-%d.log", n)
		h.write(file, backlog)
		h.input(fmt.Sprintf("live-%d", n), "web_log", file, fmt.Sprintf(`"partition":%d`, n))
	}
	for n := int32(dead); n < dead+2; n++ {
		h.until(func() bool {
			var got int
			h.b.Set(func() { got = int(h.b.Log(producetest.Partition{Topic: "web_log", Number: n}).End) })
			return got == 10_000
		}, func() string { return fmt.Sprintf("partition %d is starved by those that nobody serves", n) })
	}
}

func TestABacklogIsReadIntoLessMemoryWhereManyLanesReadOne(t *testing.T) {
	b := newBudget(64 << 20)
	for lanes, want := range map[int32]int{0: readLarge, 1: readLarge, 21: readLarge, 42: 32 << 20 / 6 / 42 &^ 4095, 1000: readSmall} {
		b.lanes.Store(lanes)
		if got := b.large(); got != want {
			t.Errorf("with %d lanes each reads %d bytes at once, want %d", lanes, got, want)
		}
	}
}

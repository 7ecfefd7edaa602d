package campaign

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// cutsOfAWorld is how often the power of one broker goes; a longer campaign goes on with a new one.
const cutsOfAWorld = 25

func TestCutPowerTakesNothingThatWasAcknowledgedOrSeen(t *testing.T) {
	n, s, began := length(*cuts, 6, 20), draw(), time.Now()
	t.Logf("%d power cuts, -seed %d", n, s)
	c := &cutter{t: t, rng: rand.New(rand.NewPCG(s, 2)), moments: map[string]int{}}
	for !over(c.done, n, *cuts, began) {
		c.world(func(inWorld int) bool { return inWorld == cutsOfAWorld || over(c.done, n, *cuts, began) })
	}
	var at []string
	for _, m := range slices.Sorted(maps.Keys(c.moments)) {
		at = append(at, strconv.Itoa(c.moments[m])+" "+m)
	}
	t.Logf("the power was cut %d times in %s (-seed %d; before %s): %s; %d tails were cut", c.done, time.Since(began).Round(time.Second), s, strings.Join(at, ", "), &c.count, c.tails)
}

// cutter cuts the power of brokers.
type cutter struct {
	t       *testing.T
	rng     *rand.Rand
	count   counts
	done    int
	moments map[string]int
	tails   int
}

// world is the life of one broker.
func (c *cutter) world(enough func(inWorld int) bool) {
	c.t.Helper()
	p := newPowered(c.t, c.rng)
	w := newWorld(c.t, p.proxy.addr(), everything)
	for n := 0; !enough(n); n++ {
		rest(w.life, time.Duration(c.rng.IntN(500))*time.Millisecond)
		if w.failed() {
			break
		}
		moment := p.cut()
		if moment == "" {
			moment = "nothing in particular"
		}
		c.moments[moment]++
		c.done++
	}
	w.finish()
	c.tails += p.log.count("recovered ")
	if err := p.stop(); err != nil {
		c.t.Fatalf("the broker ended with: %v", err)
	}
	c.count.add(&w.count)
}

package campaign

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"
)

// killsOfAWorld is how often the broker of one folder is killed; a longer campaign goes on in a new one.
const killsOfAWorld = 40

func TestKilledBrokerKeepsWhatItAcknowledgedOnceAndInOrder(t *testing.T) {
	n, s, began := length(*kills, 3, 6), draw(), time.Now()
	t.Logf("%d kills, -seed %d", n, s)
	k := &killer{t: t, rng: rand.New(rand.NewPCG(s, 1))}
	for !over(k.done, n, *kills, began) {
		k.world(func(inWorld int) bool { return inWorld == killsOfAWorld || over(k.done, n, *kills, began) })
	}
	t.Logf("killed %d times in %s (-seed %d), %d of them while starting: %s; %d tails were cut, ready again after %s on average and %s at most",
		k.done, time.Since(began).Round(time.Second), s, k.early, &k.count, k.cuts, (k.starting / time.Duration(max(1, k.starts))).Round(time.Millisecond), k.slowest.Round(time.Millisecond))
}

// killer kills brokers.
type killer struct {
	t                 *testing.T
	rng               *rand.Rand
	count             counts
	done, early, cuts int
	starts            int
	starting, slowest time.Duration // until a broker was ready again
}

// world is the life of one folder.
func (k *killer) world(enough func(inWorld int) bool) {
	k.t.Helper()
	data := filepath.Join(k.t.TempDir(), "data")
	p := launch(k.t, data, "127.0.0.1:0", "none")
	addr := p.wait()["broker"] // the port stays: a broker that comes back has the address it had
	w := newWorld(k.t, addr, everything)
	for n := 0; !enough(n); n++ {
		rest(w.life, time.Duration(50+k.rng.IntN(1100))*time.Millisecond)
		if w.failed() {
			break
		}
		p.kill()
		k.done++
		k.cuts += p.recovered()
		p = launch(k.t, data, addr, "none")
		if k.rng.IntN(6) == 0 { // and once more while it looks at what is there
			rest(w.life, time.Duration(k.rng.IntN(150))*time.Millisecond)
			p.kill()
			k.early++
			p = launch(k.t, data, addr, "none")
		}
		began := time.Now()
		p.wait()
		took := time.Since(began)
		k.starts, k.starting, k.slowest = k.starts+1, k.starting+took, max(k.slowest, took)
	}
	w.finish()
	k.cuts += p.recovered()
	p.stop()
	k.count.add(&w.count)
}

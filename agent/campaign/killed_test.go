package campaign

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// killsOfAWorld is how much is killed over one set of folders; a longer campaign goes on
// in new ones.
const killsOfAWorld = 40

func TestKilledAgentsAndBrokersLoseAndDoubleNothing(t *testing.T) {
	n, s, began := length(6, 30), draw(), time.Now()
	all := wanted(t)
	t.Logf("%d kills, -seed %d", n, s)
	k := &killer{t: t, rng: rand.New(rand.NewPCG(s, 1)), styles: all}
	for !over(k.done(), n, began, 25*time.Second) {
		k.world(s+uint64(k.done()), func(inWorld int) bool { return inWorld >= killsOfAWorld || over(k.done(), n, began, 25*time.Second) })
	}
	k.sum.print(t)
	t.Logf("killed %d agents (%d of them while starting) and %d brokers in %s, -seed %d", k.agents, k.early, k.brokers, time.Since(began).Round(time.Second), s)
}

// killer kills agents and the bundled broker.
type killer struct {
	t                      *testing.T
	rng                    *rand.Rand
	styles                 []style
	agents, early, brokers int
	sum                    summary
}

func (k *killer) done() int { return k.agents + k.brokers }

// world is the life of one set of folders.
func (k *killer) world(seed uint64, enough func(inWorld int) bool) {
	k.t.Helper()
	root := newRoot(k.t)
	broker := launch(k.t, filepath.Join(root, "broker.log"), "broker", "--data", filepath.Join(root, "broker"), "--listen", "127.0.0.1:0", "--admin", "none")
	addr := broker.wait()["broker"]
	broker.args[slices.Index(broker.args, "--listen")+1] = addr // one that comes back has the address it had
	w := newWorld(k.t, root, addr, k.styles, 1, seed)
	for before := k.done(); !enough(k.done() - before); {
		pause(time.Duration(50+k.rng.IntN(1000)) * time.Millisecond)
		w.sound()
		switch k.rng.IntN(6) {
		case 0: // the agent goes on
			broker.kill()
			k.brokers++
			pause(time.Duration(k.rng.IntN(600)) * time.Millisecond)
			broker = broker.again()
			broker.wait()
		case 1: // both
			w.agent.kill()
			broker.kill()
			k.agents, k.brokers = k.agents+1, k.brokers+1
			if k.rng.IntN(2) == 0 {
				broker = broker.again()
				k.away()
				w.agent = w.agent.again()
			} else {
				w.agent = w.agent.again()
				k.away()
				broker = broker.again()
			}
			broker.wait()
			w.agent.wait()
		default:
			w.agent.kill()
			k.agents++
			k.away()
			w.agent = k.restarted(w.agent)
		}
	}
	w.finish(&k.sum)
	broker.kill()
}

// away is how long nobody looks after the files: now and then long enough for several
// rotations.
func (k *killer) away() {
	d := k.rng.IntN(400)
	if k.rng.IntN(6) == 0 {
		d = 1500 + k.rng.IntN(1500)
	}
	pause(time.Duration(d) * time.Millisecond)
}

// restarted starts the agent, now and then more than once.
func (k *killer) restarted(p *process) *process {
	p = p.again()
	for k.rng.IntN(5) == 0 {
		pause(time.Duration(k.rng.IntN(250)) * time.Millisecond)
		p.kill()
		k.agents++
		k.early++
		p = p.again()
	}
	p.wait()
	return p
}

// summary is what came of all worlds of a campaign, by style.
type summary struct {
	names []string
	of    map[string]*outcome
}

type outcome struct {
	gap                          bool
	lines, turns, missing        int
	bytes, missingBytes, counted int64
}

func (sum *summary) add(s *site, missing []int, bytes, counted int64) {
	if sum.of == nil {
		sum.of = map[string]*outcome{}
	}
	o := sum.of[s.style.name]
	if o == nil {
		o = &outcome{gap: s.style.gap}
		sum.of[s.style.name], sum.names = o, append(sum.names, s.style.name)
	}
	o.lines, o.turns, o.missing = o.lines+s.n, o.turns+s.turns, o.missing+len(missing)
	o.bytes, o.missingBytes, o.counted = o.bytes+s.bytes.Load(), o.missingBytes+bytes, o.counted+counted
}

// print says for each style what the campaign is for.
func (sum *summary) print(t *testing.T) {
	total := 0
	for _, name := range sum.names {
		o := sum.of[name]
		total += o.lines
		end := "each once"
		if o.gap {
			end = fmt.Sprintf("each once but %d written after a copy and before the truncation (%d bytes, at least %d of them counted); all that lies in copies is there or counted", o.missing, o.missingBytes, o.counted)
		}
		t.Logf("%s: %d lines written = lines in the topic, %s; %d rotations", name, o.lines, end, o.turns)
	}
	t.Logf("%d lines in all", total)
}

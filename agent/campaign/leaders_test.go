package campaign

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/realkafka"
)

// TestLeadersOfARealKafkaDieAndNothingIsLostOrDoubled kills agents, and the leaders of their
// partitions in a Kafka of three nodes.
func TestLeadersOfARealKafkaDieAndNothingIsLostOrDoubled(t *testing.T) {
	if testing.Short() {
		t.Skip("a real Kafka is started without -short only")
	}
	n, s, began := length(0, 6), draw(), time.Now()
	styles := wanted(t)
	if *only == "" && *kills == 0 { // the styles themselves are the other campaign's affair
		styles = slices.DeleteFunc(styles, func(st style) bool {
			return !slices.Contains([]string{"create", "shift", "copytruncate", "nginx"}, st.name)
		})
	}
	t.Logf("%d kills, -seed %d", n, s)
	rng := rand.New(rand.NewPCG(s, 2))
	c := realkafka.StartCluster(t, 3, map[string]string{"auto.create.topics.enable": "false", "log.segment.bytes": "1048576"})
	w := newWorld(t, newRoot(t), c.Addrs, styles, 3, s)
	agents, leaders := 0, 0
	for agents+leaders < n {
		pause(time.Duration(200+rng.IntN(1500)) * time.Millisecond)
		w.sound()
		if leaders*2 > agents {
			w.agent.kill()
			agents++
			pause(time.Duration(rng.IntN(400)) * time.Millisecond)
			w.agent = w.agent.again()
			w.agent.wait()
			continue
		}
		node := w.leader(styles[rng.IntN(len(styles))].name)
		c.Kill(node)
		leaders++
		if rng.IntN(2) == 0 { // the agent too, while a new leader is looked for
			w.agent.kill()
			agents++
			w.agent = w.agent.again()
			w.agent.wait()
		}
		pause(time.Duration(rng.IntN(3000)) * time.Millisecond)
		c.Restart(t, node)
		w.until("all replicas in sync", func() bool { return w.inSync(styles) })
	}
	var sum summary
	w.finish(&sum)
	sum.print(t)
	t.Logf("killed %d leaders and %d agents in %s, -seed %d", leaders, agents, time.Since(began).Round(time.Second), s)
}

// leader is the node that leads a topic's partition.
func (w *world) leader(topic string) (node int) {
	w.t.Helper()
	w.until("the leader of "+topic, func() bool {
		node = w.partition(topic, func(leader int32, _ int) bool { return leader > 0 })
		return node > 0
	})
	return node
}

// inSync says whether every replica of every topic has all that there is.
func (w *world) inSync(styles []style) bool {
	return !slices.ContainsFunc(styles, func(st style) bool {
		return w.partition(st.name, func(leader int32, inSync int) bool { return leader > 0 && inSync == 3 }) == 0
	})
}

// partition is the leader of a topic's partition, or 0 if it is not as ok wants it.
func (w *world) partition(topic string, ok func(leader int32, inSync int) bool) int {
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	list, err := w.admin.ListTopics(ctx, topic)
	if err != nil {
		return 0
	}
	p := list[topic].Partitions[0]
	if !ok(p.Leader, len(p.ISR)) {
		return 0
	}
	return int(p.Leader)
}

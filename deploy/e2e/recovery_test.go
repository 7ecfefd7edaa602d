package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/loghaul/loghaul/internal/realkafka"
)

// host is one host whose agent loses its memory in one way or another, and a topic of its
// own.
type host struct {
	t      *testing.T
	topic  string
	broker string
	admin  *kadm.Client
	data   string
	input  string // its file
	w      *writer
	agent  *process
	gone   int // records that went with an earlier topic of the name
}

func newHost(t *testing.T, broker, topic string, configs map[string]*string) *host {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	logs, inputs := t.TempDir(), t.TempDir()
	h := &host{t: t, topic: topic, broker: broker, admin: kadm.NewClient(client), data: filepath.Join(t.TempDir(), "agent")}
	h.create(configs)
	h.input = filepath.Join(inputs, "app.json")
	put(t, h.input, `{"paths":["`+logs+`/*.log"],"topic":"`+topic+`","batch":{"bytes":20000,"age":"1ms"},"compression":"none"}`)
	h.w = &writer{path: filepath.Join(logs, "app.log"), rotate: 3000}
	if err := h.w.turn(); err != nil { // so that it is followed before it is rotated away
		t.Fatal(err)
	}
	h.agent = start(t, "agent", "--data", h.data, "--host", "web-1", "--allow-root", logs, "--etcd", "none",
		"--inputs", inputs, "--brokers", broker, "--admin", "127.0.0.1:0")
	h.write(500)
	h.await(500)
	return h
}

func (h *host) create(configs map[string]*string) {
	h.t.Helper()
	eventually(h.t, "topic "+h.topic, func() bool {
		resp, err := h.admin.CreateTopic(h.t.Context(), 1, 1, configs, h.topic)
		return err == nil && resp.Err == nil
	})
}

// write logs n lines, the older ones rotated away meanwhile.
func (h *host) write(n int) {
	h.t.Helper()
	if err := h.w.write(n); err != nil {
		h.t.Fatal(err)
	}
}

// stored is how many records the topic has.
func (h *host) stored() (n int) {
	ends, err := h.admin.ListEndOffsets(h.t.Context(), h.topic)
	if err != nil {
		return -1
	}
	ends.Each(func(o kadm.ListedOffset) { n += int(o.Offset) })
	return n
}

func (h *host) await(n int) {
	h.t.Helper()
	eventually(h.t, "lines in the topic", func() bool { return h.stored() >= n })
}

// kill kills the agent while it sends, and waits until what it had sent is through.
func (h *host) kill() {
	h.t.Helper()
	h.write(5000)
	h.await(h.w.written - 5000 - h.gone + 1)
	h.agent.kill()
	for last := -1; last != h.stored(); pause(300 * time.Millisecond) {
		last = h.stored()
	}
}

// arrive wants each line that was written in the topic once, in order.
func (h *host) arrive() {
	h.t.Helper()
	h.await(h.w.written - h.gone)
	h.agent.stop()
	c := topic(h.t, h.broker, h.topic)
	for n := range h.gone {
		c.add(h.t, text(h.w.name(), n))
	}
	c.disorder = 0
	c.check(h.t, h.topic, h.w)
	if h.gone == 0 { // else verify rightly misses what went with the topic
		verified(h.t, h.broker, bytesOf([]*writer{h.w}), "--topic", h.topic)
	}
}

// onBoth runs a test on the bundled broker and on a real Kafka that forgets who has sent
// nothing for a second.
func onBoth(t *testing.T, test func(t *testing.T, broker string, forgets bool)) {
	t.Run("bundled", func(t *testing.T) {
		b := start(t, "broker", "--data", filepath.Join(t.TempDir(), "broker"), "--listen", "127.0.0.1:0", "--admin", "none")
		test(t, b.ready["broker"], false)
	})
	t.Run("kafka", func(t *testing.T) {
		if testing.Short() {
			t.Skip("a real Kafka is started without -short only")
		}
		k := realkafka.Start(t, realkafka.Config{Properties: map[string]string{
			"producer.id.expiration.ms": "1000", "producer.id.expiration.check.interval.ms": "300", "auto.create.topics.enable": "false"}})
		test(t, k.Addr, true)
	})
}

// TestAnAgentThatHasLostItsMemoryOnBothBrokers takes away what an agent or a broker
// remembers, in each of the ways that the agent's rules name, and wants each line once.
func TestAnAgentThatHasLostItsMemoryOnBothBrokers(t *testing.T) {
	onBoth(t, func(t *testing.T, broker string, forgets bool) {
		small := "4000"
		for _, story := range []struct {
			name    string
			configs map[string]*string
			lose    func(h *host)
		}{
			{"rule4_killed", nil, func(h *host) { h.kill() }},
			{"rule4_journal_older_than_the_log", nil, func(h *host) {
				h.write(100)
				h.await(h.w.written)
				h.agent.kill()
				kept, dir := filepath.Join(h.t.TempDir(), "kept"), filepath.Join(h.data, "journal")
				h.must(os.CopyFS(kept, os.DirFS(dir)))
				h.agent = h.agent.again()
				h.kill()
				// A copy of the folder, as a backup brings it back, is another folder.
				h.must(os.RemoveAll(dir))
				h.must(os.CopyFS(dir, os.DirFS(kept)))
			}},
			{"rule7_journal_lost", nil, func(h *host) {
				h.kill()
				h.must(os.RemoveAll(h.data))
			}},
			{"rule8_the_broker_has_forgotten_us", nil, func(h *host) {
				h.kill()
				if forgets {
					h.await(1)
					eventually(h.t, "the producer forgotten", func() bool {
						d, err := h.admin.DescribeProducers(h.t.Context(), kadm.TopicsSet{h.topic: {0: struct{}{}}})
						return err == nil && len(d[h.topic].Partitions[0].ActiveProducers) == 0
					})
				}
			}},
			{"rule5_input_edited", nil, func(h *host) {
				h.kill()
				put(h.t, h.input, `{"paths":["`+filepath.Dir(h.w.path)+`/*.log"],"topic":"`+h.topic+`","labels":{"tier":"front"},"compression":"zstd"}`)
			}},
			{"rule1_partitions_added", nil, func(h *host) {
				h.kill()
				_, err := h.admin.CreatePartitions(h.t.Context(), 2, h.topic)
				h.must(err)
			}},
			{"rule9_batches_too_large", map[string]*string{"max.message.bytes": &small}, func(h *host) { h.kill() }},
			{"topic_made_anew", nil, func(h *host) {
				h.await(h.w.written)
				h.agent.stop()
				h.gone = h.w.written
				_, err := h.admin.DeleteTopics(h.t.Context(), h.topic)
				h.must(err)
				h.create(nil)
			}},
		} {
			t.Run(story.name, func(t *testing.T) {
				h := newHost(t, broker, story.name, story.configs)
				story.lose(h)
				h.write(2000)
				h.agent = h.agent.again()
				h.write(2000)
				h.arrive()
			})
		}
	})
}

func (h *host) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

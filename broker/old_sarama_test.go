package broker_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	old "github.com/Shopify/sarama"
	"github.com/loghaul/loghaul/broker"
)

// oldVersions are those of Config.Version that change what Shopify/sarama 1.19 puts on the wire: Produce 0, 2, 3 and Fetch 0,
// 2, 4. The first is its default.
var oldVersions = []old.KafkaVersion{old.NewConfig().Version, old.V0_10_2_0, old.V0_11_0_0, old.V1_0_0_0}

// oldConfig is what a tutorial's program has.
func oldConfig(version old.KafkaVersion) *old.Config {
	cfg := old.NewConfig()
	cfg.Version = version
	cfg.Producer.Return.Successes = true
	cfg.Consumer.Return.Errors = true
	cfg.Consumer.MaxWaitTime = 50 * time.Millisecond
	return cfg
}

// oldConsume reads n messages of a partition from an offset.
func oldConsume(t *testing.T, addr, topic string, partition int32, from int64, n int, cfg *old.Config) []*old.ConsumerMessage {
	t.Helper()
	consumer, err := old.NewConsumer([]string{addr}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	p, err := consumer.ConsumePartition(topic, partition, from)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var got []*old.ConsumerMessage
	timeout := time.After(20 * time.Second)
	for len(got) < n {
		select {
		case m := <-p.Messages():
			got = append(got, m)
		case err := <-p.Errors():
			t.Fatal(err)
		case <-timeout:
			t.Fatalf("%d of %d messages in 20 seconds", len(got), n)
		}
	}
	return got
}

func TestOldSaramaSyncProducerAndConsumer(t *testing.T) {
	r := start(t, broker.Config{})
	for _, version := range oldVersions {
		for _, codec := range []old.CompressionCodec{old.CompressionNone, old.CompressionGZIP, old.CompressionSnappy, old.CompressionLZ4} {
			if codec == old.CompressionLZ4 && !version.IsAtLeast(old.V0_10_0_0) {
				continue // the library refuses it
			}
			for _, acks := range []old.RequiredAcks{old.NoResponse, old.WaitForLocal, old.WaitForAll} {
				topic := fmt.Sprintf("sync-%s-%s-%d", version, codec, acks)
				t.Run(topic, func(t *testing.T) {
					t.Parallel()
					cfg := oldConfig(version)
					cfg.Producer.RequiredAcks, cfg.Producer.Compression = acks, codec
					p, err := old.NewSyncProducer([]string{r.addr}, cfg)
					if err != nil {
						t.Fatal(err)
					}
					var batch []*old.ProducerMessage
					for i := range 20 {
						m := &old.ProducerMessage{Topic: topic, Key: old.StringEncoder("key"), Value: old.StringEncoder(fmt.Sprintf("line %d", i))}
						if i >= 10 {
							batch = append(batch, m)
							continue
						}
						if _, offset, err := p.SendMessage(m); err != nil || acks != old.NoResponse && offset != int64(i) {
							t.Fatalf("message %d: offset %d, %v", i, offset, err)
						}
					}
					if err := p.SendMessages(batch); err != nil {
						t.Fatal(err)
					}
					if err := p.Close(); err != nil {
						t.Fatal(err)
					}
					for _, from := range []int64{old.OffsetOldest, 13} {
						skip := max(int(from), 0)
						for i, m := range oldConsume(t, r.addr, topic, 0, from, 20-skip, cfg) {
							if want := fmt.Sprintf("line %d", i+skip); string(m.Value) != want || string(m.Key) != "key" || m.Offset != int64(i+skip) {
								t.Fatalf("from %d: message %d is %s=%s at offset %d, want %s", from, i, m.Key, m.Value, m.Offset, want)
							}
							if version.IsAtLeast(old.V0_10_0_0) && time.Since(m.Timestamp).Abs() > time.Hour {
								t.Fatalf("message %d has the time %s", i, m.Timestamp)
							}
						}
					}
				})
			}
		}
	}
}

// TestOldSaramaReadsWhatNewClientsWrite and the other way round: batches with headers and without keys, in each codec.
func TestOldSaramaReadsWhatNewClientsWrite(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"new:1"}})
	r.produce(r.client(), "new", 0, 500)
	for _, version := range oldVersions {
		for i, m := range oldConsume(t, r.addr, "new", 0, old.OffsetOldest, 500, oldConfig(version)) {
			if want := fmt.Sprintf("line %d", i); string(m.Value) != want || m.Key != nil || m.Offset != int64(i) {
				t.Fatalf("%s: message %d is %q=%q at offset %d", version, i, m.Key, m.Value, m.Offset)
			}
		}
	}
}

func TestOldSaramaAsyncProducerAndItsPartitioners(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"random:4", "hash:4", "manual:4"}})
	for name, partitioner := range map[string]old.PartitionerConstructor{"random": old.NewRandomPartitioner, "hash": old.NewHashPartitioner, "manual": old.NewManualPartitioner} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent := 0
			for _, version := range oldVersions {
				cfg := oldConfig(version)
				cfg.Producer.Partitioner = partitioner
				cfg.Producer.Compression = old.CompressionSnappy
				p, err := old.NewAsyncProducer([]string{r.addr}, cfg)
				if err != nil {
					t.Fatal(err)
				}
				const n = 1000
				go func() {
					for i := range n {
						p.Input() <- &old.ProducerMessage{Topic: name, Partition: int32(i % 4), Key: old.StringEncoder(fmt.Sprint(i)), Value: old.StringEncoder(fmt.Sprintf("line %d", i))}
					}
				}()
				for range n {
					select {
					case <-p.Successes():
					case err := <-p.Errors():
						t.Fatal(err)
					}
				}
				if err := p.Close(); err != nil {
					t.Fatal(err)
				}
				sent += n
			}
			client, err := old.NewClient([]string{r.addr}, oldConfig(oldVersions[1]))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			total := int64(0)
			for p := range int32(4) {
				n, err := client.GetOffset(name, p, old.OffsetNewest)
				if err != nil || n == 0 || name == "manual" && n != int64(sent)/4 {
					t.Errorf("partition %d ends at %d, %v", p, n, err)
				}
				total += n
				oldConsume(t, r.addr, name, p, old.OffsetOldest, int(n), oldConfig(oldVersions[0]))
			}
			if total != int64(sent) {
				t.Errorf("%d messages in all, want %d", total, sent)
			}
		})
	}
}

func TestOldSaramaConsumesFromTheNewest(t *testing.T) {
	r := start(t, broker.Config{})
	for _, version := range oldVersions {
		topic := "newest-" + version.String()
		cfg := oldConfig(version)
		p, err := old.NewSyncProducer([]string{r.addr}, cfg)
		if err != nil {
			t.Fatal(err)
		}
		send := func(value string) {
			if _, _, err := p.SendMessage(&old.ProducerMessage{Topic: topic, Value: old.StringEncoder(value)}); err != nil {
				t.Fatal(err)
			}
		}
		send("before")
		consumer, err := old.NewConsumer([]string{r.addr}, cfg)
		if err != nil {
			t.Fatal(err)
		}
		partition, err := consumer.ConsumePartition(topic, 0, old.OffsetNewest)
		if err != nil {
			t.Fatal(err)
		}
		send("after")
		select {
		case m := <-partition.Messages():
			if string(m.Value) != "after" || m.Offset != 1 {
				t.Errorf("%s: got %q at offset %d", version, m.Value, m.Offset)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("%s: no message in 20 seconds", version)
		}
		partition.Close()
		consumer.Close()
		p.Close()
	}
}

// oldMember reads until it has so many messages, as a group's member of a tutorial.
type oldMember struct {
	want   int
	manual bool

	mu   sync.Mutex
	got  []string
	done func()
}

func (*oldMember) Setup(old.ConsumerGroupSession) error   { return nil }
func (*oldMember) Cleanup(old.ConsumerGroupSession) error { return nil }
func (m *oldMember) ConsumeClaim(s old.ConsumerGroupSession, c old.ConsumerGroupClaim) error {
	for msg := range c.Messages() {
		if m.manual {
			s.MarkOffset(msg.Topic, msg.Partition, msg.Offset+1, "noted")
		} else {
			s.MarkMessage(msg, "")
		}
		m.mu.Lock()
		if m.got = append(m.got, string(msg.Value)); len(m.got) == m.want {
			m.done()
		}
		m.mu.Unlock()
	}
	return nil
}

func TestOldSaramaGroupsGoOnWhereTheyCommitted(t *testing.T) {
	r := start(t, broker.Config{})
	for _, version := range oldVersions[1:] { // the library has groups from 0.10.2 on
		for _, manual := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s manual=%v", version, manual), func(t *testing.T) {
				t.Parallel()
				cfg := oldConfig(version)
				cfg.Consumer.Offsets.Initial = old.OffsetOldest
				cfg.Consumer.Offsets.CommitInterval = 50 * time.Millisecond
				name := fmt.Sprintf("group-%s-%v", version, manual)
				topic := "in-" + name
				p, err := old.NewSyncProducer([]string{r.addr}, cfg)
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				for round := range 2 {
					for i := range 50 {
						if _, _, err := p.SendMessage(&old.ProducerMessage{Topic: topic, Value: old.StringEncoder(fmt.Sprintf("%d/%d", round, i))}); err != nil {
							t.Fatal(err)
						}
					}
					group, err := old.NewConsumerGroup([]string{r.addr}, name, cfg)
					if err != nil {
						t.Fatal(err)
					}
					ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
					m := &oldMember{want: 50, manual: manual, done: cancel}
					for ctx.Err() == nil {
						if err := group.Consume(ctx, []string{topic}, m); err != nil {
							t.Fatal(err)
						}
					}
					if err := group.Close(); err != nil {
						t.Fatal(err)
					}
					if len(m.got) != 50 || m.got[0] != fmt.Sprintf("%d/0", round) {
						t.Errorf("round %d: %d messages: %q", round, len(m.got), m.got)
					}
				}
			})
		}
	}
}

func TestOldSaramaOffsetManagerAndAdmin(t *testing.T) {
	r := start(t, broker.Config{})
	for _, version := range oldVersions {
		cfg := oldConfig(version)
		cfg.Consumer.Offsets.CommitInterval = 10 * time.Millisecond
		topic, group := "managed-"+version.String(), "managers-"+version.String()
		client, err := old.NewClient([]string{r.addr}, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := client.RefreshMetadata(topic); err != nil { // makes it
			t.Fatal(err)
		}
		for round := range int64(2) {
			manager, err := old.NewOffsetManagerFromClient(group, client)
			if err != nil {
				t.Fatal(err)
			}
			partition, err := manager.ManagePartition(topic, 0)
			if err != nil {
				t.Fatal(err)
			}
			next, note := partition.NextOffset()
			if want := []int64{old.OffsetNewest, 42}[round]; next != want || round == 1 && note != "noted" {
				t.Errorf("%s, round %d: next offset %d, note %q, want %d", version, round, next, note, want)
			}
			partition.MarkOffset(42, "noted")
			partition.Close()
			if err := manager.Close(); err != nil {
				t.Fatal(err)
			}
		}
		client.Close()
	}
	for _, version := range oldVersions[1:] { // the library's admin needs 0.10.2
		admin, err := old.NewClusterAdmin([]string{r.addr}, oldConfig(version))
		if err != nil {
			t.Fatal(err)
		}
		topic := "admin-" + version.String()
		if err := admin.CreateTopic(topic, &old.TopicDetail{NumPartitions: 3, ReplicationFactor: 1}, false); err != nil {
			t.Errorf("%s: creating: %v", version, err)
		}
		if version.IsAtLeast(old.V1_0_0_0) {
			if err := admin.CreatePartitions(topic, 5, nil, false); err != nil {
				t.Errorf("%s: adding partitions: %v", version, err)
			}
		}
		if err := admin.DeleteTopic(topic); err != nil {
			t.Errorf("%s: deleting: %v", version, err)
		}
		admin.Close()
	}
}

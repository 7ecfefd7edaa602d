package shopify_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/Shopify/sarama"
	"github.com/loghaul/loghaul/broker/clients"
)

// partitioners are those of the tutorials, and whether they put a message where it should be.
var partitioners = map[string]struct {
	make  sarama.PartitionerConstructor
	right func(byKey map[string]map[int32]bool, m *sarama.ConsumerMessage) bool
}{
	"random": {sarama.NewRandomPartitioner, func(map[string]map[int32]bool, *sarama.ConsumerMessage) bool { return true }},
	"hash": {sarama.NewHashPartitioner, func(byKey map[string]map[int32]bool, m *sarama.ConsumerMessage) bool {
		return len(byKey[string(m.Key)]) == 1
	}},
	"manual": {sarama.NewManualPartitioner, func(_ map[string]map[int32]bool, m *sarama.ConsumerMessage) bool {
		return string(m.Key) == fmt.Sprint("key ", m.Partition)
	}},
}

func TestProducersOfTutorials(t *testing.T) {
	addr := serve(t)
	for name, partitioner := range partitioners {
		for acks, says := range map[sarama.RequiredAcks]string{sarama.NoResponse: "0", sarama.WaitForLocal: "1", sarama.WaitForAll: "all"} {
			for way, send := range map[string]func(*testing.T, string, *sarama.Config, []*sarama.ProducerMessage){"sync": sendOneByOne, "async": sendAll} {
				t.Run(name+" acks="+says+" "+way, func(t *testing.T) {
					t.Parallel()
					topic := clients.Topic(t, addr, "tutorial", 4)
					cfg := sarama.NewConfig()
					cfg.Producer.RequiredAcks = acks
					cfg.Producer.Partitioner = partitioner.make
					cfg.Producer.Return.Successes = true
					var messages []*sarama.ProducerMessage
					for i := range 100 {
						messages = append(messages, &sarama.ProducerMessage{Topic: topic, Partition: int32(i % 4),
							Key: sarama.StringEncoder(fmt.Sprint("key ", i%4)), Value: sarama.StringEncoder(fmt.Sprint("line ", i))})
					}
					send(t, addr, cfg, messages)
					got := readAll(t, addr, topic, 100)
					byKey := map[string]map[int32]bool{}
					seen := map[string]bool{}
					for _, m := range got {
						if byKey[string(m.Key)] == nil {
							byKey[string(m.Key)] = map[int32]bool{}
						}
						byKey[string(m.Key)][m.Partition] = true
						seen[string(m.Value)] = true
					}
					for _, m := range got {
						if !partitioner.right(byKey, m) {
							t.Errorf("%s with %s is in partition %d", m.Value, m.Key, m.Partition)
						}
					}
					if len(seen) != 100 {
						t.Errorf("%d different messages of 100", len(seen))
					}
				})
			}
		}
	}
}

// sendOneByOne uses a SyncProducer.
func sendOneByOne(t *testing.T, addr string, cfg *sarama.Config, messages []*sarama.ProducerMessage) {
	t.Helper()
	p, err := sarama.NewSyncProducer([]string{addr}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	next := map[int32]int64{}
	for _, m := range messages {
		partition, offset, err := p.SendMessage(m)
		if err != nil || cfg.Producer.RequiredAcks != sarama.NoResponse && offset != next[partition] {
			t.Fatalf("%s: offset %d of partition %d, %v, want offset %d", m.Value, offset, partition, err, next[partition])
		}
		next[partition]++
	}
}

// sendAll uses an AsyncProducer and waits for its successes.
func sendAll(t *testing.T, addr string, cfg *sarama.Config, messages []*sarama.ProducerMessage) {
	t.Helper()
	p, err := sarama.NewAsyncProducer([]string{addr}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for _, m := range messages {
			p.Input() <- m
		}
	}()
	for range messages {
		select {
		case <-p.Successes():
		case err := <-p.Errors():
			t.Error(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// readAll reads n messages of all partitions from the oldest on, as a tutorial's consumer.
func readAll(t *testing.T, addr, topic string, n int) (got []*sarama.ConsumerMessage) {
	t.Helper()
	consumer, err := sarama.NewConsumer([]string{addr}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	list, err := consumer.Partitions(topic)
	if err != nil {
		t.Fatal(err)
	}
	all := make(chan *sarama.ConsumerMessage)
	ended := make(chan struct{})
	for _, p := range list {
		messages, err := consumer.ConsumePartition(topic, p, sarama.OffsetOldest)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for m := range messages.Messages() {
				select {
				case all <- m:
				case <-ended:
				}
			}
		}()
		defer messages.Close()
	}
	defer close(ended)
	timeout := time.After(20 * time.Second)
	for len(got) < n {
		select {
		case m := <-all:
			got = append(got, m)
		case <-timeout:
			t.Fatalf("%d of %d messages in 20 seconds", len(got), n)
		}
	}
	return got
}

func TestTooLargeAMessageIsRefused(t *testing.T) {
	addr := serve(t)
	topic := clients.Topic(t, addr, "large", 1)
	cfg := sarama.NewConfig()
	cfg.Producer.Return.Successes = true
	cfg.Producer.MaxMessageBytes = 4 << 20
	p, err := sarama.NewSyncProducer([]string{addr}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.ByteEncoder(make([]byte, 2<<20))}); !errors.Is(err, sarama.ErrMessageSizeTooLarge) {
		t.Errorf("2 MiB: %v, want %v", err, sarama.ErrMessageSizeTooLarge)
	}
	if _, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.ByteEncoder(make([]byte, 1<<20-200))}); err != nil {
		t.Errorf("a little less than 1 MiB: %v", err)
	}
}

package broker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// saramaConfig is what a tutorial's program has, with its versions up or down.
func saramaConfig(version sarama.KafkaVersion) *sarama.Config {
	cfg := sarama.NewConfig()
	cfg.Version = version
	cfg.Producer.Return.Successes = true
	cfg.Producer.Partitioner = sarama.NewManualPartitioner
	cfg.Consumer.Return.Errors = true
	cfg.Consumer.MaxWaitTime = 50 * time.Millisecond
	return cfg
}

// consumeWithSarama reads n lines of partition 0 from the oldest on and says what is wrong with them.
func consumeWithSarama(t *testing.T, addr, topic string, n int, cfg *sarama.Config) {
	t.Helper()
	consumer, err := sarama.NewConsumer([]string{addr}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	partition, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	if err != nil {
		t.Fatal(err)
	}
	defer partition.Close()
	timeout := time.After(20 * time.Second)
	for i := range n {
		select {
		case m := <-partition.Messages():
			if want := fmt.Sprintf("line %d", i); string(m.Value) != want || m.Offset != int64(i) {
				t.Fatalf("message %d is %q at offset %d, want %q", i, m.Value, m.Offset, want)
			}
		case err := <-partition.Errors():
			t.Fatal(err)
		case <-timeout:
			t.Fatalf("%d of %d messages in 20 seconds", i, n)
		}
	}
}

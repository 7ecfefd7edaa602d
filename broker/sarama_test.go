package broker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/loghaul/loghaul/broker"
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

func TestSaramaSyncProducerAndConsumerInItsVersions(t *testing.T) {
	r := start(t, broker.Config{})
	for _, version := range []sarama.KafkaVersion{sarama.V0_11_0_0, sarama.V1_0_0_0, sarama.V2_1_0_0, sarama.V2_8_0_0, sarama.V4_0_0_0} {
		for _, acks := range []sarama.RequiredAcks{sarama.WaitForAll, sarama.WaitForLocal, sarama.NoResponse} {
			topic := fmt.Sprintf("sync-%s-acks%d", version, acks)
			t.Run(topic, func(t *testing.T) {
				t.Parallel()
				cfg := saramaConfig(version)
				cfg.Producer.RequiredAcks = acks
				p, err := sarama.NewSyncProducer([]string{r.addr}, cfg)
				if err != nil {
					t.Fatal(err)
				}
				for i := range 20 {
					m := &sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder("k"), Value: sarama.StringEncoder(fmt.Sprintf("line %d", i)),
						Headers: []sarama.RecordHeader{{Key: []byte("pos"), Value: []byte("1")}}}
					if _, offset, err := p.SendMessage(m); err != nil || acks != sarama.NoResponse && offset != int64(i) {
						t.Fatalf("message %d: offset %d, %v", i, offset, err)
					}
				}
				if err := p.Close(); err != nil {
					t.Fatal(err)
				}
				consumeWithSarama(t, r.addr, topic, 20, cfg)
			})
		}
	}
}

func TestSaramaAsyncProducerWithCodecsAndIdempotence(t *testing.T) {
	r := start(t, broker.Config{})
	for _, codec := range []sarama.CompressionCodec{sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy, sarama.CompressionLZ4, sarama.CompressionZSTD} {
		topic := "async-" + codec.String()
		t.Run(topic, func(t *testing.T) {
			t.Parallel()
			cfg := saramaConfig(sarama.V2_8_0_0)
			cfg.Producer.Compression = codec
			cfg.Producer.RequiredAcks = sarama.WaitForAll
			cfg.Producer.Idempotent = true
			cfg.Net.MaxOpenRequests = 1
			p, err := sarama.NewAsyncProducer([]string{r.addr}, cfg)
			if err != nil {
				t.Fatal(err)
			}
			const n = 2000
			go func() {
				for i := range n {
					p.Input() <- &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(fmt.Sprintf("line %d", i))}
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
			consumeWithSarama(t, r.addr, topic, n, cfg)
		})
	}
}

func TestSaramaConsumerComesBeforeTheTopic(t *testing.T) {
	r := start(t, broker.Config{})
	cfg := saramaConfig(sarama.V2_8_0_0)
	consumer, err := sarama.NewConsumer([]string{r.addr}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	partition, err := consumer.ConsumePartition("later", 0, sarama.OffsetNewest)
	if err != nil {
		t.Fatal(err)
	}
	defer partition.Close()
	p, err := sarama.NewSyncProducer([]string{r.addr}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: "later", Value: sarama.StringEncoder("hello")}); err != nil {
		t.Fatal(err)
	}
	select {
	case m := <-partition.Messages():
		if string(m.Value) != "hello" {
			t.Errorf("got %q", m.Value)
		}
	case <-time.After(20 * time.Second):
		t.Error("no message in 20 seconds")
	}
}

func TestSaramaAdmin(t *testing.T) {
	r := start(t, broker.Config{})
	admin, err := sarama.NewClusterAdmin([]string{r.addr}, saramaConfig(sarama.V2_8_0_0))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	retention := "60000"
	if err := admin.CreateTopic("web_log", &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &retention}}, false); err != nil {
		t.Fatal(err)
	}
	if err := admin.CreateTopic("web_log", &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1}, false); err == nil {
		t.Error("the same topic was created twice")
	}
	if err := admin.CreateTopic("other", &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 3}, false); err == nil {
		t.Error("three replicas on one node")
	}
	if err := admin.CreatePartitions("web_log", 5, nil, false); err != nil {
		t.Fatal(err)
	}
	topics, err := admin.ListTopics()
	if err != nil {
		t.Fatal(err)
	}
	if d := topics["web_log"]; d.NumPartitions != 5 || d.ReplicationFactor != 1 || d.ConfigEntries["retention.ms"] == nil || *d.ConfigEntries["retention.ms"] != "60000" {
		t.Errorf("listed is %+v", d)
	}
	entries, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: "web_log", ConfigNames: []string{"retention.ms", "segment.bytes"}})
	if err != nil || len(entries) != 2 {
		t.Errorf("settings are %+v, %v", entries, err)
	}
	if _, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.BrokerResource, Name: "1"}); err != nil {
		t.Error(err)
	}
	if brokers, controller, err := admin.DescribeCluster(); err != nil || len(brokers) != 1 || controller != 1 {
		t.Errorf("cluster has %d brokers and controller %d, %v", len(brokers), controller, err)
	}
	if err := admin.DeleteTopic("web_log"); err != nil {
		t.Fatal(err)
	}
	if err := admin.DeleteTopic("web_log"); err == nil {
		t.Error("the same topic was deleted twice")
	}
}

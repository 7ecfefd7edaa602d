package sarama_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/broker/clients"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	clients.BeMember(client("default", sarama.NewConfig), client("0.10.2", at(sarama.V0_10_2_0)), client("4.0", at(sarama.V4_0_0_0)))
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

// serve runs a broker for one test.
func serve(t *testing.T) string {
	t.Helper()
	return clients.Serve(t, func(data string, logger *slog.Logger) (clients.Broker, error) {
		return broker.New(broker.Config{Data: data, Listen: []string{"127.0.0.1:0"}, Logger: logger})
	}).Addr
}

// at makes configurations of one version.
func at(version sarama.KafkaVersion) func() *sarama.Config {
	return func() *sarama.Config {
		cfg := sarama.NewConfig()
		cfg.Version = version
		return cfg
	}
}

// client is sarama with configurations that one function makes.
func client(name string, config func() *sarama.Config) clients.Client {
	version := config().Version
	c := clients.Client{
		Name:    name,
		Codecs:  []string{"none", "gzip", "snappy"},
		Headers: version.IsAtLeast(sarama.V0_11_0_0),
		Times:   version.IsAtLeast(sarama.V0_10_0_0),
		Produce: func(ctx context.Context, addr, topic, codec string, records []clients.Record) error {
			return produce(config(), addr, topic, codec, records)
		},
		Consume: func(ctx context.Context, addr, topic string, partition int32, from int64, n int) ([]clients.Record, error) {
			return consume(ctx, config(), addr, topic, partition, from, n)
		},
	}
	if version.IsAtLeast(sarama.V0_10_0_0) {
		c.Codecs = append(c.Codecs, "lz4")
	}
	if version.IsAtLeast(sarama.V2_1_0_0) {
		c.Codecs = append(c.Codecs, "zstd")
	}
	if version.IsAtLeast(sarama.V0_10_1_0) {
		c.OffsetAt = func(_ context.Context, addr, topic string, partition int32, at time.Time) (int64, error) {
			cl, err := sarama.NewClient([]string{addr}, config())
			if err != nil {
				return 0, err
			}
			defer cl.Close()
			return cl.GetOffset(topic, partition, at.UnixMilli())
		}
	}
	if version.IsAtLeast(sarama.V0_10_2_0) {
		c.Member = func(ctx context.Context, addr, group, topic string, got func(clients.Record)) error {
			return beMember(ctx, config(), addr, group, topic, got)
		}
	}
	return c
}

// produce sends records with a SyncProducer.
func produce(cfg *sarama.Config, addr, topic, codec string, records []clients.Record) error {
	cfg.Producer.Return.Successes = true
	cfg.Producer.Partitioner = sarama.NewManualPartitioner
	if err := cfg.Producer.Compression.UnmarshalText([]byte(codec)); err != nil {
		return err
	}
	p, err := sarama.NewSyncProducer([]string{addr}, cfg)
	if err != nil {
		return err
	}
	defer p.Close()
	var list []*sarama.ProducerMessage
	for _, r := range records {
		m := &sarama.ProducerMessage{Topic: topic, Partition: r.Partition, Timestamp: r.Time}
		if r.Key != nil {
			m.Key = sarama.ByteEncoder(r.Key)
		}
		if r.Value != nil {
			m.Value = sarama.ByteEncoder(r.Value)
		}
		for _, h := range r.Headers {
			m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: []byte(h.Value)})
		}
		list = append(list, m)
	}
	return p.SendMessages(list)
}

// consume reads n records with a Consumer.
func consume(ctx context.Context, cfg *sarama.Config, addr, topic string, partition int32, from int64, n int) ([]clients.Record, error) {
	cfg.Consumer.MaxWaitTime = 50 * time.Millisecond
	consumer, err := sarama.NewConsumer([]string{addr}, cfg)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	messages, err := consumer.ConsumePartition(topic, partition, from)
	if err != nil {
		return nil, err
	}
	defer messages.Close()
	var list []clients.Record
	for len(list) < n {
		select {
		case m := <-messages.Messages():
			list = append(list, record(m))
		case <-ctx.Done():
			return nil, fmt.Errorf("%d of %d messages: %w", len(list), n, ctx.Err())
		}
	}
	return list, nil
}

// record is a message as the stories know it; formats without times have none.
func record(m *sarama.ConsumerMessage) clients.Record {
	r := clients.Record{Partition: m.Partition, Offset: m.Offset, Key: m.Key, Value: m.Value}
	if m.Timestamp.UnixMilli() > 0 {
		r.Time = m.Timestamp
	}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, clients.Header{Key: string(h.Key), Value: string(h.Value)})
	}
	return r
}

// claims marks what it gets.
type claims struct{ got func(clients.Record) }

func (claims) Setup(sarama.ConsumerGroupSession) error     { return nil }
func (claims) Cleanup(s sarama.ConsumerGroupSession) error { s.Commit(); return nil }
func (c claims) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case m, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			c.got(record(m))
			s.MarkMessage(m, "")
		case <-s.Context().Done():
			return nil
		}
	}
}

// beMember consumes in a ConsumerGroup until ctx ends.
func beMember(ctx context.Context, cfg *sarama.Config, addr, group, topic string, got func(clients.Record)) error {
	cfg.Consumer.Offsets.Initial = sarama.OffsetOldest
	cfg.Consumer.Group.Session.Timeout = 6 * time.Second
	cfg.Consumer.Group.Heartbeat.Interval = 200 * time.Millisecond
	cfg.Consumer.MaxWaitTime = 100 * time.Millisecond // heartbeats queue behind long polls
	g, err := sarama.NewConsumerGroup([]string{addr}, group, cfg)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		if err := g.Consume(ctx, []string{topic}, claims{got}); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return g.Close()
}

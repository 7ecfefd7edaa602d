package kafkago_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/broker/clients"
	"github.com/segmentio/kafka-go"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	clients.BeMember(client)
	goleak.VerifyTestMain(m)
}

// serve runs a broker for one test.
func serve(t *testing.T) string {
	t.Helper()
	return clients.Serve(t, func(data string, logger *slog.Logger) (clients.Broker, error) {
		return broker.New(broker.Config{Data: data, Listen: []string{"127.0.0.1:0"}, Logger: logger})
	}).Addr
}

// client is kafka-go with its Writer and Reader.
var client = clients.Client{
	Name:     "kafka-go",
	Codecs:   []string{"none", "gzip", "snappy", "lz4", "zstd"},
	Headers:  true,
	Times:    true,
	Null:     true,
	Repeats:  true,
	Produce:  produce,
	Consume:  consume,
	Member:   beMember,
	OffsetAt: offsetAt,
}

// produce sends records with a Writer to their partitions.
func produce(ctx context.Context, addr, topic, codec string, records []clients.Record) error {
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	w := &kafka.Writer{Addr: kafka.TCP(addr), Topic: topic, RequiredAcks: kafka.RequireAll, BatchTimeout: 10 * time.Millisecond, Transport: transport, AllowAutoTopicCreation: true,
		Balancer: kafka.BalancerFunc(func(m kafka.Message, _ ...int) int { return m.WriterData.(int) })}
	if codec != "none" {
		if err := w.Compression.UnmarshalText([]byte(codec)); err != nil {
			return err
		}
	}
	var list []kafka.Message
	for _, r := range records {
		m := kafka.Message{Key: r.Key, Value: r.Value, Time: r.Time, WriterData: int(r.Partition)}
		for _, h := range r.Headers {
			m.Headers = append(m.Headers, kafka.Header{Key: h.Key, Value: []byte(h.Value)})
		}
		list = append(list, m)
	}
	if err := w.WriteMessages(ctx, list...); err != nil {
		return err
	}
	return w.Close()
}

// incoming is a message as the stories know it.
func incoming(m kafka.Message) clients.Record {
	r := clients.Record{Partition: int32(m.Partition), Offset: m.Offset, Key: m.Key, Value: m.Value, Time: m.Time}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, clients.Header{Key: h.Key, Value: string(h.Value)})
	}
	return r
}

// consume reads n messages with a Reader of one partition.
func consume(ctx context.Context, addr, topic string, partition int32, from int64, n int) (list []clients.Record, err error) {
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{addr}, Topic: topic, Partition: int(partition), MaxWait: 100 * time.Millisecond})
	defer r.Close()
	if from == clients.Newest {
		from = kafka.LastOffset
	}
	if err := r.SetOffset(from); err != nil {
		return nil, err
	}
	for len(list) < n {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			return nil, fmt.Errorf("%d of %d messages: %w", len(list), n, err)
		}
		list = append(list, incoming(m))
	}
	return list, nil
}

// beMember reads and commits with a Reader in a group.
func beMember(ctx context.Context, addr, group, topic string, got func(clients.Record)) error {
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{addr}, Topic: topic, GroupID: group, StartOffset: kafka.FirstOffset, MaxWait: 100 * time.Millisecond,
		HeartbeatInterval: 200 * time.Millisecond, SessionTimeout: 6 * time.Second, JoinGroupBackoff: 100 * time.Millisecond,
		PartitionWatchInterval: time.Second, WatchPartitionChanges: true})
	for {
		m, err := r.FetchMessage(ctx)
		if ctx.Err() != nil {
			return r.Close()
		}
		if err != nil {
			return err
		}
		got(incoming(m))
		if err := r.CommitMessages(context.Background(), m); err != nil {
			return err
		}
	}
}

// offsetAt asks with the Client.
func offsetAt(ctx context.Context, addr, topic string, partition int32, at time.Time) (int64, error) {
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	cl := &kafka.Client{Addr: kafka.TCP(addr), Transport: transport}
	found, err := cl.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: {kafka.TimeOffsetOf(int(partition), at)}}})
	if err != nil {
		return 0, err
	}
	for offset := range found.Topics[topic][0].Offsets {
		return offset, found.Topics[topic][0].Error
	}
	return -1, found.Topics[topic][0].Error
}

package franz_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/broker/clients"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	clients.BeMember(members...)
	goleak.VerifyTestMain(m)
}

// members are the ways of being in a group: who divides, and how a rebalance goes.
var members = []clients.Client{
	client("default"),
	client("range", kgo.Balancers(kgo.RangeBalancer())),
	client("roundrobin", kgo.Balancers(kgo.RoundRobinBalancer())),
	client("sticky", kgo.Balancers(kgo.StickyBalancer())),
	client("broker-side", kgo.WithContext(context.WithValue(context.Background(), "opt_in_kafka_next_gen_balancer_beta", true))), //nolint:staticcheck // its own key
}

// serve runs a broker for one test.
func serve(t *testing.T) string {
	t.Helper()
	return clients.Serve(t, func(data string, logger *slog.Logger) (clients.Broker, error) {
		return broker.New(broker.Config{Data: data, Listen: []string{"127.0.0.1:0"}, Logger: logger,
			Settings: map[string]string{"group.consumer.session.timeout.ms": "6000", "group.consumer.heartbeat.interval.ms": "500"}})
	}).Addr
}

// codecs are all that there are.
var codecs = map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}

// client is franz-go with more options.
func client(name string, more ...kgo.Opt) clients.Client {
	dial := func(addr string, opts ...kgo.Opt) (*kgo.Client, error) {
		return kgo.NewClient(append(append([]kgo.Opt{kgo.SeedBrokers(addr), kgo.FetchMaxWait(100 * time.Millisecond)}, opts...), more...)...)
	}
	plain := func(addr string, opts ...kgo.Opt) (*kgo.Client, error) {
		return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr), kgo.FetchMaxWait(100 * time.Millisecond)}, opts...)...)
	}
	return clients.Client{
		Name:    name,
		Codecs:  []string{"none", "gzip", "snappy", "lz4", "zstd"},
		Headers: true,
		Times:   true,
		Produce: func(ctx context.Context, addr, topic, codec string, records []clients.Record) error {
			cl, err := plain(addr, kgo.ProducerBatchCompression(codecs[codec]), kgo.RecordPartitioner(kgo.ManualPartitioner()))
			if err != nil {
				return err
			}
			defer cl.Close()
			return cl.ProduceSync(ctx, outgoing(topic, records)...).FirstErr()
		},
		Consume: func(ctx context.Context, addr, topic string, partition int32, from int64, n int) ([]clients.Record, error) {
			cl, err := plain(addr, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(from)}}))
			if err != nil {
				return nil, err
			}
			defer cl.Close()
			return poll(ctx, cl, n)
		},
		Member: func(ctx context.Context, addr, group, topic string, got func(clients.Record)) error {
			cl, err := dial(addr, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.AllowAutoTopicCreation(),
				kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(200*time.Millisecond), kgo.BlockRebalanceOnPoll())
			if err != nil {
				return err
			}
			return beMember(ctx, cl, got)
		},
		OffsetAt: func(ctx context.Context, addr, topic string, partition int32, at time.Time) (int64, error) {
			cl, err := plain(addr)
			if err != nil {
				return 0, err
			}
			defer cl.Close()
			found, err := kadm.NewClient(cl).ListOffsetsAfterMilli(ctx, at.UnixMilli(), topic)
			o, _ := found.Lookup(topic, partition)
			return o.Offset, err
		},
	}
}

// outgoing makes records to send to their partitions.
func outgoing(topic string, records []clients.Record) (list []*kgo.Record) {
	for _, r := range records {
		out := &kgo.Record{Topic: topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Timestamp: r.Time}
		for _, h := range r.Headers {
			out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: []byte(h.Value)})
		}
		list = append(list, out)
	}
	return list
}

// incoming is a record as the stories know it.
func incoming(in *kgo.Record) clients.Record {
	r := clients.Record{Partition: in.Partition, Offset: in.Offset, Key: in.Key, Value: in.Value, Time: in.Timestamp}
	for _, h := range in.Headers {
		r.Headers = append(r.Headers, clients.Header{Key: h.Key, Value: string(h.Value)})
	}
	return r
}

// poll reads n records.
func poll(ctx context.Context, cl *kgo.Client, n int) (list []clients.Record, err error) {
	for len(list) < n {
		fetches := cl.PollRecords(ctx, n-len(list))
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("%d of %d records: %w", len(list), n, err)
		}
		fetches.EachRecord(func(in *kgo.Record) { list = append(list, incoming(in)) })
	}
	return list, nil
}

// beMember polls and commits until ctx ends.
func beMember(ctx context.Context, cl *kgo.Client, got func(clients.Record)) error {
	defer cl.CloseAllowingRebalance()
	for ctx.Err() == nil {
		fetches := cl.PollFetches(ctx)
		fetches.EachRecord(func(in *kgo.Record) { got(incoming(in)) })
		if fetches.NumRecords() > 0 {
			if err := cl.CommitUncommittedOffsets(context.Background()); err != nil {
				return err
			}
		}
		cl.AllowRebalance()
	}
	return nil
}

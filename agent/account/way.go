package account

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/ledger"
	"github.com/loghaul/loghaul/internal/record"
)

// batchBytes is how large a batch may grow before compression: every broker takes it.
const batchBytes = 512 << 10

// way is the connection to the leader of the account's partition, made when it is
// needed. A record that is sent twice says the same twice.
type way struct {
	kafka kafka.Config
	topic string
	conn  *kafka.Conn // nil: none
}

func (w *way) close() {
	if w.conn != nil {
		w.conn.Close()
		w.conn = nil
	}
}

// send sends entries, and of those that are gone that they are.
func (w *way) send(ctx context.Context, entries, gone []ledger.Entry) error {
	b := record.NewBuilder(64 << 10)
	for i := range entries {
		value, err := entries[i].Value()
		if err != nil {
			return err
		}
		if b.Append(0, entries[i].Key(), value, 0, nil); b.Len() >= batchBytes {
			if err := w.flush(ctx, b); err != nil {
				return err
			}
		}
	}
	for i := range gone {
		if b.AppendTombstone(0, gone[i].Key()); b.Len() >= batchBytes {
			if err := w.flush(ctx, b); err != nil {
				return err
			}
		}
	}
	return w.flush(ctx, b)
}

// flush sends the records of b, if there are any, and empties it.
func (w *way) flush(ctx context.Context, b *record.Builder) error {
	if b.Count() == 0 {
		return nil
	}
	now := time.Now().UnixMilli()
	sealed, err := b.Seal(nil, record.NoProducer, record.Snappy, now, now)
	if err != nil {
		return err
	}
	b.Reset()
	if err := w.produce(ctx, sealed); err != nil {
		w.close() // the leader may be elsewhere, or the topic gone: the next time it is looked for anew
		return fmt.Errorf("sending the account to %s: %w", w.topic, err)
	}
	return nil
}

func (w *way) produce(ctx context.Context, sealed []byte) error {
	if w.conn == nil {
		if err := w.find(ctx); err != nil {
			return err
		}
	}
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 7, -1, 10_000
	t := kmsg.NewProduceRequestTopic()
	t.Topic = w.topic
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = sealed
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := w.conn.Call(ctx, req)
	if err != nil {
		return err
	}
	for _, t := range resp.(*kmsg.ProduceResponse).Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return err
			}
		}
	}
	return nil
}

// find connects to the leader; a topic that is not there is made.
func (w *way) find(ctx context.Context) error {
	addr, controller, err := w.leader(ctx)
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		if err := w.create(ctx, controller); err != nil {
			return err
		}
		addr, _, err = w.leader(ctx)
	}
	if err != nil {
		return err
	}
	w.conn, err = w.kafka.Dial(ctx, addr)
	return err
}

// leader asks the first broker that answers who leads the partition, and who the
// controller is.
func (w *way) leader(ctx context.Context) (leader, controller string, err error) {
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 4 // from this one on the question alone makes no topic
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &w.topic
	req.Topics = append(req.Topics, t)
	resp, err := w.anyone(ctx, req)
	if err != nil {
		return "", "", err
	}
	m := resp.(*kmsg.MetadataResponse)
	addrs := map[int32]string{}
	for _, b := range m.Brokers {
		addrs[b.NodeID] = net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
	}
	controller = addrs[m.ControllerID]
	for _, t := range m.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return "", controller, err
		}
		for _, p := range t.Partitions {
			if addr := addrs[p.Leader]; p.Partition == 0 && addr != "" {
				return addr, controller, nil
			}
		}
	}
	return "", controller, kerr.LeaderNotAvailable
}

// anyone asks the brokers in turn until one answers.
func (w *way) anyone(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	brokers := w.kafka.Brokers
	if len(brokers) == 0 {
		brokers = []string{kafka.DefaultBroker}
	}
	var errs []error
	for _, addr := range brokers {
		resp, err := w.ask(ctx, addr, req)
		if err == nil || ctx.Err() != nil {
			return resp, err
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func (w *way) ask(ctx context.Context, addr string, req kmsg.Request) (kmsg.Response, error) {
	conn, err := w.kafka.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.Call(ctx, req)
}

// create makes the topic: one partition, so that whoever reads it has one place to
// look, compacted, so that it holds the newest word of each generation.
func (w *way) create(ctx context.Context, controller string) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 4, 30_000 // from this one on -1 stands for the cluster's own number of replicas
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = w.topic, 1, -1
	compact := "compact"
	c := kmsg.NewCreateTopicsRequestTopicConfig()
	c.Name, c.Value = "cleanup.policy", &compact
	t.Configs = append(t.Configs, c)
	req.Topics = append(req.Topics, t)
	var resp kmsg.Response
	var err error
	if controller != "" {
		resp, err = w.ask(ctx, controller, req)
	} else {
		resp, err = w.anyone(ctx, req)
	}
	if err != nil {
		return err
	}
	for _, t := range resp.(*kmsg.CreateTopicsResponse).Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("creating topic %s: %w", w.topic, err)
		}
	}
	return nil
}

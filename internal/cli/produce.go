package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/IBM/sarama"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
)

// usualLimit is how many bytes a batch may have where the topic does not say: Kafka's own default.
const usualLimit = 1 << 20

// produceFlags are those of the command produce.
type produceFlags struct {
	key, acks string
	partition int32
	headers   []string
}

func newProduce(g *globals) *cobra.Command {
	var f produceFlags
	cmd := &cobra.Command{
		Use: "produce TOPIC", Short: "send each line of standard input as one record", Args: cobra.ExactArgs(1),
		RunE: run(func(ctx context.Context, args []string) error { return g.runProduce(ctx, args[0], f) }),
	}
	fl := cmd.Flags()
	fl.StringVar(&f.key, "key", "", "the key of every record (default: none)")
	fl.Int32Var(&f.partition, "partition", -1, "the partition of every record (default: by key, else spread)")
	fl.StringVar(&f.acks, "acks", "all", "what to wait for: all (stored), 1 (written) or 0 (nothing)")
	fl.StringArrayVar(&f.headers, "header", nil, "K=V, a header of every record; repeat for more")
	return cmd
}

func (g *globals) runProduce(ctx context.Context, topic string, f produceFlags) error {
	if err := checkTopic(topic); err != nil {
		return err
	}
	template, err := f.record(topic)
	if err != nil {
		return err
	}
	kc := g.kafkaConfig("loghaul-produce")
	cfg, err := kc.Sarama()
	if err != nil {
		return err
	}
	if cfg.Producer.RequiredAcks, err = f.requiredAcks(); err != nil {
		return err
	}
	cfg.Producer.Idempotent = f.acks == "all"
	if cfg.Producer.Idempotent {
		cfg.Net.MaxOpenRequests = 1 // what sarama needs to keep the order
	}
	if cfg.Producer.MaxMessageBytes, err = g.batchLimit(ctx, topic); err != nil {
		return err
	}
	cfg.Producer.Return.Successes = true
	cfg.Producer.Partitioner = func(string) sarama.Partitioner { return &partitioner{fixed: f.partition} }
	client, err := sarama.NewClient(kc.Brokers, cfg)
	if err != nil {
		return fmt.Errorf("reaching the brokers at %v: %w: name them with --brokers", kc.Brokers, err)
	}
	defer client.Close()
	p, err := sarama.NewAsyncProducerFromClient(client)
	if err != nil { // to write any topic is the right to ask for a producer id, too
		return fmt.Errorf("sending to topic %s: %w", topic, notAllowed(err, "Write", "topic", topic))
	}
	sent, err := sendLines(ctx, p, &input{g.stdin, cfg.Producer.MaxMessageBytes}, template)
	if err != nil {
		return fmt.Errorf("%w (%s sent before)", g.whyRefused(ctx, err), plural(sent, "record"))
	}
	return nil
}

// whyRefused adds what the broker says of its disk to the errors that a full one answers, which speak of replicas, or of a
// coordinator that is away: it has no room for what groups commit.
func (g *globals) whyRefused(ctx context.Context, err error) error {
	if !errors.Is(err, sarama.ErrNotEnoughReplicas) && !errors.Is(err, sarama.ErrConsumerCoordinatorNotAvailable) && !errors.Is(err, kerr.CoordinatorNotAvailable) {
		return err
	}
	cl := newCluster(g.kafkaConfig("loghaul-produce"))
	defer cl.Close()
	if why := cl.disk(ctx).waiting(); why != "" {
		return fmt.Errorf("%w: %s", err, why)
	}
	return err
}

// batchLimit is how large a batch the topic takes: max.message.bytes, less a batch's own header.
func (g *globals) batchLimit(ctx context.Context, topic string) (int, error) {
	cl := newCluster(g.kafkaConfig("loghaul-produce"))
	defer cl.Close()
	d := &topicDetail{Topic: topic, Configs: map[string]string{}}
	_, err := cl.leaders(ctx, topic)
	if _, wrong := errors.AsType[*kafka.ConfigError](err); wrong || errors.Is(err, errUnreachable) {
		return 0, err
	} else if err != nil {
		return usualLimit, nil // the topic comes with its first record
	}
	if err := cl.settings(ctx, d); err != nil {
		return usualLimit, nil // a broker that keeps its settings to itself
	}
	limit, err := strconv.Atoi(d.Configs["max.message.bytes"])
	if err != nil || limit <= 2*record.HeaderSize {
		return usualLimit, nil
	}
	return limit - 2*record.HeaderSize, nil
}

// record is what all records have in common.
func (f produceFlags) record(topic string) (sarama.ProducerMessage, error) {
	m := sarama.ProducerMessage{Topic: topic}
	if f.key != "" {
		m.Key = sarama.StringEncoder(f.key)
	}
	if _, err := pairs("header", f.headers); err != nil {
		return m, err
	}
	for _, h := range f.headers {
		k, v, _ := bytes.Cut([]byte(h), []byte("="))
		m.Headers = append(m.Headers, sarama.RecordHeader{Key: k, Value: v})
	}
	return m, nil
}

func (f produceFlags) requiredAcks() (sarama.RequiredAcks, error) {
	switch f.acks {
	case "all", "-1":
		return sarama.WaitForAll, nil
	case "1":
		return sarama.WaitForLocal, nil
	case "0":
		return sarama.NoResponse, nil
	}
	return 0, usageErrorf("--acks %s: must be all, 1 or 0", f.acks)
}

// sendLines sends what in holds and waits for the answers; sent counts those that came. It closes p, and not before each
// line has its answer: a line that the producer puts back for another try while it closes would be refused.
func sendLines(ctx context.Context, p sarama.AsyncProducer, in *input, template sarama.ProducerMessage) (sent int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answered := make(chan error, 1) // one send, when both of p's channels are closed
	fed := make(chan int, 1)        // one send: how many lines p got
	all := make(chan struct{})      // closed when each of them has its answer
	go func() {
		var first error
		failed, want := 0, -1
		successes, failures := p.Successes(), p.Errors()
		for successes != nil || failures != nil {
			select {
			case want = <-fed:
			case _, ok := <-successes:
				if !ok {
					successes = nil
				} else {
					sent++
				}
			case e, ok := <-failures:
				if !ok {
					failures = nil
					continue
				}
				failed++
				if first == nil {
					first = fmt.Errorf("sending to topic %s: %w", template.Topic, notAllowed(e.Err, "Write", "topic", template.Topic))
					cancel() // no more lines
				}
			}
			if sent+failed == want {
				want = -1
				close(all)
			}
		}
		answered <- first
	}()
	n, read := feed(ctx, p, in, template)
	fed <- n
	<-all // the producer answers all that it got, by its own timeouts and retries
	p.AsyncClose()
	if failed := <-answered; failed != nil {
		return sent, failed
	}
	return sent, read
}

// feed hands n lines on until the end or ctx's.
func feed(ctx context.Context, p sarama.AsyncProducer, in *input, template sarama.ProducerMessage) (n int, err error) {
	lines := make(chan []byte, 64) // closed by scan
	failed := make(chan error, 1)  // one send, before lines is closed
	go in.scan(ctx, lines, failed)
	for {
		select {
		case value, ok := <-lines:
			if !ok {
				return n, <-failed
			}
			m := template
			m.Value = sarama.ByteEncoder(value)
			select {
			case p.Input() <- &m:
				n++
			case <-ctx.Done():
				return n, nil
			}
		case <-ctx.Done():
			return n, nil
		}
	}
}

// input is where the lines come from; longest is the most bytes that a line may have.
type input struct {
	io.Reader
	longest int
}

// scan cuts the input into lines. Nothing can wake a read of a terminal, so it may outlast the command by one read.
func (in *input) scan(ctx context.Context, lines chan<- []byte, failed chan<- error) {
	defer close(lines)
	s := bufio.NewScanner(in)
	s.Buffer(make([]byte, min(64<<10, in.longest)), in.longest)
	n := 1
	for ; s.Scan(); n++ {
		select {
		case lines <- bytes.Clone(s.Bytes()):
		case <-ctx.Done():
			failed <- nil
			return
		}
	}
	err := s.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		err = fmt.Errorf("line %d of standard input is longer than the %d bytes that the topic takes: raise its max.message.bytes", n, in.longest)
	}
	failed <- err
}

// partitioner places records as Kafka's Java client does: by the key's murmur2, and without a key one partition
// after the other.
type partitioner struct {
	fixed int32 // -1: not fixed
	next  int32
}

// Partition chooses the partition of m among n.
func (p *partitioner) Partition(m *sarama.ProducerMessage, n int32) (int32, error) {
	switch {
	case p.fixed >= n:
		return 0, fmt.Errorf("partition %d: the topic has %d", p.fixed, n)
	case p.fixed >= 0:
		return p.fixed, nil
	case m.Key != nil:
		key, err := m.Key.Encode()
		return line.Partition(key, n), err
	}
	p.next = (p.next + 1) % n
	return p.next, nil
}

// RequiresConsistency is true where a record may have only one place.
func (p *partitioner) RequiresConsistency() bool { return true }

package transfer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/IBM/sarama"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer/sink"
	"github.com/loghaul/loghaul/transfer/worker"
	"github.com/twmb/franz-go/pkg/kerr"
)

// cluster answers where things are: topics, leaders, coordinators. It asks through a sarama Client of its own, apart
// from the groups' clients. It is a worker.Cluster, and safe for concurrent use.
type cluster struct {
	cfg kafka.Config
	tie func(*sarama.Config) // to the end of the transfer
	wg  sync.WaitGroup       // questions on their way: sarama's calls know no context

	mu struct {
		sync.Mutex
		client sarama.Client   // nil: not connected yet
		stale  map[string]bool // topics whose leaders must be asked for anew
		closed bool
	}
}

var _ worker.Cluster = (*cluster)(nil)

// topic is what a route needs to know of a topic.
type topic struct {
	id         string // "" when the broker does not say
	partitions int
}

// newCluster makes a cluster whose connections, and those of the groups, end with ctx.
func newCluster(ctx context.Context, cfg kafka.Config) *cluster {
	c := &cluster{cfg: cfg, tie: func(s *sarama.Config) { kafka.EndWith(ctx, s) }}
	c.mu.stale = map[string]bool{}
	return c
}

// ask runs a question to sarama and returns when it is answered or ctx ends.
func ask[T any](ctx context.Context, c *cluster, question func(sarama.Client) (T, error)) (T, error) {
	type reply struct {
		value T
		err   error
	}
	got := make(chan reply, 1) // filled exactly once
	c.wg.Go(func() {
		var r reply
		client, err := c.connect()
		if err == nil {
			r.value, err = question(client)
		}
		r.err = err
		got <- r
	})
	select {
	case r := <-got:
		if errors.Is(r.err, sarama.ErrOutOfBrokers) || errors.Is(r.err, sarama.ErrClosedClient) {
			r.err = fmt.Errorf("no broker at %v answers: %w", c.brokers(), r.err)
		}
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// connect is the client, made when it is first needed.
func (c *cluster) connect() (sarama.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed {
		return nil, sarama.ErrClosedClient
	}
	if c.mu.client == nil || c.mu.client.Closed() {
		s, err := c.sarama()
		if err != nil {
			return nil, err
		}
		s.Metadata.Full = false // nothing is asked before somebody wants to know
		if c.mu.client, err = sarama.NewClient(c.brokers(), s); err != nil {
			return nil, err
		}
	}
	return c.mu.client, nil
}

// sarama is the settings that all clients of a transfer share.
func (c *cluster) sarama() (*sarama.Config, error) {
	s, err := c.cfg.Sarama()
	if err != nil {
		return nil, err
	}
	c.tie(s)
	s.Metadata.AllowAutoTopicCreation = false // a route waits for its topic, it does not make it
	s.Metadata.RefreshFrequency = 0           // routes look by themselves
	s.Metadata.Retry.Max = 1
	return s, nil
}

func (c *cluster) brokers() []string {
	if len(c.cfg.Brokers) == 0 {
		return []string{kafka.DefaultBroker}
	}
	return c.cfg.Brokers
}

// topics looks for topics by name, or for all. Missing ones are left out.
func (c *cluster) topics(ctx context.Context, names []string) (map[string]topic, error) {
	found, err := ask(ctx, c, func(client sarama.Client) (map[string]topic, error) {
		broker := client.LeastLoadedBroker()
		if broker == nil {
			return nil, sarama.ErrOutOfBrokers
		}
		req := sarama.NewMetadataRequest(client.Config().Version, names)
		resp, err := broker.GetMetadata(req)
		if err != nil {
			_ = broker.Close() // opened anew at the next question
			return nil, err
		}
		found := map[string]topic{}
		for _, t := range resp.Topics {
			if t.Err == sarama.ErrNoError && len(t.Partitions) > 0 {
				found[t.Name] = topic{id: topicID(t.Uuid), partitions: len(t.Partitions)}
			}
		}
		return found, nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for topics: %w", err)
	}
	return found, nil
}

func topicID(id sarama.Uuid) string {
	if id == (sarama.Uuid{}) {
		return ""
	}
	return id.String()
}

// Leader is the address of a partition's leader.
func (c *cluster) Leader(ctx context.Context, name string, partition int32) (string, error) {
	return ask(ctx, c, func(client sarama.Client) (string, error) {
		if c.isStale(name) {
			if err := client.RefreshMetadata(name); err != nil {
				return "", err
			}
			c.setStale(name, false)
		}
		b, err := client.Leader(name, partition)
		if err != nil {
			return "", err
		}
		return b.Addr(), nil
	})
}

// Forget says that what is known of a partition's leader is out of date.
func (c *cluster) Forget(name string, _ int32) { c.setStale(name, true) }

func (c *cluster) isStale(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.stale[name]
}

func (c *cluster) setStale(name string, stale bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if stale {
		c.mu.stale[name] = true
	} else {
		delete(c.mu.stale, name)
	}
}

// Dial connects to a broker.
func (c *cluster) Dial(ctx context.Context, addr string) (*kafka.Conn, error) {
	return c.cfg.Dial(ctx, addr)
}

// coordinator is the address of a group's coordinator; fresh asks the brokers again.
func (c *cluster) coordinator(ctx context.Context, group string, fresh bool) (string, error) {
	return ask(ctx, c, func(client sarama.Client) (string, error) {
		if fresh {
			if err := client.RefreshCoordinator(group); err != nil {
				return "", err
			}
		}
		b, err := client.Coordinator(group)
		if err != nil {
			return "", err
		}
		return b.Addr(), nil
	})
}

// offset is where a partition begins (sarama.OffsetOldest) or ends (sarama.OffsetNewest).
func (c *cluster) offset(ctx context.Context, name string, partition int32, at int64) (record.Offset, error) {
	return ask(ctx, c, func(client sarama.Client) (record.Offset, error) {
		n, err := client.GetOffset(name, partition, at)
		return record.Offset(n), err
	})
}

// close ends the client and returns when no question is on its way any more.
func (c *cluster) close() {
	c.mu.Lock()
	c.mu.closed = true
	client := c.mu.client
	c.mu.Unlock()
	if client != nil {
		_ = client.Close() // ends what is on its way; there is nothing to lose
	}
	c.wg.Wait()
}

// sameTopics says that nothing changed that a route would have to join again for.
func sameTopics(a, b map[string]topic) bool { return maps.Equal(a, b) }

func sortedNames(m map[string]topic) []string { return slices.Sorted(maps.Keys(m)) }

// codeError is a Kafka error code as an error; nil for 0.
func codeError(code int16) error { return kerr.ErrorForCode(code) }

// noOffset is what a group's coordinator says where nothing was committed.
const noOffset = sink.NoOffset

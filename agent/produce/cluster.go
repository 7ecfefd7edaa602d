package produce

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/internal/kafka"
)

// Create says how a topic is made; -1 leaves a number to the broker.
type Create struct {
	Partitions int32
	Replicas   int16
	Configs    map[string]string
}

// Topic is what a cluster says about a topic.
type Topic struct {
	Name       string
	ID         journal.TopicID
	Partitions int32
}

// topicWait is how long a topic may take to appear after it was made.
const topicWait = 10 * time.Second

// Topic asks for a topic and makes it if it is not there: as create says, or by the
// broker's auto-creation when create is nil. It waits for as long as the cluster is
// away and calls note with each reason, answers a *Stuck when only a person can help.
func (c *Client) Topic(ctx context.Context, name string, create *Create, note func(error)) (Topic, error) {
	var missing time.Time
	for try := 0; ; try++ {
		t, err := c.askTopic(name, create == nil)
		if errors.Is(err, kerr.UnknownTopicOrPartition) && create != nil {
			if err = c.createTopic(name, create); err == nil {
				continue
			}
		}
		if err == nil {
			return t, nil
		}
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			if missing.IsZero() {
				missing = time.Now()
			}
			if time.Since(missing) > topicWait {
				return Topic{}, stuck(name, err)
			}
		}
		if isStuck(err) {
			return Topic{}, err
		}
		note(err)
		if c.pause(ctx, try); ctx.Err() != nil {
			return Topic{}, ctx.Err()
		}
	}
}

// Look asks about a topic without making it.
func (c *Client) Look(name string) (Topic, error) { return c.askTopic(name, false) }

// askTopic asks any broker; allow lets the cluster make the topic by itself.
func (c *Client) askTopic(name string, allow bool) (Topic, error) {
	resp, err := c.metadata([]string{name}, allow)
	if err != nil {
		return Topic{}, err
	}
	if len(resp.Topics) != 1 {
		return Topic{}, fmt.Errorf("asking about topic %s: the broker answers about %d topics", name, len(resp.Topics))
	}
	m := resp.Topics[0]
	if m.Err != sarama.ErrNoError {
		return Topic{}, topicError(name, int16(m.Err))
	}
	t := Topic{Name: name, ID: journal.TopicID(m.Uuid), Partitions: int32(len(m.Partitions))}
	if t.Partitions == 0 {
		return Topic{}, topicError(name, kerr.LeaderNotAvailable.Code)
	}
	return t, nil
}

// topicError is a code about a topic as an error, stuck unless it passes by itself.
func topicError(name string, code int16) error {
	err := kerr.ErrorForCode(code)
	if kerr.IsRetriable(err) {
		return fmt.Errorf("asking about topic %s: %w", name, err)
	}
	return stuck(name, err)
}

// metadata asks the least busy broker.
func (c *Client) metadata(topics []string, allow bool) (*sarama.MetadataResponse, error) {
	client, err := c.cluster()
	if err != nil {
		return nil, err
	}
	broker := client.LeastLoadedBroker()
	if broker == nil {
		return nil, c.away(sarama.ErrOutOfBrokers)
	}
	req := sarama.NewMetadataRequest(c.conf.Version, topics)
	req.AllowAutoTopicCreation = allow
	resp, err := broker.GetMetadata(req)
	if err != nil {
		client.RefreshBrokers(c.brokers()) // else the same dead one is asked again and again
		return nil, c.away(err)
	}
	return resp, nil
}

func (c *Client) away(err error) error {
	return fmt.Errorf("asking the broker at %s: %w: is it running, and is --brokers right?", strings.Join(c.brokers(), ","), err)
}

func (c *Client) brokers() []string {
	if len(c.cfg.Kafka.Brokers) == 0 {
		return []string{kafka.DefaultBroker}
	}
	return c.cfg.Kafka.Brokers
}

func (c *Client) createTopic(name string, create *Create) error {
	client, err := c.cluster()
	if err != nil {
		return err
	}
	client.RefreshMetadata(name) // which says who the controller is; that the topic is not there we know
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		return c.away(err)
	}
	detail := &sarama.TopicDetail{NumPartitions: create.Partitions, ReplicationFactor: create.Replicas, ConfigEntries: map[string]*string{}}
	for k, v := range create.Configs {
		detail.ConfigEntries[k] = &v
	}
	err = admin.CreateTopic(name, detail, false)
	var answer *sarama.TopicError
	switch {
	case err == nil || errors.Is(err, sarama.ErrTopicAlreadyExists):
		return nil
	case errors.As(err, &answer):
		code := kerr.ErrorForCode(int16(answer.Err))
		if answer.Err == sarama.ErrTopicAlreadyExists {
			return nil
		}
		if kerr.IsRetriable(code) {
			return fmt.Errorf("creating topic %s: %w", name, err)
		}
		return &Stuck{name, "correct the input's topic_create", fmt.Errorf("creating it: %w", err)}
	}
	return c.away(err)
}

// cluster is sarama's view of the cluster.
func (c *Client) cluster() (sarama.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.sarama == nil {
		client, err := sarama.NewClient(c.brokers(), c.conf)
		if err != nil {
			return nil, c.away(err)
		}
		c.mu.sarama = client
	}
	return c.mu.sarama, nil
}

// leader finds the broker that leads a partition; refresh asks the cluster anew.
func (c *Client) leader(at journal.Partition, refresh bool) (string, error) {
	client, err := c.cluster()
	if err != nil {
		return "", err
	}
	if refresh {
		if err := client.RefreshMetadata(at.Topic); err != nil {
			return "", leaderError(at, err)
		}
	}
	broker, err := client.Leader(at.Topic, at.Number)
	if err != nil {
		return "", leaderError(at, err)
	}
	return broker.Addr(), nil
}

func leaderError(at journal.Partition, err error) error {
	var code sarama.KError
	if errors.As(err, &code) {
		err = kerr.ErrorForCode(int16(code))
		if err != nil && !kerr.IsRetriable(err) {
			return stuck(at.Topic, err)
		}
	}
	return fmt.Errorf("finding the leader of %s-%d: %w", at.Topic, at.Number, err)
}

// bindOnce ties the journal to the cluster before the first batch.
type bindOnce struct {
	sync.Mutex
	done bool
}

// Bind makes sure that the journal belongs to this cluster and has a producer id of
// it, asking about topic for as long as the cluster is away. It answers the id.
func (c *Client) Bind(ctx context.Context, topic string, note func(error)) (int64, error) {
	c.once.Lock()
	defer c.once.Unlock()
	for try := 0; !c.once.done; try++ {
		err := c.bind(topic)
		if err == nil {
			c.once.done = true
			break
		}
		if errors.Is(err, journal.ErrOtherCluster) {
			return 0, err
		}
		note(err)
		if c.pause(ctx, try); ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	return c.cfg.Journal.Producer(), nil
}

func (c *Client) bind(topic string) error {
	resp, err := c.metadata([]string{topic}, false)
	if err != nil {
		return err
	}
	cluster := ""
	if resp.ClusterID != nil {
		cluster = *resp.ClusterID
	}
	if id := c.cfg.Journal.Producer(); id >= 0 && c.cfg.Journal.Cluster() == cluster {
		return nil
	}
	id, err := c.producerID()
	if err != nil {
		return err
	}
	if err := c.cfg.Journal.Bind(cluster, id); err != nil {
		return err
	}
	c.renewed.Store(true)
	return nil
}

// producerID asks for a new producer id. A cluster that has just started answers
// -1 with an error inside a good response.
func (c *Client) producerID() (int64, error) {
	client, err := c.cluster()
	if err != nil {
		return 0, err
	}
	resp, err := client.InitProducerID()
	if err == nil && resp.Err != sarama.ErrNoError {
		err = resp.Err
	}
	if err == nil && resp.ProducerID < 0 {
		err = sarama.ErrConsumerCoordinatorNotAvailable
	}
	if err != nil {
		return 0, fmt.Errorf("asking the broker for a producer id: %w", err)
	}
	return resp.ProducerID, nil
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"regexp"
	"slices"
	"strconv"

	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// cluster asks brokers small questions, on connections it keeps. One goroutine uses it.
type cluster struct {
	cfg   kafka.Config
	conns map[string]*kafka.Conn
}

func newCluster(cfg kafka.Config) *cluster {
	return &cluster{cfg: cfg, conns: map[string]*kafka.Conn{}}
}

// Close ends the connections.
func (c *cluster) Close() {
	for _, conn := range c.conns {
		conn.Close()
	}
	clear(c.conns)
}

// conn is the connection to the broker at addr, dialled anew when the last one has ended.
func (c *cluster) conn(ctx context.Context, addr string) (*kafka.Conn, error) {
	if conn := c.conns[addr]; conn != nil {
		select {
		case <-conn.Dead():
			conn.Close()
			delete(c.conns, addr)
		default:
			return conn, nil
		}
	}
	conn, err := c.cfg.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	c.conns[addr] = conn
	return conn, nil
}

// ask sends the request to the first of the configured brokers that answers.
func (c *cluster) ask(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	var errs []error
	for _, addr := range c.cfg.Brokers {
		conn, err := c.conn(ctx, addr)
		if err == nil {
			var resp kmsg.Response
			if resp, err = conn.Call(ctx, req); err == nil {
				return resp, nil
			}
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if _, wrong := errors.AsType[*kafka.ConfigError](err); wrong {
			return nil, err // whatever broker it is
		}
		errs = append(errs, err)
	}
	return nil, &classed{errUnreachable, fmt.Errorf("%w: %s", oneLine(errs), wayIn(c.cfg, errs[len(errs)-1]))}
}

// errUnreachable is the class of errors of a cluster none of whose brokers answers.
var errUnreachable = errors.New("no broker answers")

// classed is an error that errors.Is also finds by its class, which the message need not mention.
type classed struct{ class, cause error }

func (e *classed) Error() string   { return e.cause.Error() }
func (e *classed) Unwrap() []error { return []error{e.class, e.cause} }

// oneLine joins errors into one that still reads as one line.
func oneLine(errs []error) error {
	all := errs[0]
	for _, err := range errs[1:] {
		all = fmt.Errorf("%w; %w", all, err)
	}
	return all
}

// leaders are the addresses of those who lead the topic's partitions; the topic is not created by the question.
func (c *cluster) leaders(ctx context.Context, topic string) (map[int32]string, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 4
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	req.Topics = append(req.Topics, t)
	resp, err := c.ask(ctx, req)
	if err != nil {
		return nil, err
	}
	m := resp.(*kmsg.MetadataResponse)
	addrs := map[int32]string{}
	for _, b := range m.Brokers {
		addrs[b.NodeID] = net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
	}
	if len(m.Topics) != 1 {
		return nil, fmt.Errorf("asking where %s lies: the broker answered for %d topics", topic, len(m.Topics))
	}
	if err := topicError(topic, m.Topics[0].ErrorCode); err != nil {
		return nil, err
	}
	leaders := map[int32]string{}
	for _, p := range m.Topics[0].Partitions {
		leaders[p.Partition] = addrs[p.Leader] // "" while it has none
	}
	return leaders, nil
}

// errNoTopic is the class of errors about a topic that is not there.
var errNoTopic = errors.New("no such topic")

// topicError says what a refusal means to who typed the topic's name.
func topicError(topic string, code int16) error {
	switch err := kerr.ErrorForCode(code); {
	case err == nil:
		return nil
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return &classed{errNoTopic, fmt.Errorf("topic %s does not exist: see loghaul topic list", topic)}
	case errors.Is(err, kerr.InvalidTopicException):
		return badTopic(topic)
	case refused(err):
		return notAllowed(err, "Describe", "topic", topic)
	default:
		return fmt.Errorf("topic %s: %w", topic, err)
	}
}

var topicShape = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// checkTopic refuses what Kafka would refuse as the name of a new topic.
func checkTopic(topic string) error {
	if !topicShape.MatchString(topic) || topic == "." || topic == ".." {
		return badTopic(topic)
	}
	return nil
}

func badTopic(topic string) error {
	return fmt.Errorf("%q is no topic name: letters, digits, dot, dash and underscore, at most 249 of them", topic)
}

// Times that ListOffsets knows beside milliseconds.
const (
	timeEarliest = -2
	timeLatest   = -1
	timeWritten  = math.MinInt64 // timeLatest, with what no transaction has committed yet
)

// offsets asks the leaders for each partition's offset at a time: timeEarliest, timeLatest (of what is committed),
// timeWritten, or the first record not older than a time in milliseconds, -1 when there is none.
func (c *cluster) offsets(ctx context.Context, topic string, leaders map[int32]string, at int64) (map[int32]record.Offset, error) {
	found := map[int32]record.Offset{}
	for addr, partitions := range byLeader(leaders) {
		if addr == "" {
			return nil, fmt.Errorf("topic %s: partitions %v have no leader now: try again", topic, partitions)
		}
		resp, err := c.listOffsets(ctx, addr, topic, partitions, at)
		if err != nil {
			return nil, err
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return nil, fmt.Errorf("asking for the offsets of %s/%d: %w", topic, p.Partition, err)
				}
				found[p.Partition] = record.Offset(p.Offset)
			}
		}
	}
	return found, nil
}

func (c *cluster) listOffsets(ctx context.Context, addr, topic string, partitions []int32, at int64) (*kmsg.ListOffsetsResponse, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.Version, req.ReplicaID, req.IsolationLevel = 4, -1, 1
	if at == timeWritten {
		req.IsolationLevel, at = 0, timeLatest
	}
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for _, n := range partitions {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.CurrentLeaderEpoch, p.Timestamp = n, -1, at
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	conn, err := c.conn(ctx, addr)
	if err != nil {
		return nil, err
	}
	resp, err := conn.Call(ctx, req)
	if err != nil {
		return nil, err
	}
	return resp.(*kmsg.ListOffsetsResponse), nil
}

// byLeader turns partitions with their leaders into leaders with their partitions, in order.
func byLeader(leaders map[int32]string) map[string][]int32 {
	m := map[string][]int32{}
	for p, addr := range leaders {
		m[addr] = append(m[addr], p)
	}
	for _, list := range m {
		slices.Sort(list)
	}
	return m
}

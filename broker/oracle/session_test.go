package oracle_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// script is one story about one request; it is told once in each version.
type script struct {
	key  int16
	name string
	play func(s *session)
}

// scripts are all stories; the files beside this one add to them.
var scripts []script

// about adds stories about a request.
func about(key int16, stories ...script) {
	for _, s := range stories {
		s.key = key
		scripts = append(scripts, s)
	}
}

// session is one telling of a script.
type session struct {
	*testing.T
	addr    string
	version int16 // of the request that the script is about
	prefix  string
	spreads bool              // a change takes a moment to reach all of the broker: a real Kafka's controller tells it
	words   map[string]string // texts of this run, and what stands for them
	calms   int
	conn    *conn
	told    strings.Builder
}

// name is a name of this telling alone.
func (s *session) name(name string) string { return s.prefix + name }

// say adds a line to what is compared.
func (s *session) say(format string, args ...any) {
	fmt.Fprintf(&s.told, format+"\n", args...)
}

// connected is the session's connection, a new one after the broker has closed the last.
func (s *session) connected() *conn {
	if s.conn == nil {
		c, err := dial(s.addr)
		if err != nil {
			s.Fatal(err)
		}
		s.conn = c
	}
	return s.conn
}

// hangUp ends the connection.
func (s *session) hangUp() {
	if s.conn != nil {
		_ = s.conn.Close() // its answers are no longer wanted
	}
	s.conn = nil
}

// ask sends a request in the script's version and tells the answer.
func (s *session) ask(what string, req kmsg.Request) kmsg.Response {
	s.Helper()
	req.SetVersion(s.version)
	return s.tell(what, req)
}

// tell sends a request in the version that it has and tells the answer; nil if there was none.
func (s *session) tell(what string, req kmsg.Request) kmsg.Response {
	s.Helper()
	resp, err := s.connected().ask(req)
	switch {
	case errors.Is(err, errClosed):
		s.hangUp()
		s.say("%s: closed", what)
		return nil
	case errors.Is(err, errSilent):
		s.hangUp()
		s.say("%s: no answer", what)
		return nil
	case err != nil:
		s.hangUp()
		s.say("%s: %v", what, err)
		return nil
	}
	s.say("%s: %s", what, s.render(reflect.ValueOf(resp).Elem(), ""))
	return resp
}

// do sends a request that only prepares the scene.
func do[T kmsg.Response](s *session, version int16, req kmsg.Request) T {
	s.Helper()
	req.SetVersion(version)
	resp, err := s.connected().ask(req)
	if err != nil {
		s.Fatalf("%s %d, to set the scene: %v", kmsg.NameForKey(req.Key()), version, err)
	}
	return resp.(T)
}

// topic makes a topic with settings given as name, value.
func (s *session) topic(name string, partitions int32, settings ...string) string {
	s.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = s.name(name), partitions, 1
	settings = append(settings, "segment.ms", "9223372036854775807") // the times of the scripts are old, and a fetch ends with a segment
	if !slices.Contains(settings, "retention.ms") {
		settings = append(settings, "retention.ms", "-1")
	}
	for i := 0; i < len(settings); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = settings[i], &settings[i+1]
		t.Configs = append(t.Configs, c)
	}
	req.Topics, req.TimeoutMillis = append(req.Topics, t), 5000
	for _, t := range do[*kmsg.CreateTopicsResponse](s, 5, req).Topics {
		if t.ErrorCode != 0 {
			s.Fatalf("making the topic %s: error %d", t.Topic, t.ErrorCode)
		}
	}
	s.settle(s.name(name), partitions)
	return s.name(name)
}

// settle waits until the broker knows a topic and its partitions serve.
func (s *session) settle(topic string, partitions int32) {
	s.Helper()
	if !s.spreads {
		return
	}
	req := kmsg.NewPtrListOffsetsRequest()
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for i := range partitions {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = i, -1
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	for range 10000 {
		serve := true
		for _, p := range do[*kmsg.ListOffsetsResponse](s, 4, req).Topics[0].Partitions {
			serve = serve && p.ErrorCode == 0
		}
		if serve {
			return
		}
	}
	s.Fatalf("the topic %s does not come up", topic)
}

// calm waits until every change so far has reached all of the broker: changes come in order, so one more is made.
func (s *session) calm() {
	s.Helper()
	if s.spreads {
		s.calms++
		s.topic(fmt.Sprint("calm", s.calms), 1)
	}
}

// id is the id of a topic.
func (s *session) id(topic string) [16]byte {
	s.Helper()
	req := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	req.Topics = append(req.Topics, t)
	return do[*kmsg.MetadataResponse](s, 10, req).Topics[0].TopicID
}

// fill appends a batch to partition 0 of a topic, which must succeed, and answers its offset.
func (s *session) fill(topic string, batches ...batch) (offset int64) {
	s.Helper()
	for _, b := range batches {
		req := produceRequest(topic, 0, b.bytes())
		p := do[*kmsg.ProduceResponse](s, 8, req).Topics[0].Partitions[0]
		if p.ErrorCode != 0 {
			s.Fatalf("filling %s: error %d", topic, p.ErrorCode)
		}
		offset = p.BaseOffset
	}
	return offset
}

// producer asks for a producer id; txid may be empty.
func (s *session) producer(txid string) (pid int64, epoch int16) {
	s.Helper()
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionTimeoutMillis = 60000
	if txid != "" {
		txid = s.name(txid)
		req.TransactionalID = &txid
	}
	for range 100 { // the coordinator may still be ending the last transaction
		resp := do[*kmsg.InitProducerIDResponse](s, 3, req)
		if resp.ErrorCode == 0 {
			return resp.ProducerID, resp.ProducerEpoch
		}
	}
	s.Fatalf("no producer id")
	return 0, 0
}

// produceRequest has one batch for one partition.
func produceRequest(topic string, partition int32, records []byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 5000
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topic
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, records
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

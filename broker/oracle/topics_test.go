package oracle_test

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func init() {
	about(3,
		script{name: "named topics", play: func(s *session) {
			t := s.topic("t", 2)
			metadata := func(what string, names ...string) {
				s.ask(what, s.metadata(false, names...))
			}
			metadata("one", t)
			metadata("twice", t, t)
			metadata("unknown", s.name("nowhere"))
			if s.version >= 4 {
				s.ask("none", s.metadata(false))
			}
			for _, bad := range []string{"..", ".", "", "a b", "a\x01b", strings.Repeat("n", 300), strings.Repeat("n", 250)} {
				metadata("bad name", bad)
			}
			req := s.metadata(false, t)
			req.IncludeTopicAuthorizedOperations, req.IncludeClusterAuthorizedOperations = true, true
			s.ask("with operations", req)
		}},
		script{name: "topic ids", play: func(s *session) {
			if s.version < 10 {
				return
			}
			t := s.topic("t", 1)
			for _, id := range [][16]byte{s.id(t), {1, 2, 3}, {}} {
				req := kmsg.NewPtrMetadataRequest()
				rt := kmsg.NewMetadataRequestTopic()
				rt.TopicID = id
				req.Topics = append(req.Topics, rt)
				s.ask("by id", req)
			}
			both := s.metadata(false, t)
			both.Topics[0].TopicID = s.id(t)
			s.ask("by id and name", both)
		}},
	)
	about(19,
		script{name: "created", play: createdTopics},
		script{name: "settings of topics", play: func(s *session) {
			create := func(what, name, value string) {
				req := s.create(s.name(what), 1, 1)
				req.Topics[0].Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: name, Value: &value}}
				s.ask(what, req)
			}
			create("good", "retention.ms", "5000")
			create("unknown", "no.such.setting", "1")
			create("not-a-number", "retention.ms", "soon")
			create("too-low", "max.message.bytes", "-1")
			create("none-of-them", "cleanup.policy", "burn")
			create("a-list", "cleanup.policy", "compact,delete")
			create("a-bad-codec", "compression.type", "rar")
			create("segment", "segment.bytes", "10")
			req := s.create(s.name("null"), 1, 1)
			req.Topics[0].Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "retention.ms"}}
			s.ask("null", req)
		}},
	)
	about(20,
		script{name: "deleted", play: func(s *session) {
			t, u, w := s.topic("t", 1), s.topic("u", 1), s.topic("w", 1)
			remove := func(what string, names ...string) {
				req := kmsg.NewPtrDeleteTopicsRequest()
				req.TimeoutMillis, req.TopicNames = 5000, names
				for _, n := range names {
					rt := kmsg.NewDeleteTopicsRequestTopic()
					rt.Topic = &n
					req.Topics = append(req.Topics, rt)
				}
				s.ask(what, req)
			}
			remove("one", t)
			remove("again", t)
			remove("one that is not there and one that is", s.name("nowhere"), u)
			remove("bad names", "..", "a b", strings.Repeat("n", 300))
			remove("one twice", w, w)
			remove("none")
			if s.version >= 6 {
				x := s.topic("x", 1)
				for _, id := range [][16]byte{s.id(x), {1, 2, 3}} {
					req := kmsg.NewPtrDeleteTopicsRequest()
					req.TimeoutMillis = 5000
					rt := kmsg.NewDeleteTopicsRequestTopic()
					rt.TopicID = id
					req.Topics = append(req.Topics, rt)
					s.ask("by id", req)
				}
				req := kmsg.NewPtrDeleteTopicsRequest()
				req.TimeoutMillis = 5000
				req.Topics = append(req.Topics, kmsg.NewDeleteTopicsRequestTopic())
				s.ask("neither name nor id", req)
			}
		}},
	)
	about(37,
		script{name: "partitions added", play: func(s *session) {
			t := s.topic("t", 1)
			grow := func(what, topic string, count int32, changes ...func(*kmsg.CreatePartitionsRequest)) {
				req := kmsg.NewPtrCreatePartitionsRequest()
				req.TimeoutMillis = 5000
				rt := kmsg.NewCreatePartitionsRequestTopic()
				rt.Topic, rt.Count = topic, count
				req.Topics = append(req.Topics, rt)
				for _, change := range changes {
					change(req)
				}
				s.ask(what, req)
			}
			grow("validated only", t, 3, func(r *kmsg.CreatePartitionsRequest) { r.ValidateOnly = true })
			grow("good", t, 3)
			grow("as many", t, 3)
			grow("fewer", t, 2)
			grow("none", t, 0)
			grow("negative", t, -1)
			grow("unknown topic", s.name("nowhere"), 3)
			grow("a bad name", "..", 3)
			grow("twice", t, 5, func(r *kmsg.CreatePartitionsRequest) { r.Topics = append(r.Topics, r.Topics[0]) })
			assign := func(nodes ...[]int32) func(*kmsg.CreatePartitionsRequest) {
				return func(r *kmsg.CreatePartitionsRequest) {
					for _, n := range nodes {
						r.Topics[0].Assignment = append(r.Topics[0].Assignment, kmsg.CreatePartitionsRequestTopicAssignment{Replicas: n})
					}
				}
			}
			grow("assigned", t, 4, assign([]int32{1}))
			grow("assigned, too many", t, 5, assign([]int32{1}, []int32{1}))
			grow("assigned to nobody", t, 5, assign([]int32{7}))
			grow("assigned to two", t, 5, assign([]int32{1, 7}))
			s.calm()
			s.tell("what there is", at(s.metadata(false, t), 9))
		}},
	)
	about(21,
		script{name: "records deleted", play: func(s *session) {
			t := s.topic("t", 1)
			s.fill(t, plainBatch("a", "b", "c"))
			remove := func(what, topic string, partition int32, offset int64) {
				s.ask(what, deleteRecordsRequest(topic, partition, offset))
			}
			remove("none", t, 0, 0)
			remove("some", t, 0, 2)
			remove("what is gone", t, 0, 1)
			remove("more than there is", t, 0, 9)
			remove("a negative offset", t, 0, -5)
			remove("all", t, 0, -1)
			remove("unknown partition", t, 7, 0)
			remove("unknown topic", s.name("nowhere"), 0, 0)
			s.tell("first offset", at(firstOffset(t), 4))
		}},
	)
}

// firstOffset and latest ask for the ends of partition 0.
func firstOffset(topic string) *kmsg.ListOffsetsRequest { return offsetAt(topic, -2) }
func latest(topic string) *kmsg.ListOffsetsRequest      { return offsetAt(topic, -1) }

func offsetAt(topic string, time int64) *kmsg.ListOffsetsRequest {
	req := kmsg.NewPtrListOffsetsRequest()
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Timestamp = time
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

// metadata asks about topics by name; version 0 to 3 would make the ones that are not there, and names none.
func (s *session) metadata(make bool, names ...string) *kmsg.MetadataRequest {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics, req.AllowAutoTopicCreation = []kmsg.MetadataRequestTopic{}, make
	for _, n := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &n
		req.Topics = append(req.Topics, t)
	}
	return req
}

// create is a request for one topic.
func (s *session) create(name string, partitions int32, replicas int16) *kmsg.CreateTopicsRequest {
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, replicas
	req.Topics, req.TimeoutMillis = append(req.Topics, t), 5000
	return req
}

func createdTopics(s *session) {
	create := func(what, name string, partitions int32, replicas int16, changes ...func(*kmsg.CreateTopicsRequest)) {
		req := s.create(name, partitions, replicas)
		for _, change := range changes {
			change(req)
		}
		s.ask(what, req)
	}
	if s.version >= 1 {
		create("validated only", s.name("t"), 2, 1, func(r *kmsg.CreateTopicsRequest) { r.ValidateOnly = true })
	}
	create("good", s.name("t"), 2, 1)
	create("again", s.name("t"), 2, 1)
	create("the broker's defaults", s.name("defaults"), -1, -1)
	create("no partitions", s.name("none"), 0, 1)
	create("fewer than none", s.name("none"), -5, 1)
	create("no replicas", s.name("none"), 1, 0)
	create("three replicas", s.name("many"), 1, 3)
	create("twice", s.name("twice"), 1, 1, func(r *kmsg.CreateTopicsRequest) { r.Topics = append(r.Topics, r.Topics[0]) })
	create("nothing", "", 1, 1, func(r *kmsg.CreateTopicsRequest) { r.Topics = nil })
	for _, bad := range []string{"", ".", "..", "a b", "a\x01b", "ü", "a/b", strings.Repeat("n", 300), strings.Repeat("n", 250)} {
		create("bad name", bad, 1, 1)
	}
	create("a dot", s.name("a.b"), 1, 1)
	create("the same with a line", s.name("a_b"), 1, 1)
	assign := func(partitions int32, nodes ...[]int32) func(*kmsg.CreateTopicsRequest) {
		return func(r *kmsg.CreateTopicsRequest) {
			for i, n := range nodes {
				r.Topics[0].ReplicaAssignment = append(r.Topics[0].ReplicaAssignment, kmsg.CreateTopicsRequestTopicReplicaAssignment{Partition: int32(i) * partitions, Replicas: n})
			}
		}
	}
	create("assigned", s.name("assigned"), -1, -1, assign(1, []int32{1}, []int32{1}))
	create("assigned, with a count", s.name("counted"), 2, 1, assign(1, []int32{1}, []int32{1}))
	create("assigned to nobody", s.name("elsewhere"), -1, -1, assign(1, []int32{7}))
	create("assigned twice to one", s.name("double"), -1, -1, assign(1, []int32{1, 1}))
	create("assigned with a gap", s.name("gap"), -1, -1, assign(2, []int32{1}, []int32{1}))
	create("assigned without nodes", s.name("empty"), -1, -1, assign(1, []int32{}))
	s.calm()
	s.tell("what there is", at(s.metadata(false, s.name("t"), s.name("defaults"), s.name("assigned"), s.name("twice")), 9))
}

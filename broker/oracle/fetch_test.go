package oracle_test

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetchRequest asks for one partition and waits for nothing.
func fetchRequest(topic string, partition int32, offset int64) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = 100, 0, 1<<20
	req.SessionEpoch = -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic = topic
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, offset, 1<<20
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

// fetch asks in the script's version, after a change of the request, and tells the answer.
func (s *session) fetch(what, topic string, offset int64, changes ...func(*kmsg.FetchRequest)) {
	s.Helper()
	req := fetchRequest(topic, 0, offset)
	if s.version >= 13 {
		req.Topics[0].TopicID = s.idOrUnknown(topic)
	}
	for _, change := range changes {
		change(req)
	}
	s.ask(what, req)
}

func init() {
	about(1,
		script{name: "from everywhere in a log", play: func(s *session) {
			t := s.topic("t", 1)
			s.fetch("empty", t, 0)
			s.fill(t, plainBatch("a", "b", "c"), plainBatch("d"))
			for _, offset := range []int64{0, 1, 3, 4, 5, -1} {
				s.fetch("from there", t, offset)
			}
		}},
		script{name: "unknown places", play: func(s *session) {
			t := s.topic("t", 1)
			s.fetch("partition", t, 0, func(r *kmsg.FetchRequest) { r.Topics[0].Partitions[0].Partition = 7 })
			s.fetch("partition -1", t, 0, func(r *kmsg.FetchRequest) { r.Topics[0].Partitions[0].Partition = -1 })
			s.fetch("topic", s.name("nowhere"), 0)
			if s.version < 13 {
				s.fetch("topic ..", "..", 0)
				s.fetch("topic of 300 letters", strings.Repeat("n", 300), 0)
			}
			s.ask("no topic", kmsg.NewPtrFetchRequest())
		}},
		script{name: "few bytes", play: func(s *session) {
			t := s.topic("t", 1)
			s.fill(t, plainBatch("a", "b"), plainBatch("c"))
			s.fetch("of a partition", t, 0, func(r *kmsg.FetchRequest) { r.Topics[0].Partitions[0].PartitionMaxBytes = 10 })
			s.fetch("of all", t, 0, func(r *kmsg.FetchRequest) { r.MaxBytes = 10 })
			s.fetch("as many as the first batch", t, 0, func(r *kmsg.FetchRequest) { r.Topics[0].Partitions[0].PartitionMaxBytes = 90 })
			s.fetch("none", t, 0, func(r *kmsg.FetchRequest) { r.Topics[0].Partitions[0].PartitionMaxBytes = 0 })
			s.fetch("more than there are", t, 2, func(r *kmsg.FetchRequest) { r.MinBytes = 100000 })
		}},
		script{name: "every codec", play: func(s *session) {
			for codec := range int16(5) {
				t := s.topic("t"+[]string{"none", "gzip", "snappy", "lz4", "zstd"}[codec], 1)
				b := plainBatch("a", "b")
				b.codec = codec
				s.fill(t, b)
				s.fetch("packed", t, 0)
				s.fetch("packed, the second", t, 1)
			}
		}},
		script{name: "leader epochs", play: func(s *session) {
			t := s.topic("t", 1)
			s.fill(t, plainBatch("a"))
			for _, epoch := range []int32{-1, 9999} {
				s.fetch("epoch", t, 0, func(r *kmsg.FetchRequest) { r.Topics[0].Partitions[0].CurrentLeaderEpoch = epoch })
			}
		}},
		script{name: "sessions", play: func(s *session) {
			if s.version < 7 {
				return
			}
			t := s.topic("t", 1)
			s.fill(t, plainBatch("a"))
			s.fetch("one that nobody has", t, 0, func(r *kmsg.FetchRequest) { r.SessionID, r.SessionEpoch = 123456, 5 })
			s.fetch("an end of none", t, 0, func(r *kmsg.FetchRequest) { r.SessionID, r.SessionEpoch = 0, 3 })
		}},
		script{name: "after records were deleted", play: func(s *session) {
			t := s.topic("t", 1)
			s.fill(t, plainBatch("a", "b", "c"), plainBatch("d"))
			s.deleteRecords(t, 2)
			s.fetch("before", t, 1)
			s.fetch("at", t, 2)
		}},
		script{name: "transactions", play: func(s *session) {
			t := s.topic("t", 1)
			for _, commit := range []bool{true, false} {
				s.transaction(t, "tx", commit, "in a transaction")
			}
			s.fill(t, plainBatch("outside"))
			s.begin(t, "open", "in an open one")
			s.fill(t, plainBatch("behind"))
			for _, level := range []int8{0, 1} {
				s.fetch("isolation", t, 0, func(r *kmsg.FetchRequest) { r.IsolationLevel = level })
			}
			s.fetch("isolation, behind the aborted", t, 5, func(r *kmsg.FetchRequest) { r.IsolationLevel = 1 })
			s.end("open", false)
		}},
		script{name: "the same partition twice", play: func(s *session) {
			t := s.topic("t", 1)
			s.fill(t, plainBatch("a"))
			s.fetch("twice", t, 0, func(r *kmsg.FetchRequest) {
				r.Topics[0].Partitions = append(r.Topics[0].Partitions, r.Topics[0].Partitions[0])
			})
		}},
		script{name: "partitions named again", play: func(s *session) {
			t := s.topic("t", 2)
			s.fill(t, plainBatch("a"), plainBatch("b"))
			from := func(partition int32, offset int64) kmsg.FetchRequestTopicPartition {
				p := fetchRequest(t, partition, offset).Topics[0].Partitions[0]
				p.Partition = partition
				return p
			}
			s.fetch("from elsewhere", t, 0, func(r *kmsg.FetchRequest) {
				r.Topics[0].Partitions = append(r.Topics[0].Partitions, from(1, 0), from(0, 1))
			})
			s.fetch("with a bad offset first", t, 99, func(r *kmsg.FetchRequest) {
				r.Topics[0].Partitions = append(r.Topics[0].Partitions, from(0, 1))
			})
			s.fetch("with a bad offset last", t, 1, func(r *kmsg.FetchRequest) {
				r.Topics[0].Partitions = append(r.Topics[0].Partitions, from(0, 99))
			})
			s.fetch("one that is not there", t, 0, func(r *kmsg.FetchRequest) {
				r.Topics[0].Partitions = append(r.Topics[0].Partitions, from(7, 0), from(7, 1))
			})
			s.fetch("in its topic named again", t, 0, func(r *kmsg.FetchRequest) {
				again := r.Topics[0]
				again.Partitions = []kmsg.FetchRequestTopicPartition{from(0, 1)}
				r.Topics = append(r.Topics, again)
			})
			s.fetch("another one in its topic named again", t, 0, func(r *kmsg.FetchRequest) {
				again := r.Topics[0]
				again.Partitions = []kmsg.FetchRequestTopicPartition{from(1, 0)}
				r.Topics = append(r.Topics, again)
			})
		}},
	)
	about(2,
		script{name: "every kind of time", play: func(s *session) {
			t := s.topic("t", 1)
			for _, time := range []int64{-1, -2, 0} {
				s.listOffsets("empty", t, time)
			}
			early, late := plainBatch("a", "b"), plainBatch("c")
			late.time = stamp + 5000
			s.fill(t, early, late, plainBatch("d"))
			for _, time := range []int64{-1, -2, -3, -4, -5, -6, -7, 0, stamp, stamp + 1, stamp + 2, stamp + 5000, stamp + 5001} {
				s.listOffsets("time", t, time)
			}
			s.deleteRecords(t, 1)
			s.listOffsets("first after a deletion", t, -2)
			s.listOffsets("by time after a deletion", t, 0)
		}},
		script{name: "unknown places", play: func(s *session) {
			t := s.topic("t", 1)
			s.listOffsets("topic", s.name("nowhere"), -1)
			s.listOffsets("topic ..", "..", -1)
			s.listOffsets("partition", t, -1, func(r *kmsg.ListOffsetsRequest) { r.Topics[0].Partitions[0].Partition = 7 })
			s.listOffsets("an epoch to come", t, -1, func(r *kmsg.ListOffsetsRequest) { r.Topics[0].Partitions[0].CurrentLeaderEpoch = 9999 })
			s.listOffsets("a partition twice", t, -1, func(r *kmsg.ListOffsetsRequest) {
				r.Topics[0].Partitions = append(r.Topics[0].Partitions, r.Topics[0].Partitions[0])
			})
			s.ask("nothing", kmsg.NewPtrListOffsetsRequest())
		}},
		script{name: "transactions", play: func(s *session) {
			t := s.topic("t", 1)
			s.transaction(t, "tx", true, "a")
			s.begin(t, "open", "b")
			for _, level := range []int8{0, 1} {
				s.listOffsets("isolation", t, -1, func(r *kmsg.ListOffsetsRequest) { r.IsolationLevel = level })
			}
			s.end("open", true)
		}},
	)
	about(23,
		script{name: "ends of epochs", play: func(s *session) {
			t := s.topic("t", 1)
			s.epochEnd("empty", t, 0, 0)
			s.fill(t, plainBatch("a", "b"))
			s.epochEnd("an epoch to come", t, 0, 9999)
			s.epochEnd("no epoch", t, 0, -1)
			s.epochEnd("partition", t, 7, 0)
			s.epochEnd("topic", s.name("nowhere"), 0, 0)
		}},
	)
}

// listOffsets asks for one partition's offset of a time.
func (s *session) listOffsets(what, topic string, time int64, changes ...func(*kmsg.ListOffsetsRequest)) {
	s.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Timestamp, p.MaxNumOffsets = time, 10
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	for _, change := range changes {
		change(req)
	}
	s.ask(what, req)
}

// epochEnd asks where a leader's epoch ended.
func (s *session) epochEnd(what, topic string, partition, epoch int32) {
	s.Helper()
	req := kmsg.NewPtrOffsetForLeaderEpochRequest()
	t := kmsg.NewOffsetForLeaderEpochRequestTopic()
	t.Topic = topic
	p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	p.Partition, p.LeaderEpoch = partition, epoch
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	s.ask(what, req)
}

// deleteRecords lets a log begin at an offset.
func (s *session) deleteRecords(topic string, offset int64) {
	s.Helper()
	do[*kmsg.DeleteRecordsResponse](s, 2, deleteRecordsRequest(topic, 0, offset))
}

func deleteRecordsRequest(topic string, partition int32, offset int64) *kmsg.DeleteRecordsRequest {
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = 5000
	t := kmsg.NewDeleteRecordsRequestTopic()
	t.Topic = topic
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Partition, p.Offset = partition, offset
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

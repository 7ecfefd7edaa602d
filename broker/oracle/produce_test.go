package oracle_test

import (
	"bytes"
	"reflect"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// produce sends a batch in the script's version and tells the answer.
func (s *session) produce(what, topic string, partition int32, acks int16, records []byte) {
	s.Helper()
	req := produceRequest(topic, partition, records)
	req.Acks = acks
	if s.version >= 13 {
		req.Topics[0].TopicID = s.idOrUnknown(topic)
	}
	s.ask(what, req)
}

// idOrUnknown is the id of a topic, or one that nobody has.
func (s *session) idOrUnknown(topic string) [16]byte {
	id := s.id(topic)
	if id == ([16]byte{}) {
		return [16]byte{1, 2, 3}
	}
	return id
}

// sound is a batch, or a message set for the versions that carry those.
func (s *session) sound(values ...string) []byte {
	if s.version >= 3 {
		return plainBatch(values...).bytes()
	}
	var set []byte
	for i, v := range values {
		set = append(set, message(int8(min(s.version, 2)/2), int64(i), 0, []byte("k"), []byte(v))...)
	}
	return set
}

// readBack tells what a partition holds.
func (s *session) readBack(topic string) {
	s.Helper()
	do[*kmsg.ListOffsetsResponse](s, 4, latest(topic)) // here it waits until all is on the disk
	req := fetchRequest(topic, 0, 0)
	resp := do[*kmsg.FetchResponse](s, 11, req)
	s.say("stored: %s", s.renderRecords(resp.Topics[0].Partitions[0].RecordBatches))
}

func init() {
	about(0,
		script{name: "sound batches", play: func(s *session) {
			t := s.topic("t", 2)
			for i, acks := range []int16{-1, 1} {
				s.produce("acks", t, int32(i), acks, s.sound("a", "b"))
			}
			s.produce("more", t, 0, -1, s.sound("c"))
			s.readBack(t)
		}},
		script{name: "no acknowledgement", play: func(s *session) {
			t := s.topic("t", 1)
			req := produceRequest(t, 0, s.sound("a"))
			req.Acks, req.Version = 0, s.version
			if s.version >= 13 {
				req.Topics[0].TopicID = s.id(t)
			}
			if err := s.connected().send(0, s.version, req.IsFlexible(), req.AppendTo(nil)); err != nil {
				s.Fatal(err)
			}
			do[*kmsg.ListGroupsResponse](s, 0, kmsg.NewPtrListGroupsRequest()) // the next answer is the next request's
			s.readBack(t)
		}},
		script{name: "acks 2", play: func(s *session) { s.produce("acks 2", s.topic("t", 1), 0, 2, s.sound("a")) }},
		script{name: "unknown places", play: func(s *session) {
			t := s.topic("t", 1)
			s.produce("partition", t, 7, -1, s.sound("a"))
			s.produce("partition -1", t, -1, -1, s.sound("a"))
			s.produce("topic", s.name("nowhere"), 0, -1, s.sound("a"))
			if s.version < 13 {
				s.produce("topic ..", "..", 0, -1, s.sound("a"))
				s.produce("topic of 300 letters", strings.Repeat("n", 300), 0, -1, s.sound("a"))
				s.produce("control character", "a\x01b", 0, -1, s.sound("a"))
			}
		}},
		script{name: "two topics and two partitions", play: func(s *session) {
			t, u := s.topic("t", 2), s.topic("u", 1)
			req := produceRequest(t, 0, s.sound("a"))
			req.Topics[0].Partitions = append(req.Topics[0].Partitions, kmsg.ProduceRequestTopicPartition{Partition: 1, Records: s.sound("b", "c")})
			req.Topics = append(req.Topics, produceRequest(u, 0, s.sound("d")).Topics...)
			if s.version >= 13 {
				req.Topics[0].TopicID, req.Topics[1].TopicID = s.id(t), s.id(u)
			}
			s.ask("both", req)
		}},
		script{name: "batches that lie", play: lyingBatches},
		script{name: "old messages that lie", play: lyingMessages},
		script{name: "codecs", play: func(s *session) {
			if s.version < 3 {
				return
			}
			t := s.topic("t", 1)
			for codec := range int16(6) {
				b := plainBatch(strings.Repeat("x", 50), "y")
				b.codec = codec
				s.produce([]string{"none", "gzip", "snappy", "lz4", "zstd", "5"}[codec], t, 0, -1, b.bytes())
			}
			s.readBack(t)
		}},
		script{name: "sequences", play: sequences},
		script{name: "an open transaction is not needed", play: func(s *session) {
			if s.version < 3 {
				return
			}
			t := s.topic("t", 1)
			b := sequenced(4000000, 0, 0, "a")
			b.attrs = 0x10
			s.produce("a transactional batch of nobody", t, 0, -1, b.bytes())
			b.attrs = 0x20
			s.produce("a control batch", t, 0, -1, b.bytes())
		}},
		script{name: "settings of the topic", play: topicSettings},
		script{name: "a packed set of old messages", play: packedMessages},
	)
}

func lyingBatches(s *session) {
	t := s.topic("t", 1)
	try := func(what string, change func(b *batch)) {
		b := plainBatch("a", "b", "c")
		change(&b)
		s.produce(what, t, 0, -1, b.bytes())
	}
	if s.version < 3 {
		s.produce("a batch of format 2", t, 0, -1, plainBatch("a").bytes())
		return
	}
	try("checksum", func(b *batch) { b.badCRC = true })
	try("format 3", func(b *batch) { b.magic = 3 })
	try("format 1", func(b *batch) { b.magic = 1 })
	try("count too high", func(b *batch) { b.count = 4 })
	try("count too low", func(b *batch) { b.count = 2 })
	try("count negative", func(b *batch) { b.count = -1 })
	try("last offset delta too high", func(b *batch) { b.last = 9 })
	try("last offset delta too low", func(b *batch) { b.last = 1 })
	try("last offset delta negative", func(b *batch) { b.last = -5 })
	try("cut by a byte", func(b *batch) { b.cut = 1 })
	try("cut in the header", func(b *batch) { b.cut = len(b.bytes()) - 30 })
	try("cut to nothing", func(b *batch) { b.cut = len(b.bytes()) })
	for _, codec := range []int16{1, 2, 3, 4} {
		try("packed, count too high", func(b *batch) { b.codec, b.count = codec, 4 })
		try("packed, last offset delta too high", func(b *batch) { b.codec, b.last = codec, 9 })
		try("not what it says it is packed with", func(b *batch) { b.attrs = codec })
	}
	one := plainBatch("a").bytes()
	s.produce("two batches", t, 0, -1, append(bytes.Clone(one), one...))
	s.produce("a batch and a byte", t, 0, -1, append(bytes.Clone(one), 0))
	s.produce("old messages", t, 0, -1, message(1, 0, 0, nil, []byte("a")))
	if s.version == 9 { // a real Kafka never answers
		s.produce("no records", t, 0, -1, nil)
	}
	s.produce("an empty batch", t, 0, -1, plainBatch().bytes())
	s.readBack(t)
}

func lyingMessages(s *session) {
	if s.version >= 3 {
		return
	}
	t := s.topic("t", 1)
	bad := message(1, 0, 0, nil, []byte("a"))
	bad[12]++
	s.produce("checksum", t, 0, -1, bad)
	s.produce("cut", t, 0, -1, message(1, 0, 0, nil, []byte("a"))[:20])
	s.produce("a good one and half of one", t, 0, -1, append(message(0, 0, 0, nil, []byte("good")), message(0, 1, 0, nil, []byte("half"))[:20]...))
	s.produce("nothing", t, 0, -1, []byte{})
	s.produce("format 0 without keys", t, 0, -1, message(0, 0, 0, nil, []byte("a")))
	s.produce("format 0 without a value", t, 0, -1, message(0, 0, 0, []byte("k"), nil))
	s.produce("not packed as it says", t, 0, -1, message(1, 0, 1, nil, []byte("a")))
	s.readBack(t)
}

// packedMessages are message sets inside a message, as old clients pack them.
func packedMessages(s *session) {
	if s.version >= 3 {
		return
	}
	t := s.topic("t", 1)
	for _, codec := range []int16{1, 2} {
		var inner []byte
		for i, v := range []string{"a", "b"} {
			inner = append(inner, message(int8(s.version/2), int64(i), 0, []byte("k"), []byte(v))...)
		}
		s.produce("packed", t, 0, -1, message(int8(s.version/2), 1, int8(codec), nil, packed(codec, inner)))
	}
	for _, v := range []int16{0, 1, 2, 3} {
		s.say("as version %d fetches it: %s", v, s.fetched(t, v))
	}
}

// fetched is what a partition holds in a version's form; 4 dropped some.
func (s *session) fetched(topic string, version int16) string {
	req := fetchRequest(topic, 0, 0)
	req.Version = version
	resp, err := s.connected().ask(req)
	if err != nil {
		s.hangUp()
		return err.Error()
	}
	return s.renderRecords(resp.(*kmsg.FetchResponse).Topics[0].Partitions[0].RecordBatches)
}

func sequences(s *session) {
	if s.version < 3 {
		return
	}
	t := s.topic("t", 1)
	pid, epoch := s.producer("")
	step := func(what string, epoch int16, sequence int32, values ...string) {
		s.produce(what, t, 0, -1, sequenced(pid, epoch, sequence, values...).bytes())
	}
	step("first", epoch, 0, "a", "b")
	step("next", epoch, 2, "c")
	step("the same again", epoch, 2, "c")
	step("the first again", epoch, 0, "a", "b")
	step("half of the first again", epoch, 0, "a")
	step("a gap", epoch, 5, "x")
	step("next", epoch, 3, "d")
	step("a newer epoch, not from 0", epoch+1, 4, "x")
	step("a newer epoch", epoch+1, 0, "e")
	step("the older epoch", epoch, 4, "x")
	step("sequence negative", epoch+1, -5, "x")
	for i := range int32(6) {
		step("on", epoch+1, 1+i, "f")
	}
	step("one that is long ago", epoch+1, 0, "e")
	s.produce("a producer without an epoch", t, 0, -1, sequenced(pid, -1, 0, "x").bytes())
	s.readBack(t)
	req := kmsg.NewPtrDescribeProducersRequest()
	req.Topics = append(req.Topics, kmsg.DescribeProducersRequestTopic{Topic: t, Partitions: []int32{0}})
	s.say("producers: %s", s.render(reflect.ValueOf(do[*kmsg.DescribeProducersResponse](s, 0, req)).Elem(), ""))
}

func topicSettings(s *session) {
	small := s.topic("small", 1, "max.message.bytes", "200")
	s.produce("too large", small, 0, -1, s.sound(strings.Repeat("x", 300)))
	compacted := s.topic("compacted", 1, "cleanup.policy", "compact")
	if s.version >= 3 {
		b := plainBatch("a", "b")
		b.keyless = true
		s.produce("compacted, without keys", compacted, 0, -1, b.bytes())
		future := plainBatch("a")
		future.time = 9_000_000_000_000
		s.produce("a time to come", s.topic("future", 1), 0, -1, future.bytes())
		past := s.topic("past", 1, "message.timestamp.before.max.ms", "1000")
		s.produce("a time long ago", past, 0, -1, plainBatch("a").bytes())
	} else {
		s.produce("compacted, without keys", compacted, 0, -1, message(1, 0, 0, nil, []byte("a")))
	}
	stamped := s.topic("stamped", 1, "message.timestamp.type", "LogAppendTime")
	s.produce("stamped here", stamped, 0, -1, s.sound("a", "b"))
	s.readBack(stamped)
	recoded := s.topic("recoded", 1, "compression.type", "gzip")
	s.produce("packed here", recoded, 0, -1, s.sound("a", "b"))
	s.readBack(recoded)
	plain := s.topic("plain", 1, "compression.type", "uncompressed")
	if s.version >= 3 {
		b := plainBatch("a", "b")
		b.codec = 2
		s.produce("unpacked here", plain, 0, -1, b.bytes())
		s.readBack(plain)
	}
	s.produce("two replicas wanted", s.topic("isr", 1, "min.insync.replicas", "2"), 0, -1, s.sound("a"))
}

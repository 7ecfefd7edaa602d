package oracle_test

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// kinds of resources that settings are of.
const (
	ofUnknown = kmsg.ConfigResourceTypeUnknown
	ofTopic   = kmsg.ConfigResourceTypeTopic
	ofBroker  = kmsg.ConfigResourceTypeBroker
)

func init() {
	about(32,
		script{name: "described", play: func(s *session) {
			t := s.topic("t", 1, "retention.ms", "5000")
			describe := func(what string, kind kmsg.ConfigResourceType, name string, settings ...string) {
				req := kmsg.NewPtrDescribeConfigsRequest()
				req.IncludeSynonyms, req.IncludeDocumentation = true, true
				r := kmsg.NewDescribeConfigsRequestResource()
				r.ResourceType, r.ResourceName, r.ConfigNames = kind, name, settings
				req.Resources = append(req.Resources, r)
				s.ask(what, req)
			}
			describe("a topic's", ofTopic, t, "retention.ms", "cleanup.policy", "max.message.bytes", "segment.bytes", "compression.type",
				"min.insync.replicas", "message.timestamp.type", "retention.bytes", "segment.ms", "delete.retention.ms", "flush.messages",
				"min.cleanable.dirty.ratio", "min.compaction.lag.ms", "max.compaction.lag.ms", "unclean.leader.election.enable", "preallocate")
			describe("one that is none", ofTopic, t, "no.such.setting", "retention.ms")
			describe("an unknown topic's", ofTopic, s.name("nowhere"), "retention.ms")
			describe("a bad name's", ofTopic, "..", "retention.ms")
			describe("no name's", ofTopic, "", "retention.ms")
			describe("the broker's", ofBroker, "1", "log.retention.hours", "log.retention.ms", "message.max.bytes", "num.partitions",
				"auto.create.topics.enable", "log.segment.bytes", "compression.type", "offsets.retention.minutes", "delete.topic.enable",
				"log.cleanup.policy", "log.message.timestamp.type", "max.connections", "ssl.keystore.password", "default.replication.factor")
			describe("another broker's", ofBroker, "7", "num.partitions")
			describe("not a number's", ofBroker, "x", "num.partitions")
			describe("all brokers'", ofBroker, "", "num.partitions")
			describe("of an unknown kind", 99, "x", "num.partitions")
			describe("of no kind", ofUnknown, "x", "num.partitions")
			s.ask("nothing", kmsg.NewPtrDescribeConfigsRequest())
		}},
	)
	about(33,
		script{name: "replaced", play: func(s *session) {
			t := s.topic("t", 1, "retention.ms", "5000")
			alter := func(what string, kind kmsg.ConfigResourceType, name, setting string, value *string, changes ...func(*kmsg.AlterConfigsRequest)) {
				req := kmsg.NewPtrAlterConfigsRequest()
				r := kmsg.NewAlterConfigsRequestResource()
				r.ResourceType, r.ResourceName = kind, name
				r.Configs = []kmsg.AlterConfigsRequestResourceConfig{{Name: setting, Value: value}}
				req.Resources = append(req.Resources, r)
				for _, change := range changes {
					change(req)
				}
				s.ask(what, req)
			}
			good := kmsg.StringPtr("7000")
			alter("validated only", ofTopic, t, "segment.ms", good, func(r *kmsg.AlterConfigsRequest) { r.ValidateOnly = true })
			s.settings(t)
			alter("good", ofTopic, t, "segment.ms", good)
			s.settings(t)
			alter("unknown setting", ofTopic, t, "no.such.setting", good)
			alter("not a number", ofTopic, t, "segment.ms", kmsg.StringPtr("soon"))
			alter("null", ofTopic, t, "segment.ms", nil)
			alter("unknown topic", ofTopic, s.name("nowhere"), "segment.ms", good)
			alter("another broker", ofBroker, "7", "message.max.bytes", good)
			alter("unknown kind", 99, "x", "segment.ms", good)
			if s.version == 1 { // a real Kafka never answers
				alter("twice", ofTopic, t, "segment.ms", good, func(r *kmsg.AlterConfigsRequest) { r.Resources = append(r.Resources, r.Resources[0]) })
			}
			s.settings(t)
		}},
	)
	about(44,
		script{name: "altered", play: alteredSettings},
	)
}

// settings tells a topic's own.
func (s *session) settings(topic string) {
	s.Helper()
	s.calm()
	req := kmsg.NewPtrDescribeConfigsRequest()
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName, r.ConfigNames = ofTopic, topic, []string{"retention.ms", "segment.ms", "cleanup.policy"}
	req.Resources = append(req.Resources, r)
	s.tell("the settings", at(req, 2))
}

func alteredSettings(s *session) {
	const set, remove, add, subtract = kmsg.IncrementalAlterConfigOpSet, kmsg.IncrementalAlterConfigOpDelete, kmsg.IncrementalAlterConfigOpAppend, kmsg.IncrementalAlterConfigOpSubtract
	t := s.topic("t", 1, "retention.ms", "5000")
	alter := func(what string, kind kmsg.ConfigResourceType, name, setting string, op kmsg.IncrementalAlterConfigOp, value *string, changes ...func(*kmsg.IncrementalAlterConfigsRequest)) {
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		r := kmsg.NewIncrementalAlterConfigsRequestResource()
		r.ResourceType, r.ResourceName = kind, name
		r.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: setting, Op: op, Value: value}}
		req.Resources = append(req.Resources, r)
		for _, change := range changes {
			change(req)
		}
		s.ask(what, req)
	}
	good := kmsg.StringPtr("7000")
	alter("validated only", ofTopic, t, "segment.ms", set, good, func(r *kmsg.IncrementalAlterConfigsRequest) { r.ValidateOnly = true })
	alter("set", ofTopic, t, "segment.ms", set, good)
	s.settings(t)
	alter("deleted", ofTopic, t, "retention.ms", remove, nil)
	alter("deleted again", ofTopic, t, "retention.ms", remove, nil)
	alter("added", ofTopic, t, "cleanup.policy", add, kmsg.StringPtr("compact"))
	s.settings(t)
	alter("added again", ofTopic, t, "cleanup.policy", add, kmsg.StringPtr("compact"))
	alter("taken away", ofTopic, t, "cleanup.policy", subtract, kmsg.StringPtr("delete"))
	s.settings(t)
	alter("taken away, none left", ofTopic, t, "cleanup.policy", subtract, kmsg.StringPtr("compact"))
	alter("added to no list", ofTopic, t, "segment.ms", add, good)
	alter("an unknown operation", ofTopic, t, "segment.ms", 9, good)
	alter("unknown setting", ofTopic, t, "no.such.setting", set, good)
	alter("unknown setting deleted", ofTopic, t, "no.such.setting", remove, nil)
	alter("not a number", ofTopic, t, "segment.ms", set, kmsg.StringPtr("soon"))
	alter("null", ofTopic, t, "segment.ms", set, nil)
	alter("unknown topic", ofTopic, s.name("nowhere"), "segment.ms", set, good)
	alter("a bad name", ofTopic, "..", "segment.ms", set, good)
	alter("another broker", ofBroker, "7", "message.max.bytes", set, good)
	alter("not a broker", ofBroker, "x", "message.max.bytes", set, good)
	alter("a setting that needs a restart", ofBroker, "1", "num.partitions", set, good)
	alter("unknown kind", 99, "x", "segment.ms", set, good)
	alter("one setting twice", ofTopic, t, "segment.ms", set, good, func(r *kmsg.IncrementalAlterConfigsRequest) {
		r.Resources[0].Configs = append(r.Resources[0].Configs, r.Resources[0].Configs[0])
	})
	alter("one topic twice", ofTopic, t, "segment.ms", set, good, func(r *kmsg.IncrementalAlterConfigsRequest) { r.Resources = append(r.Resources, r.Resources[0]) })
	alter("one bad among good ones", ofTopic, t, "segment.ms", set, kmsg.StringPtr("8000"), func(r *kmsg.IncrementalAlterConfigsRequest) {
		r.Resources[0].Configs = append(r.Resources[0].Configs, kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: "retention.ms", Op: set, Value: kmsg.StringPtr("x")})
	})
	s.settings(t)
	s.ask("nothing", kmsg.NewPtrIncrementalAlterConfigsRequest())
}

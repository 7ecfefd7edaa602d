package oracle_test

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func init() {
	about(35,
		script{name: "described", play: func(s *session) {
			t := s.topic("t", 2)
			s.fill(t, plainBatch("a"))
			describe := func(what, topic string, partitions ...int32) {
				req := kmsg.NewPtrDescribeLogDirsRequest()
				req.Topics = append(req.Topics, kmsg.DescribeLogDirsRequestTopic{Topic: topic, Partitions: partitions})
				s.ask(what, req)
			}
			describe("both", t, 0, 1)
			describe("one that is not there", t, 7)
			describe("unknown topic", s.name("nowhere"), 0)
			none := kmsg.NewPtrDescribeLogDirsRequest()
			none.Topics = []kmsg.DescribeLogDirsRequestTopic{}
			s.ask("none", none)
		}},
	)
	about(43,
		script{name: "elections", play: func(s *session) {
			t := s.topic("t", 2)
			for _, kind := range []int8{0, 1, 7} {
				elect := func(what, topic string, partitions ...int32) {
					req := kmsg.NewPtrElectLeadersRequest()
					req.ElectionType, req.TimeoutMillis = kind, 5000
					req.Topics = append(req.Topics, kmsg.ElectLeadersRequestTopic{Topic: topic, Partitions: partitions})
					s.ask(what, req)
				}
				elect("both", t, 0, 1)
				elect("one that is not there", t, 7)
				elect("unknown topic", s.name("nowhere"), 0)
			}
		}},
	)
	about(46,
		script{name: "listed", play: func(s *session) {
			t := s.topic("t", 1)
			list := func(what, topic string, partitions ...int32) {
				req := kmsg.NewPtrListPartitionReassignmentsRequest()
				req.TimeoutMillis = 5000
				req.Topics = append(req.Topics, kmsg.ListPartitionReassignmentsRequestTopic{Topic: topic, Partitions: partitions})
				s.ask(what, req)
			}
			s.ask("all", kmsg.NewPtrListPartitionReassignmentsRequest())
			list("one", t, 0)
			list("one that is not there", t, 7)
			list("unknown topic", s.name("nowhere"), 0)
		}},
	)
	about(60,
		script{name: "described", play: func(s *session) {
			for _, kind := range []int8{1, 2, 7} {
				req := kmsg.NewPtrDescribeClusterRequest()
				req.IncludeClusterAuthorizedOperations, req.EndpointType = true, kind
				s.ask("of a kind", req)
			}
		}},
	)
	about(61,
		script{name: "producers", play: func(s *session) {
			t := s.topic("t", 1)
			pid, epoch := s.producer("")
			describe := func(what, topic string, partition int32) {
				req := kmsg.NewPtrDescribeProducersRequest()
				req.Topics = append(req.Topics, kmsg.DescribeProducersRequestTopic{Topic: topic, Partitions: []int32{partition}})
				s.ask(what, req)
			}
			describe("none", t, 0)
			s.fill(t, sequenced(pid, epoch, 0, "a", "b"))
			describe("one", t, 0)
			s.begin(t, "tx", "c")
			describe("one with an open transaction", t, 0)
			s.end("tx", false)
			describe("after its end", t, 0)
			describe("unknown partition", t, 7)
			describe("unknown topic", s.name("nowhere"), 0)
			describe("a bad name", "..", 0)
		}},
	)
	about(57,
		script{name: "features", play: func(s *session) {
			update := func(what, feature string, level int16, kind int8) {
				req := kmsg.NewPtrUpdateFeaturesRequest()
				f := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
				f.Feature, f.MaxVersionLevel, f.UpgradeType = feature, level, kind
				req.FeatureUpdates, req.TimeoutMillis = append(req.FeatureUpdates, f), 5000
				s.ask(what, req)
			}
			update("unknown", "no.such.feature", 1, 1)
			update("no name", "", 1, 1)
			update("out of reach", "group.version", 99, 1)
			update("as it is", "group.version", 1, 1)
			s.ask("nothing", kmsg.NewPtrUpdateFeaturesRequest())
		}},
	)
	about(48,
		script{name: "quotas described", play: func(s *session) {
			s.quota(1, "user", "u", "producer_byte_rate", 1024, false)
			s.quota(1, "client-id", "c", "consumer_byte_rate", 2048, false)
			describe := func(what string, strict bool, kind string, match kmsg.QuotasMatchType, name string) {
				req := kmsg.NewPtrDescribeClientQuotasRequest()
				req.Strict = strict
				c := kmsg.NewDescribeClientQuotasRequestComponent()
				c.EntityType, c.MatchType = kind, match
				if match == kmsg.QuotasMatchTypeExact {
					c.Match = kmsg.StringPtr(s.name(name))
				}
				req.Components = append(req.Components, c)
				s.ask(what, req)
			}
			for _, strict := range []bool{false, true} {
				describe("a user", strict, "user", kmsg.QuotasMatchTypeExact, "u")
				describe("a client", strict, "client-id", kmsg.QuotasMatchTypeExact, "c")
				describe("one without", strict, "user", kmsg.QuotasMatchTypeExact, "other")
			}
			describe("an unknown kind", false, "shoe", kmsg.QuotasMatchTypeExact, "u")
			describe("no kind", false, "", kmsg.QuotasMatchTypeExact, "u")
			describe("an unknown match", false, "user", 9, "u")
			s.quota(1, "user", "u", "producer_byte_rate", 0, true)
			s.quota(1, "client-id", "c", "consumer_byte_rate", 0, true)
			describe("a user, gone", false, "user", kmsg.QuotasMatchTypeExact, "u")
		}},
	)
	about(49,
		script{name: "quotas altered", play: func(s *session) {
			alter := func(what, kind, name, key string, value float64, remove bool) {
				s.ask(what, s.alterQuota(kind, name, key, value, remove))
			}
			alter("good", "user", "u", "producer_byte_rate", 1024, false)
			s.calm()
			alter("gone", "user", "u", "producer_byte_rate", 0, true)
			s.calm()
			alter("gone again", "user", "u", "producer_byte_rate", 0, true)
			alter("unknown quota", "user", "u", "no_such_quota", 1, false)
			alter("a negative one", "user", "u", "producer_byte_rate", -1, false)
			alter("none at all", "user", "u", "producer_byte_rate", 0, false)
			alter("half a byte", "user", "u", "producer_byte_rate", 1.5, false)
			alter("unknown kind", "shoe", "u", "producer_byte_rate", 1, false)
			alter("an address", "ip", "no address", "connection_creation_rate", 1, false)
			alter("a quota of another kind", "user", "u", "connection_creation_rate", 1, false)
			empty := s.alterQuota("user", "u", "producer_byte_rate", 1, false)
			empty.Entries[0].Entity = nil
			s.ask("of nobody", empty)
		}},
	)
	about(50,
		script{name: "users described", play: func(s *session) {
			s.scram(0, "u")
			describe := func(what string, names ...string) {
				req := kmsg.NewPtrDescribeUserSCRAMCredentialsRequest()
				for _, n := range names {
					req.Users = append(req.Users, kmsg.DescribeUserSCRAMCredentialsRequestUser{Name: s.name(n)})
				}
				s.ask(what, req)
			}
			describe("one", "u")
			describe("unknown", "other")
			describe("one twice", "u", "u")
			req := kmsg.NewPtrDescribeUserSCRAMCredentialsRequest()
			req.Users = []kmsg.DescribeUserSCRAMCredentialsRequestUser{{Name: ""}}
			s.ask("no name", req)
		}},
	)
	about(51,
		script{name: "users altered", play: func(s *session) {
			put := func(what, name string, mechanism int8, iterations int32, salt, password []byte) {
				req := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
				req.Upsertions = append(req.Upsertions, kmsg.AlterUserSCRAMCredentialsRequestUpsertion{
					Name: name, Mechanism: mechanism, Iterations: iterations, Salt: salt, SaltedPassword: password})
				s.ask(what, req)
			}
			remove := func(what, name string, mechanism int8) {
				req := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
				req.Deletions = append(req.Deletions, kmsg.AlterUserSCRAMCredentialsRequestDeletion{Name: name, Mechanism: mechanism})
				s.ask(what, req)
			}
			salt, password := []byte("0123456789abcdef"), slices.Repeat([]byte("p"), 32)
			put("good", s.name("u"), 1, 8192, salt, password)
			put("few iterations", s.name("u"), 1, 10, salt, password)
			put("many iterations", s.name("u"), 1, 1000000, salt, password)
			put("no name", "", 1, 8192, salt, password)
			put("an unknown mechanism", s.name("u"), 7, 8192, salt, password)
			put("no salt", s.name("v"), 1, 8192, nil, password)
			put("no password", s.name("w"), 1, 8192, salt, nil)
			s.calm()
			remove("good", s.name("u"), 1)
			s.calm()
			remove("again", s.name("u"), 1)
			remove("unknown", s.name("other"), 2)
			remove("unknown mechanism", s.name("u"), 7)
			twice := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
			twice.Deletions = []kmsg.AlterUserSCRAMCredentialsRequestDeletion{{Name: s.name("x"), Mechanism: 1}, {Name: s.name("x"), Mechanism: 1}}
			s.ask("twice", twice)
			s.ask("nothing", kmsg.NewPtrAlterUserSCRAMCredentialsRequest())
		}},
	)
}

func (s *session) alterQuota(kind, name, key string, value float64, remove bool) *kmsg.AlterClientQuotasRequest {
	req := kmsg.NewPtrAlterClientQuotasRequest()
	e := kmsg.NewAlterClientQuotasRequestEntry()
	if kind != "ip" {
		name = s.name(name)
	}
	e.Entity = []kmsg.AlterClientQuotasRequestEntryEntity{{Type: kind, Name: &name}}
	e.Ops = []kmsg.AlterClientQuotasRequestEntryOp{{Key: key, Value: value, Remove: remove}}
	req.Entries = append(req.Entries, e)
	return req
}

// quota sets or removes one, to set the scene.
func (s *session) quota(version int16, kind, name, key string, value float64, remove bool) {
	s.Helper()
	do[*kmsg.AlterClientQuotasResponse](s, version, s.alterQuota(kind, name, key, value, remove))
	s.calm()
}

// scram makes a user, to set the scene.
func (s *session) scram(version int16, name string) {
	s.Helper()
	req := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
	req.Upsertions = append(req.Upsertions, kmsg.AlterUserSCRAMCredentialsRequestUpsertion{
		Name: s.name(name), Mechanism: 2, Iterations: 4096, Salt: []byte("0123456789abcdef"), SaltedPassword: slices.Repeat([]byte("p"), 64)})
	do[*kmsg.AlterUserSCRAMCredentialsResponse](s, version, req)
	s.calm()
}

package oracle_test

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// consumerBeat is the full heartbeat of a KIP-848 member.
func consumerBeat(group, id string, epoch int32, topics ...string) *kmsg.ConsumerGroupHeartbeatRequest {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch = group, id, epoch
	req.RebalanceTimeoutMillis = 30000
	req.SubscribedTopicNames = topics
	req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	return req
}

func init() {
	about(68,
		script{name: "a member's life", play: func(s *session) {
			t := s.topic("t", 2)
			s.calm()
			g := s.name("g")
			id := strings.Repeat("m", 22)
			if s.version == 0 {
				id = ""
			}
			first := do[*kmsg.ConsumerGroupHeartbeatResponse](s, s.version, consumerBeat(g, id, 0, t))
			s.say("first: error %d, with an id: %v", first.ErrorCode, first.MemberID != nil)
			if first.ErrorCode != 0 || first.MemberID == nil {
				return
			}
			id = *first.MemberID
			s.words[id] = "<member>"
			for range 10000 { // until it has its partitions
				resp := do[*kmsg.ConsumerGroupHeartbeatResponse](s, s.version, consumerBeat(g, id, first.MemberEpoch, t))
				if resp.ErrorCode == 0 && resp.Assignment != nil && len(resp.Assignment.Topics) > 0 {
					s.say("assigned %d partitions of %d topics at epoch %d", len(resp.Assignment.Topics[0].Partitions), len(resp.Assignment.Topics), resp.MemberEpoch)
					first = resp
					break
				}
			}
			short := kmsg.NewPtrConsumerGroupHeartbeatRequest()
			short.Group, short.MemberID, short.MemberEpoch = g, id, first.MemberEpoch
			s.ask("nothing new", short)
			s.ask("an epoch to come", consumerBeat(g, id, first.MemberEpoch+5, t))
			s.ask("an outsider", consumerBeat(g, "who", 3, t))
			s.tell("a classic member joins", at(joinRequest(g, ""), 5))
			s.tell("a classic heartbeat", at(heartbeat(member{g, id, first.MemberEpoch}), 3))
			m := member{g, id, first.MemberEpoch}
			s.tell("commit", at(offsetCommit(m, t, 0, 4), 9))
			s.tell("commit of another epoch", at(offsetCommit(early(m), t, 0, 4), 9))
			s.tell("commit of an outsider", at(offsetCommit(outsider(m), t, 0, 4), 9))
			fetch := offsetFetchRequest(g, t, 0)
			fetch.Groups[0].MemberID, fetch.Groups[0].MemberEpoch = &id, first.MemberEpoch
			s.tell("committed", at(fetch, 9))
			fetch.Groups[0].MemberEpoch += 5
			s.tell("committed, another epoch", at(fetch, 9))
			s.ask("it leaves", consumerBeat(g, id, -1))
			s.ask("it leaves again", consumerBeat(g, id, -1))
			do[*kmsg.ConsumerGroupHeartbeatResponse](s, s.version, consumerBeat(g, "second", 0, t))
			s.tell("a classic leave", at(leave(member{g, "second", 1}), 3))
		}},
		script{name: "bad requests", play: func(s *session) {
			t := s.topic("t", 1)
			g := s.name("g")
			id := strings.Repeat("m", 22)
			beat := func(what string, change func(*kmsg.ConsumerGroupHeartbeatRequest)) {
				req := consumerBeat(g, id, 0, t)
				change(req)
				s.ask(what, req)
			}
			beat("no group", func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.Group = "" })
			beat("an epoch of -3", func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberEpoch = -3 })
			beat("no topics", func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.SubscribedTopicNames = nil })
			beat("no rebalance timeout", func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.RebalanceTimeoutMillis = -1 })
			beat("partitions that it does not have", func(r *kmsg.ConsumerGroupHeartbeatRequest) {
				r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{{TopicID: s.id(t), Partitions: []int32{0}}}
			})
			beat("an unknown assignor", func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.ServerAssignor = kmsg.StringPtr("best") })
			beat("an empty name", func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.InstanceID = kmsg.StringPtr("") })
			beat("an unknown member", func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberID, r.MemberEpoch = "who", 3 })
			beat("an empty member id", func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberID, r.MemberEpoch = "", 3 })
			if s.version >= 1 {
				beat("a bad pattern", func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.SubscribedTopicRegex = kmsg.StringPtr("(") })
			}
			m := s.joined("classic")
			beat("a classic group at work", func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.Group = m.group })
		}},
		script{name: "names of members", play: func(s *session) {
			t := s.topic("t", 2)
			s.calm()
			g := s.name("g")
			beat := func(what, id string, epoch int32) {
				req := consumerBeat(g, id, epoch, t)
				req.InstanceID = kmsg.StringPtr("i")
				s.words[id] = "<" + what + ">"
				s.ask(what, req)
			}
			first, second := strings.Repeat("a", 22), strings.Repeat("b", 22)
			beat("the first", first, 0)
			beat("another of the same name", second, 0)
			beat("the first goes for now", first, -2)
			beat("another in its place", second, 0)
			beat("the first is back", first, 1)
			beat("the other leaves", second, -1)
		}},
	)
	about(69,
		script{name: "described", play: func(s *session) {
			t := s.topic("t", 2)
			s.calm()
			g, id := s.name("g"), strings.Repeat("m", 22)
			describe := func(what string, groups ...string) {
				req := kmsg.NewPtrConsumerGroupDescribeRequest()
				req.Groups, req.IncludeAuthorizedOperations = groups, true
				s.ask(what, req)
			}
			describe("unknown", g)
			describe("no name", "")
			describe("none")
			beat := consumerBeat(g, id, 0, t)
			resp := do[*kmsg.ConsumerGroupHeartbeatResponse](s, 1, beat)
			for range 10000 {
				if resp.Assignment != nil && len(resp.Assignment.Topics) > 0 {
					break
				}
				resp = do[*kmsg.ConsumerGroupHeartbeatResponse](s, 1, consumerBeat(g, id, resp.MemberEpoch, t))
			}
			owned := consumerBeat(g, id, resp.MemberEpoch, t)
			owned.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{{TopicID: s.id(t), Partitions: []int32{0, 1}}}
			do[*kmsg.ConsumerGroupHeartbeatResponse](s, 1, owned)
			describe("one member", g)
			old := kmsg.NewPtrDescribeGroupsRequest()
			old.Groups = []string{g}
			s.tell("by the old request", at(old, 6))
			describe("a classic group", s.joined("classic").group)
			do[*kmsg.ConsumerGroupHeartbeatResponse](s, 1, consumerBeat(g, id, -1))
			describe("left", g)
		}},
	)
}

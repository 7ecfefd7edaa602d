package oracle_test

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// member is one that has joined a group.
type member struct {
	group, id  string
	generation int32
}

func joinRequest(group, id string) *kmsg.JoinGroupRequest {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.MemberID, req.ProtocolType = group, id, "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 30000, 30000
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "range", []byte("meta")
	req.Protocols = append(req.Protocols, p)
	return req
}

// joined makes a group of one member, which has its assignment.
func (s *session) joined(name string) member {
	s.Helper()
	m := member{group: s.name(name)}
	m.id = do[*kmsg.JoinGroupResponse](s, 5, joinRequest(m.group, "")).MemberID
	s.words[m.id] = "<member>"
	resp := do[*kmsg.JoinGroupResponse](s, 5, joinRequest(m.group, m.id))
	if resp.ErrorCode != 0 {
		s.Fatalf("joining %s: error %d", name, resp.ErrorCode)
	}
	m.generation = resp.Generation
	if code := do[*kmsg.SyncGroupResponse](s, 3, syncRequest(m)).ErrorCode; code != 0 {
		s.Fatalf("syncing %s: error %d", name, code)
	}
	return m
}

func syncRequest(m member) *kmsg.SyncGroupRequest {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.MemberID, req.Generation = m.group, m.id, m.generation
	req.ProtocolType, req.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
	a := kmsg.NewSyncGroupRequestGroupAssignment()
	a.MemberID, a.MemberAssignment = m.id, []byte("yours")
	req.GroupAssignment = append(req.GroupAssignment, a)
	return req
}

func heartbeat(m member) *kmsg.HeartbeatRequest {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation = m.group, m.id, m.generation
	return req
}

func leave(m member) *kmsg.LeaveGroupRequest {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.MemberID = m.group, m.id
	one := kmsg.NewLeaveGroupRequestMember()
	one.MemberID = m.id
	req.Members = append(req.Members, one)
	return req
}

func offsetCommit(m member, topic string, partition int32, offset int64) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation = m.group, m.id, m.generation
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = topic
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset, p.Metadata = partition, offset, kmsg.StringPtr("meta")
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

// offsetFetchRequest is in the form of versions 0 to 7 and of the later ones at once.
func offsetFetchRequest(group, topic string, partitions ...int32) *kmsg.OffsetFetchRequest {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = group
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	if topic != "" {
		req.Topics = append(req.Topics, kmsg.OffsetFetchRequestTopic{Topic: topic, Partitions: partitions})
		g.Topics = append(g.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: topic, Partitions: partitions})
	}
	req.Groups = append(req.Groups, g)
	return req
}

// outsider is a member that no group knows.
func outsider(m member) member { m.id = "who"; return m }

// early is the member a generation too soon.
func early(m member) member { m.generation++; return m }

func init() {
	about(8,
		script{name: "commits", play: func(s *session) {
			if s.version > 9 {
				return // by topic id, which is not served here
			}
			t := s.topic("t", 2)
			free := member{group: s.name("free"), generation: -1}
			s.ask("without a group", offsetCommit(free, t, 0, 5))
			s.ask("a partition that is not there", offsetCommit(free, t, 7, 5))
			s.ask("a topic that is not there", offsetCommit(free, s.name("nowhere"), 0, 5))
			s.ask("an empty group id", offsetCommit(member{generation: -1}, t, 0, 5))
			long := offsetCommit(free, t, 0, 6)
			long.Topics[0].Partitions[0].Metadata = kmsg.StringPtr(strings.Repeat("m", 5000))
			s.ask("long metadata", long)
			s.ask("a negative offset", offsetCommit(free, t, 1, -7))
			s.ask("a member that no group has", offsetCommit(member{group: s.name("new"), id: "who", generation: 1}, t, 0, 5))
			m := s.joined("g")
			s.ask("a member's", offsetCommit(m, t, 0, 3))
			s.ask("nobody's, into a group at work", offsetCommit(member{group: m.group, generation: -1}, t, 0, 5))
			s.ask("an outsider's", offsetCommit(outsider(m), t, 0, 5))
			s.ask("of another generation", offsetCommit(early(m), t, 0, 5))
			s.tell("what is committed", at(offsetFetchRequest(m.group, t, 0, 1), 5))
			s.tell("what is committed without a group", at(offsetFetchRequest(free.group, t, 0, 1), 5))
		}},
	)
	about(9,
		script{name: "committed offsets", play: func(s *session) {
			if s.version > 9 {
				return
			}
			t := s.topic("t", 2)
			free := member{group: s.name("free"), generation: -1}
			do[*kmsg.OffsetCommitResponse](s, 7, offsetCommit(free, t, 0, 5))
			s.ask("one that is and one that is not", offsetFetchRequest(free.group, t, 0, 1))
			s.ask("a partition that is not there", offsetFetchRequest(free.group, t, 7))
			s.ask("a topic that is not there", offsetFetchRequest(free.group, s.name("nowhere"), 0))
			s.ask("of an unknown group", offsetFetchRequest(s.name("other"), t, 0))
			s.ask("of no group", offsetFetchRequest("", t, 0))
			s.ask("all", offsetFetchRequest(free.group, ""))
			none := offsetFetchRequest(free.group, "")
			none.Topics, none.Groups[0].Topics = []kmsg.OffsetFetchRequestTopic{}, []kmsg.OffsetFetchRequestGroupTopic{}
			s.ask("of no topics", none)
			if s.version >= 8 {
				two := offsetFetchRequest(free.group, t, 0)
				two.Groups = append(two.Groups, offsetFetchRequest(s.name("other"), t, 0).Groups...)
				s.ask("of two groups", two)
			}
			if s.version >= 9 {
				m := offsetFetchRequest(free.group, t, 0)
				m.Groups[0].MemberID, m.Groups[0].MemberEpoch = kmsg.StringPtr("who"), 3
				s.ask("as a member that is not there", m)
			}
		}},
	)
	about(10,
		script{name: "coordinators", play: func(s *session) {
			for _, kind := range []int8{0, 1, 7} {
				for _, name := range []string{s.name("g"), ""} {
					req := kmsg.NewPtrFindCoordinatorRequest()
					req.CoordinatorType, req.CoordinatorKey, req.CoordinatorKeys = kind, name, []string{name}
					s.ask("of one", req)
				}
			}
			if s.version >= 4 {
				req := kmsg.NewPtrFindCoordinatorRequest()
				s.ask("of none", req)
				req.CoordinatorKeys = []string{"a", "b"}
				s.ask("of two", req)
			}
		}},
	)
	about(11,
		script{name: "joining", play: joining},
		script{name: "joining with a name", play: func(s *session) {
			if s.version < 5 {
				return
			}
			req := joinRequest(s.name("g"), "")
			req.InstanceID = kmsg.StringPtr("i")
			first, ok := s.ask("first", req).(*kmsg.JoinGroupResponse)
			if !ok || first.ErrorCode != 0 {
				return
			}
			s.words[first.MemberID] = "<member>"
			m := member{req.Group, first.MemberID, first.Generation}
			sync := syncRequest(m)
			sync.InstanceID = req.InstanceID
			do[*kmsg.SyncGroupResponse](s, 3, sync)
			again, _ := s.ask("again", req).(*kmsg.JoinGroupResponse)
			s.say("the same member: %v", again != nil && again.MemberID == first.MemberID)
			old := joinRequest(req.Group, first.MemberID)
			old.InstanceID = req.InstanceID
			s.ask("the old member of that name", old)
			beat := heartbeat(m)
			beat.InstanceID = req.InstanceID
			s.tell("its heartbeat", at(beat, 3))
		}},
	)
	about(14,
		script{name: "assignments", play: func(s *session) {
			m := s.joined("g")
			s.ask("again", syncRequest(m))
			s.ask("an outsider's", syncRequest(outsider(m)))
			s.ask("of another generation", syncRequest(early(m)))
			s.ask("an unknown group's", syncRequest(member{s.name("other"), m.id, 1}))
			s.ask("no group's", syncRequest(member{"", m.id, 1}))
			other := syncRequest(m)
			other.Protocol = kmsg.StringPtr("roundrobin")
			s.ask("with another protocol", other)
			other = syncRequest(m)
			other.ProtocolType = kmsg.StringPtr("connect")
			s.ask("with another protocol type", other)
			none := syncRequest(m)
			none.Protocol, none.ProtocolType = nil, nil
			s.ask("without protocols", none)
		}},
	)
	about(12,
		script{name: "heartbeats", play: func(s *session) {
			m := s.joined("g")
			s.ask("good", heartbeat(m))
			s.ask("an outsider's", heartbeat(outsider(m)))
			s.ask("of another generation", heartbeat(early(m)))
			s.ask("an unknown group's", heartbeat(member{s.name("other"), m.id, 1}))
			s.ask("no group's", heartbeat(member{"", m.id, 1}))
			named := heartbeat(m)
			named.InstanceID = kmsg.StringPtr("i")
			s.ask("with a name that nobody has", named)
		}},
	)
	about(13,
		script{name: "leaving", play: func(s *session) {
			m := s.joined("g")
			s.ask("an outsider", leave(outsider(m)))
			s.ask("an unknown group", leave(member{s.name("other"), m.id, 1}))
			s.ask("no group", leave(member{"", m.id, 1}))
			if s.version >= 3 {
				two := leave(m)
				two.Members = append(two.Members, leave(outsider(m)).Members...)
				named := kmsg.NewLeaveGroupRequestMember()
				named.InstanceID = kmsg.StringPtr("nobody")
				two.Members = append(two.Members, named)
				s.ask("three, of whom one is there", two)
				s.ask("nobody", &kmsg.LeaveGroupRequest{Group: m.group})
			}
			s.ask("good", leave(m))
			s.ask("again", leave(m))
		}},
	)
	about(15,
		script{name: "described", play: func(s *session) {
			t := s.topic("t", 1)
			describe := func(what string, groups ...string) {
				req := kmsg.NewPtrDescribeGroupsRequest()
				req.Groups, req.IncludeAuthorizedOperations = groups, true
				s.ask(what, req)
			}
			m := s.joined("g")
			describe("at work", m.group)
			describe("unknown", s.name("other"))
			describe("none")
			do[*kmsg.OffsetCommitResponse](s, 7, offsetCommit(member{group: s.name("free"), generation: -1}, t, 0, 5))
			describe("only offsets", s.name("free"))
			do[*kmsg.LeaveGroupResponse](s, 3, leave(m))
			describe("left", m.group)
		}},
	)
	about(16,
		script{name: "listed", play: func(s *session) {
			list := func(what string, states, types []string) {
				req := kmsg.NewPtrListGroupsRequest()
				req.StatesFilter, req.TypesFilter, req.Version = states, types, s.version
				resp, err := s.connected().ask(req)
				if err != nil {
					s.hangUp()
					s.say("%s: %v", what, err)
					return
				}
				l := resp.(*kmsg.ListGroupsResponse)
				s.say("%s: error %d", what, l.ErrorCode)
				for _, g := range l.Groups {
					if strings.HasPrefix(g.Group, s.prefix) {
						s.say("%s %q %q %q", s.plain(g.Group), g.ProtocolType, g.GroupState, g.GroupType)
					}
				}
			}
			s.joined("g")
			list("all", nil, nil)
			list("by state", []string{"Stable"}, nil)
			list("by a small letter state", []string{"stable"}, nil)
			list("by another state", []string{"Empty", "Dead"}, nil)
			list("by a state that is none", []string{"Asleep"}, nil)
			list("by type", nil, []string{"classic"})
			list("by another type", nil, []string{"consumer"})
			list("by a type that is none", nil, []string{"round"})
		}},
	)
	about(42,
		script{name: "deleted", play: func(s *session) {
			t := s.topic("t", 1)
			remove := func(what string, groups ...string) {
				req := kmsg.NewPtrDeleteGroupsRequest()
				req.Groups = groups
				s.ask(what, req)
			}
			m := s.joined("g")
			do[*kmsg.OffsetCommitResponse](s, 7, offsetCommit(member{group: s.name("free"), generation: -1}, t, 0, 5))
			remove("at work, free, unknown", m.group, s.name("free"), s.name("other"))
			remove("again", s.name("free"))
			remove("none")
			do[*kmsg.LeaveGroupResponse](s, 3, leave(m))
			remove("left", m.group)
		}},
	)
	about(47,
		script{name: "offsets deleted", play: func(s *session) {
			t := s.topic("t", 2)
			remove := func(what, group, topic string, partition int32) {
				req := kmsg.NewPtrOffsetDeleteRequest()
				req.Group = group
				rt := kmsg.NewOffsetDeleteRequestTopic()
				rt.Topic = topic
				rt.Partitions = append(rt.Partitions, kmsg.OffsetDeleteRequestTopicPartition{Partition: partition})
				req.Topics = append(req.Topics, rt)
				s.ask(what, req)
			}
			free := s.name("free")
			do[*kmsg.OffsetCommitResponse](s, 7, offsetCommit(member{group: free, generation: -1}, t, 0, 5))
			remove("good", free, t, 0)
			remove("again", free, t, 0)
			remove("one that was not committed", free, t, 1)
			remove("unknown partition", free, t, 7)
			remove("unknown topic", free, s.name("nowhere"), 0)
			remove("unknown group", s.name("other"), t, 0)
			remove("no group", "", t, 0)
			s.tell("what is left", at(offsetFetchRequest(free, t, 0), 5))
		}},
	)
}

func joining(s *session) {
	join := func(what string, change func(*kmsg.JoinGroupRequest)) *kmsg.JoinGroupResponse {
		req := joinRequest(s.name("g"), "")
		change(req)
		resp, _ := s.ask(what, req).(*kmsg.JoinGroupResponse)
		if resp != nil && resp.MemberID != "" {
			s.words[resp.MemberID] = "<member>"
		}
		return resp
	}
	join("no group", func(r *kmsg.JoinGroupRequest) { r.Group = "" })
	join("a session of 10 ms", func(r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 10 })
	join("a session of an hour", func(r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 3600000 })
	join("unknown member of an unknown group", func(r *kmsg.JoinGroupRequest) { r.MemberID = "who" })
	join("no protocols", func(r *kmsg.JoinGroupRequest) { r.Protocols = nil })
	join("no protocol type", func(r *kmsg.JoinGroupRequest) { r.ProtocolType = "" })
	first := join("first", func(*kmsg.JoinGroupRequest) {})
	if first == nil {
		return
	}
	if first.ErrorCode != 0 {
		first = join("with the id given", func(r *kmsg.JoinGroupRequest) { r.MemberID = first.MemberID })
	}
	if first == nil || first.ErrorCode != 0 {
		return
	}
	m := member{s.name("g"), first.MemberID, first.Generation}
	s.tell("heartbeat before the assignment", at(heartbeat(m), 3))
	s.tell("assignment", at(syncRequest(m), 3))
	join("another protocol type", func(r *kmsg.JoinGroupRequest) { r.ProtocolType = "connect" })
	join("no common protocol", func(r *kmsg.JoinGroupRequest) { r.Protocols[0].Name = "other" })
	join("unknown member", func(r *kmsg.JoinGroupRequest) { r.MemberID = "who" })
	if s.version >= 5 {
		join("a name that nobody has, with an id", func(r *kmsg.JoinGroupRequest) { r.MemberID, r.InstanceID = "who", kmsg.StringPtr("i") })
	}
	join("the leader again", func(r *kmsg.JoinGroupRequest) { r.MemberID = m.id })
}

// at is a request in a version.
func at(req kmsg.Request, version int16) kmsg.Request {
	req.SetVersion(version)
	return req
}

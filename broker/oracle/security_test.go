package oracle_test

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

func init() {
	about(17,
		script{name: "logging in where nobody has to", play: func(s *session) {
			for _, mechanism := range []string{"PLAIN", "NONE"} {
				req := kmsg.NewPtrSASLHandshakeRequest()
				req.Mechanism = mechanism
				s.ask("handshake", req)
			}
		}},
	)
	about(36,
		script{name: "logging in where nobody has to", play: func(s *session) {
			req := kmsg.NewPtrSASLAuthenticateRequest()
			req.SASLAuthBytes = []byte("\x00alice\x00secret")
			s.ask("authenticate", req)
		}},
	)
	about(30,
		script{name: "rights given", play: func(s *session) {
			give := func(what string, change func(*kmsg.CreateACLsRequestCreation)) {
				req := kmsg.NewPtrCreateACLsRequest()
				c := s.right()
				change(&c)
				req.Creations = append(req.Creations, c)
				s.ask(what, req)
			}
			give("good", func(*kmsg.CreateACLsRequestCreation) {})
			give("again", func(*kmsg.CreateACLsRequestCreation) {})
			give("no principal", func(c *kmsg.CreateACLsRequestCreation) { c.Principal = "" })
			give("a principal without a kind", func(c *kmsg.CreateACLsRequestCreation) { c.Principal = "alice" })
			give("no host", func(c *kmsg.CreateACLsRequestCreation) { c.Host = "" })
			give("no resource", func(c *kmsg.CreateACLsRequestCreation) { c.ResourceName = "" })
			give("any kind of resource", func(c *kmsg.CreateACLsRequestCreation) { c.ResourceType = kmsg.ACLResourceTypeAny })
			give("an unknown kind of resource", func(c *kmsg.CreateACLsRequestCreation) { c.ResourceType = 99 })
			give("any operation", func(c *kmsg.CreateACLsRequestCreation) { c.Operation = kmsg.ACLOperationAny })
			give("an unknown operation", func(c *kmsg.CreateACLsRequestCreation) { c.Operation = 99 })
			give("any permission", func(c *kmsg.CreateACLsRequestCreation) { c.PermissionType = kmsg.ACLPermissionTypeAny })
			give("the wrong cluster", func(c *kmsg.CreateACLsRequestCreation) {
				c.ResourceType, c.ResourceName = kmsg.ACLResourceTypeCluster, "other"
			})
			if s.version >= 1 {
				give("any pattern", func(c *kmsg.CreateACLsRequestCreation) { c.ResourcePatternType = kmsg.ACLResourcePatternTypeAny })
				give("a matching pattern", func(c *kmsg.CreateACLsRequestCreation) { c.ResourcePatternType = kmsg.ACLResourcePatternTypeMatch })
			}
			s.ask("nothing", kmsg.NewPtrCreateACLsRequest())
			s.forget()
		}},
	)
	about(29,
		script{name: "rights described", play: func(s *session) {
			s.grant()
			describe := func(what string, change func(*kmsg.DescribeACLsRequest)) {
				req := kmsg.NewPtrDescribeACLsRequest()
				req.ResourceType, req.ResourceName, req.ResourcePatternType = kmsg.ACLResourceTypeTopic, kmsg.StringPtr(s.name("t")), kmsg.ACLResourcePatternTypeLiteral
				req.Operation, req.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
				change(req)
				s.ask(what, req)
			}
			describe("of a topic", func(*kmsg.DescribeACLsRequest) {})
			describe("of an operation", func(r *kmsg.DescribeACLsRequest) { r.Operation = kmsg.ACLOperationRead })
			describe("of another operation", func(r *kmsg.DescribeACLsRequest) { r.Operation = kmsg.ACLOperationWrite })
			describe("of a principal", func(r *kmsg.DescribeACLsRequest) { r.Principal = kmsg.StringPtr("User:" + s.name("alice")) })
			describe("of another principal", func(r *kmsg.DescribeACLsRequest) { r.Principal = kmsg.StringPtr("User:bob") })
			describe("denied", func(r *kmsg.DescribeACLsRequest) { r.PermissionType = kmsg.ACLPermissionTypeDeny })
			describe("of an unknown kind", func(r *kmsg.DescribeACLsRequest) { r.ResourceType = 99 })
			describe("of an unknown operation", func(r *kmsg.DescribeACLsRequest) { r.Operation = 99 })
			if s.version >= 1 {
				describe("matching", func(r *kmsg.DescribeACLsRequest) {
					r.ResourcePatternType, r.Principal = kmsg.ACLResourcePatternTypeMatch, kmsg.StringPtr("User:"+s.name("alice"))
				})
				describe("an unknown pattern", func(r *kmsg.DescribeACLsRequest) { r.ResourcePatternType = 99 })
			}
			s.forget()
			describe("gone", func(*kmsg.DescribeACLsRequest) {})
		}},
	)
	about(31,
		script{name: "rights taken", play: func(s *session) {
			s.grant()
			take := func(what string, change func(*kmsg.DeleteACLsRequestFilter)) {
				req := kmsg.NewPtrDeleteACLsRequest()
				f := s.filter()
				change(&f)
				req.Filters = append(req.Filters, f)
				s.ask(what, req)
			}
			take("of another operation", func(f *kmsg.DeleteACLsRequestFilter) { f.Operation = kmsg.ACLOperationWrite })
			take("of an unknown operation", func(f *kmsg.DeleteACLsRequestFilter) { f.Operation = 99 })
			take("of an unknown kind", func(f *kmsg.DeleteACLsRequestFilter) { f.ResourceType = 99 })
			take("good", func(*kmsg.DeleteACLsRequestFilter) {})
			s.calm()
			take("again", func(*kmsg.DeleteACLsRequestFilter) {})
			s.ask("nothing", kmsg.NewPtrDeleteACLsRequest())
		}},
	)
}

// right is one that nothing is wrong with.
func (s *session) right() kmsg.CreateACLsRequestCreation {
	c := kmsg.NewCreateACLsRequestCreation()
	c.ResourceType, c.ResourceName, c.ResourcePatternType = kmsg.ACLResourceTypeTopic, s.name("t"), kmsg.ACLResourcePatternTypeLiteral
	c.Principal, c.Host, c.Operation, c.PermissionType = "User:"+s.name("alice"), "*", kmsg.ACLOperationRead, kmsg.ACLPermissionTypeAllow
	return c
}

// filter finds the rights of this telling.
func (s *session) filter() kmsg.DeleteACLsRequestFilter {
	f := kmsg.NewDeleteACLsRequestFilter()
	f.ResourceType, f.ResourceName, f.ResourcePatternType = kmsg.ACLResourceTypeTopic, kmsg.StringPtr(s.name("t")), kmsg.ACLResourcePatternTypeLiteral
	f.Operation, f.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
	return f
}

// grant gives the right, to set the scene; forget takes it away again.
func (s *session) grant() {
	s.Helper()
	req := kmsg.NewPtrCreateACLsRequest()
	req.Creations = append(req.Creations, s.right())
	if code := do[*kmsg.CreateACLsResponse](s, 3, req).Results[0].ErrorCode; code != 0 {
		s.Fatalf("giving a right: error %d", code)
	}
	s.calm()
}

func (s *session) forget() {
	s.Helper()
	req := kmsg.NewPtrDeleteACLsRequest()
	req.Filters = append(req.Filters, s.filter())
	do[*kmsg.DeleteACLsResponse](s, 3, req)
	s.calm()
}

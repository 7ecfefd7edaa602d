package acl

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// What a ruleset remembers is bounded: when there are more decisions it begins anew, and one with longer names than
// that together, in bytes, is made each time. A topic's name has 249 at most, but anything may be asked for.
const (
	mostRemembered    = 10_000
	longestRemembered = 512
)

// ruleset is rules made ready for questions. It does not change; what it remembers ends with it.
type ruleset struct {
	all      []Rule // sorted, as they were given
	ready    []Rule // the same with their hosts written as a connection's address is
	literal  map[place][]Rule
	prefixed map[place][]Rule // by the beginning of the name
	lengths  map[Resource][]int

	mu struct { // guards the decisions so far
		sync.RWMutex
		known map[ask]bool
	}
}

// place is where the rules for a resource are found.
type place struct {
	kind Resource
	name string
}

func newRuleset(all []Rule) *ruleset {
	s := &ruleset{all: all, literal: map[place][]Rule{}, prefixed: map[place][]Rule{}, lengths: map[Resource][]int{}}
	s.mu.known = map[ask]bool{}
	for _, r := range all {
		if ip, err := netip.ParseAddr(r.Host); err == nil { // Java writes ::1 as 0:0:0:0:0:0:0:1
			r.Host = ip.Unmap().String()
		}
		s.ready = append(s.ready, r)
		at := place{r.Kind, r.Name}
		if r.Pattern == Literal {
			s.literal[at] = append(s.literal[at], r)
			continue
		}
		s.prefixed[at] = append(s.prefixed[at], r)
		if !slices.Contains(s.lengths[r.Kind], len(r.Name)) {
			s.lengths[r.Kind] = append(s.lengths[r.Kind], len(r.Name))
		}
	}
	return s
}

// remembered is the decision of an earlier question.
func (s *ruleset) remembered(q ask) (allowed, known bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	allowed, known = s.mu.known[q]
	return allowed, known
}

// remember keeps a decision and says whether it is new. Names are copied: a caller's may alias a request.
func (s *ruleset) remember(q ask, allowed bool) bool {
	if len(q.principal)+len(q.host)+len(q.name) > longestRemembered {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.mu.known[q]; known {
		return false
	}
	if len(s.mu.known) >= mostRemembered {
		clear(s.mu.known)
	}
	q.name = strings.Clone(q.name)
	s.mu.known[q] = allowed
	return true
}

// matching calls f with the rules of every pattern that the name fits, until f says no.
func (s *ruleset) matching(kind Resource, name string, f func([]Rule) bool) {
	if !f(s.literal[place{kind, name}]) {
		return
	}
	if name != Wildcard && !f(s.literal[place{kind, Wildcard}]) {
		return
	}
	for _, n := range s.lengths[kind] {
		if n <= len(name) && !f(s.prefixed[place{kind, name[:n]}]) {
			return
		}
	}
}

// decide answers one question as Kafka's StandardAuthorizer does: one rule that denies outweighs all that allow, and a
// resource that no rule is about is closed unless none says otherwise.
func (s *ruleset) decide(q ask, none bool) bool {
	found, allowed, denied := false, false, false
	s.matching(q.kind, q.name, func(rules []Rule) bool {
		for i := range rules {
			r := &rules[i]
			found = true
			if r.concerns(q.principal, q.host) && r.covers(q.op) {
				denied = denied || r.Permission == Deny
				allowed = allowed || r.Permission == Allow
			}
		}
		return !denied
	})
	if !found {
		return none
	}
	return allowed && !denied
}

// decideAny answers whether op is allowed on some name of a kind, as Kafka's Authorizer.authorizeByResourceType does:
// only rules for the very operation (or All) count, and a rule that allows counts unless one that denies covers all of it.
func (s *ruleset) decideAny(q ask, none bool) bool {
	if s.decide(ask{q.principal, q.host, q.op, q.kind, "hardcode"}, none) {
		return true // by a rule for every name, or because none is about a name like this
	}
	var deny, allow []*Rule
	for i := range s.ready {
		r := &s.ready[i]
		if r.Kind != q.kind || !r.concerns(q.principal, q.host) || r.Operation != q.op && r.Operation != All {
			continue
		}
		if r.Permission == Deny {
			deny = append(deny, r)
		} else {
			allow = append(allow, r)
		}
	}
	return slices.ContainsFunc(allow, func(a *Rule) bool {
		return !slices.ContainsFunc(deny, func(d *Rule) bool { return d.outweighs(a) })
	})
}

// outweighs says whether every name of the rule a is one of r, too.
func (r *Rule) outweighs(a *Rule) bool {
	switch {
	case r.Pattern == Literal && r.Name == Wildcard:
		return true
	case r.Pattern == Literal:
		return a.Pattern == Literal && a.Name == r.Name
	case a.Pattern == Literal && a.Name == Wildcard:
		return false
	}
	return strings.HasPrefix(a.Name, r.Name)
}

// sortRules orders rules by resource, so that equal ones stand together.
func sortRules(rules []Rule) {
	slices.SortFunc(rules, func(a, b Rule) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Pattern, b.Pattern), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Principal, b.Principal),
			cmp.Compare(a.Host, b.Host), cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.Permission, b.Permission))
	})
}

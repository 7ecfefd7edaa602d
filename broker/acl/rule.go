package acl

import (
	"errors"
	"fmt"
	"strings"
)

// Pattern says how a rule's resource name is meant, with Kafka's own numbers.
type Pattern int8

// Kafka's pattern types (org.apache.kafka.common.resource.PatternType). The first two are for filters only.
const (
	AnyPattern   Pattern = 1
	MatchPattern Pattern = 2 // every rule that would count for a resource of that name
	Literal      Pattern = 3
	Prefixed     Pattern = 4
)

// Permission is what a rule says, with Kafka's own numbers.
type Permission int8

// Kafka's permissions (org.apache.kafka.common.acl.AclPermissionType). The first is for filters only.
const (
	AnyPermission Permission = 1
	Deny          Permission = 2
	Allow         Permission = 3
)

// Wildcard stands for every name, host or user.
const (
	Wildcard  = "*"
	EveryUser = "User:*"
)

// Rule allows or denies one operation on the resources of one pattern to one principal.
type Rule struct {
	Kind       Resource
	Pattern    Pattern
	Name       string // of the resource, or the beginning of it
	Principal  string // User:NAME
	Host       string // an address, or *
	Operation  Operation
	Permission Permission
}

// operations are those that make sense for each kind of resource; All goes with each.
var operations = map[Resource][]Operation{
	Topic:           {Read, Write, Create, Describe, Delete, Alter, DescribeConfigs, AlterConfigs},
	Group:           {Read, Describe, Delete, DescribeConfigs, AlterConfigs},
	Cluster:         {Create, ClusterAction, DescribeConfigs, AlterConfigs, IdempotentWrite, Alter, Describe},
	TransactionalID: {Describe, Write, TwoPhaseCommit},
	DelegationToken: {Describe},
	User:            {CreateTokens, DescribeTokens},
}

// Operations lists the operations that a kind of resource knows.
func Operations(kind Resource) []Operation { return operations[kind] }

// Longest parts of a rule, in bytes. Kafka has no bounds; its own names are shorter.
const (
	longestName      = 1 << 10
	longestPrincipal = 4 << 10
)

// Check says what is wrong with a rule that a client wants to add.
func (r Rule) Check() error {
	_, known := operations[r.Kind]
	switch {
	case !known:
		return fmt.Errorf("resource type %d is not known", r.Kind)
	case r.Pattern != Literal && r.Pattern != Prefixed:
		return errors.New("the pattern type must be LITERAL or PREFIXED")
	case r.Name == "":
		return errors.New("Invalid empty resource name")
	case r.Kind == Cluster && r.Name != ClusterName:
		return fmt.Errorf("The only valid name for the CLUSTER resource is %s", ClusterName)
	case r.Operation < All || r.Operation > lastOperation:
		return fmt.Errorf("operation %d is not known", r.Operation)
	case r.Permission != Allow && r.Permission != Deny:
		return errors.New("the permission must be ALLOW or DENY")
	case len(r.Name) > longestName || len(r.Host) > longestName || len(r.Principal) > longestPrincipal:
		return errors.New("a name in it is too long")
	}
	return CheckPrincipal(r.Principal)
}

// CheckPrincipal says whether a principal is written as TYPE:NAME, in Kafka's words.
func CheckPrincipal(principal string) error {
	if !strings.Contains(principal, ":") {
		return fmt.Errorf("Could not parse principal from `%s` (no colon is present separating the principal type from the principal name)", principal) //nolint:staticcheck // Kafka's words
	}
	return nil
}

// Unknown says whether a rule has Kafka's number for what is unknown: such a request is not answered at all.
func (r Rule) Unknown() bool {
	return r.Kind == 0 || r.Pattern == 0 || r.Operation == 0 || r.Permission == 0
}

// concerns says whether a rule is about the asker.
func (r *Rule) concerns(principal, host string) bool {
	return (r.Principal == principal || r.Principal == EveryUser) && (r.Host == host || r.Host == Wildcard)
}

// covers says whether a rule is about the operation. What may be read, written, deleted or altered may be described,
// and settings that may be altered may be described; to deny the larger does not deny the smaller.
func (r *Rule) covers(op Operation) bool {
	if r.Operation == op || r.Operation == All {
		return true
	}
	if r.Permission == Deny {
		return false
	}
	switch op {
	case Describe:
		return r.Operation == Read || r.Operation == Write || r.Operation == Delete || r.Operation == Alter
	case DescribeConfigs:
		return r.Operation == AlterConfigs
	}
	return false
}

// Filter chooses rules; an empty text chooses any.
type Filter struct {
	Kind       Resource
	Pattern    Pattern
	Name       *string // nil: any
	Principal  *string
	Host       *string
	Operation  Operation
	Permission Permission
}

// Check says what is wrong with a filter.
func (f Filter) Check() error {
	if f.Kind < AnyResource || f.Kind > User || f.Pattern < AnyPattern || f.Pattern > Prefixed ||
		f.Operation < AnyOperation || f.Operation > lastOperation || f.Permission < AnyPermission || f.Permission > Allow {
		return errors.New("the filter has numbers of resources, patterns, operations or permissions that are not known")
	}
	return nil
}

// Unknown is that of Rule.
func (f Filter) Unknown() bool {
	return Rule{Kind: f.Kind, Pattern: f.Pattern, Operation: f.Operation, Permission: f.Permission}.Unknown()
}

// Chooses says whether a rule passes the filter.
func (f Filter) Chooses(r Rule) bool {
	same := func(want *string, got string) bool { return want == nil || *want == got }
	return (f.Kind == AnyResource || f.Kind == r.Kind) && f.choosesName(r) && same(f.Principal, r.Principal) && same(f.Host, r.Host) &&
		(f.Operation == AnyOperation || f.Operation == r.Operation) && (f.Permission == AnyPermission || f.Permission == r.Permission)
}

func (f Filter) choosesName(r Rule) bool {
	if f.Pattern != AnyPattern && f.Pattern != MatchPattern && f.Pattern != r.Pattern {
		return false
	}
	switch {
	case f.Name == nil, *f.Name == r.Name:
		return true
	case f.Pattern != MatchPattern:
		return false
	case r.Pattern == Prefixed:
		return strings.HasPrefix(*f.Name, r.Name)
	}
	return r.Name == Wildcard
}

// Package acl says who may do what: Kafka's access control lists by principal, host, resource and operation, kept in a
// file and changed by Kafka's own admin requests.
package acl

// Operation is what a client wants to do, with Kafka's own numbers.
type Operation int8

// Kafka's operations (org.apache.kafka.common.acl.AclOperation).
const (
	AnyOperation    Operation = 1
	All             Operation = 2
	Read            Operation = 3
	Write           Operation = 4
	Create          Operation = 5
	Delete          Operation = 6
	Alter           Operation = 7
	Describe        Operation = 8
	ClusterAction   Operation = 9
	DescribeConfigs Operation = 10
	AlterConfigs    Operation = 11
	IdempotentWrite Operation = 12
	CreateTokens    Operation = 13
	DescribeTokens  Operation = 14
	TwoPhaseCommit  Operation = 15

	lastOperation = TwoPhaseCommit
)

// Resource is a kind of thing that is guarded, with Kafka's own numbers.
type Resource int8

// Kafka's kinds of resource (org.apache.kafka.common.resource.ResourceType).
const (
	AnyResource     Resource = 1
	Topic           Resource = 2
	Group           Resource = 3
	Cluster         Resource = 4
	TransactionalID Resource = 5
	DelegationToken Resource = 6
	User            Resource = 7
)

// ClusterName is the name of the only resource of kind Cluster.
const ClusterName = "kafka-cluster"

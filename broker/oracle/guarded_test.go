package oracle_test

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// guarded stands for a request in scripts that are told where clients log in and need rights: users root, who may do
// everything, and alice, who may do nothing. They are told once.
const guarded int16 = 9999

// loginSettings are for the listener SASL_PLAINTEXT, in the words of both brokers.
var loginSettings = map[string]string{
	"authorizer.class.name":   authorizer,
	"super.users":             "User:ANONYMOUS;User:root",
	"sasl.enabled.mechanisms": "PLAIN",
	"listener.name.sasl_plaintext.plain.sasl.jaas.config": `org.apache.kafka.common.security.plain.PlainLoginModule required user_root="root-secret" user_alice="alice-secret";`,
}

// login greets and authenticates with PLAIN, and tells both answers.
func (s *session) login(handshake int16, user, password string) {
	s.Helper()
	hello := kmsg.NewPtrSASLHandshakeRequest()
	hello.Mechanism, hello.Version = "PLAIN", handshake
	s.tell("handshake", hello)
	auth := kmsg.NewPtrSASLAuthenticateRequest()
	auth.SASLAuthBytes, auth.Version = fmt.Appendf(nil, "\x00%s\x00%s", user, password), 2
	s.tell("login of "+user, auth)
}

func init() {
	about(guarded,
		script{name: "logging in", play: func(s *session) {
			s.tell("nothing before", at(s.metadata(false, "x"), 9))
			s.hangUp()
			s.raw("but versions", 18, 99, true, nil)
			s.hangUp()
			s.login(1, "alice", "alice-secret")
			s.tell("then", at(s.metadata(false), 9))
			s.hangUp()
			s.login(1, "alice", "wrong")
			s.tell("then", at(s.metadata(false), 9))
			s.hangUp()
			s.login(1, "nobody", "x")
			s.hangUp()
			other := kmsg.NewPtrSASLHandshakeRequest()
			other.Mechanism, other.Version = "GSSAPI", 1
			s.tell("an unknown mechanism", other)
			s.tell("then", at(s.metadata(false), 9))
		}},
		script{name: "without any right", play: func(s *session) {
			s.login(1, "root", "root-secret")
			t := s.topic("t", 1)
			s.hangUp()
			s.login(1, "alice", "alice-secret")
			s.withoutRights(t)
		}},
	)
}

// withoutRights asks for everything once, in versions that both serve.
func (s *session) withoutRights(t string) {
	g := s.name("g")
	m := member{group: g, id: "who", generation: 1}
	s.tell("produce", at(produceRequest(t, 0, plainBatch("a").bytes()), 8))
	s.tell("produce to nowhere", at(produceRequest(s.name("nowhere"), 0, plainBatch("a").bytes()), 8))
	s.tell("fetch", at(fetchRequest(t, 0, 0), 11))
	s.tell("list offsets", at(latest(t), 4))
	s.tell("metadata", at(s.metadata(false, t), 9))
	s.tell("metadata of nowhere, to be made", at(s.metadata(true, s.name("nowhere")), 9))
	all := s.metadata(false)
	all.Topics = nil
	s.tell("metadata of all", at(all, 9))
	s.tell("commit", at(offsetCommit(member{group: g, generation: -1}, t, 0, 1), 7))
	s.tell("committed", at(offsetFetchRequest(g, t, 0), 7))
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKey, find.CoordinatorKeys = g, []string{g}
	s.tell("find", at(find, 4))
	find.CoordinatorType = 1
	s.tell("find of a transaction", at(find, 4))
	s.tell("join", at(joinRequest(g, ""), 5))
	s.tell("sync", at(syncRequest(m), 3))
	s.tell("heartbeat", at(heartbeat(m), 3))
	s.tell("leave", at(leave(m), 3))
	s.tell("describe groups", at(&kmsg.DescribeGroupsRequest{Groups: []string{g}}, 5))
	s.tell("list groups", at(kmsg.NewPtrListGroupsRequest(), 4))
	s.tell("delete groups", at(&kmsg.DeleteGroupsRequest{Groups: []string{g}}, 2))
	s.tell("heartbeat of KIP-848", at(consumerBeat(g, "", 0, t), 0))
	s.tell("describe of KIP-848", at(&kmsg.ConsumerGroupDescribeRequest{Groups: []string{g}}, 0))
	s.tell("create a topic", at(s.create(s.name("new"), 1, 1), 5))
	gone := kmsg.NewPtrDeleteTopicsRequest()
	gone.TopicNames, gone.TimeoutMillis = []string{t, s.name("nowhere")}, 5000
	s.tell("delete topics", at(gone, 4))
	s.tell("delete records", at(deleteRecordsRequest(t, 0, 0), 2))
	more := kmsg.NewPtrCreatePartitionsRequest()
	more.Topics, more.TimeoutMillis = []kmsg.CreatePartitionsRequestTopic{{Topic: t, Count: 3}}, 5000
	s.tell("create partitions", at(more, 3))
	s.tell("a producer id", at(kmsg.NewPtrInitProducerIDRequest(), 4))
	tx := s.name("tx")
	id := kmsg.NewPtrInitProducerIDRequest()
	id.TransactionalID, id.TransactionTimeoutMillis = &tx, 60000
	s.tell("a producer id for a name", at(id, 4))
	s.tell("add partitions", at(s.addPartitions("tx", held{1, 0}, t, 0), 3))
	s.tell("end", at(endTxn(tx, held{1, 0}, true), 3))
	s.tell("describe transactions", at(&kmsg.DescribeTransactionsRequest{TransactionalIDs: []string{tx}}, 0))
	s.tell("list transactions", at(kmsg.NewPtrListTransactionsRequest(), 0))
	s.tell("describe producers", at(&kmsg.DescribeProducersRequest{Topics: []kmsg.DescribeProducersRequestTopic{{Topic: t, Partitions: []int32{0}}}}, 0))
	for _, r := range []kmsg.DescribeConfigsRequestResource{{ResourceType: ofTopic, ResourceName: t}, {ResourceType: ofBroker, ResourceName: "1"}} {
		s.tell("describe settings", at(&kmsg.DescribeConfigsRequest{Resources: []kmsg.DescribeConfigsRequestResource{r}}, 4))
		alter := kmsg.IncrementalAlterConfigsRequestResource{ResourceType: r.ResourceType, ResourceName: r.ResourceName,
			Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "compression.type", Value: kmsg.StringPtr("gzip")}}}
		s.tell("alter settings", at(&kmsg.IncrementalAlterConfigsRequest{Resources: []kmsg.IncrementalAlterConfigsRequestResource{alter}}, 1))
	}
	s.tell("describe the cluster", at(kmsg.NewPtrDescribeClusterRequest(), 0))
	s.tell("describe folders", at(kmsg.NewPtrDescribeLogDirsRequest(), 4))
	s.tell("elect leaders", at(&kmsg.ElectLeadersRequest{Topics: []kmsg.ElectLeadersRequestTopic{{Topic: t, Partitions: []int32{0}}}, TimeoutMillis: 5000}, 2))
	s.tell("reassignments", at(kmsg.NewPtrListPartitionReassignmentsRequest(), 0))
	s.tell("describe quotas", at(kmsg.NewPtrDescribeClientQuotasRequest(), 1))
	s.tell("alter quotas", at(s.alterQuota("user", "u", "producer_byte_rate", 1, false), 1))
	s.tell("describe users", at(&kmsg.DescribeUserSCRAMCredentialsRequest{Users: []kmsg.DescribeUserSCRAMCredentialsRequestUser{{Name: "u"}}}, 0))
	s.tell("alter users", at(&kmsg.AlterUserSCRAMCredentialsRequest{Deletions: []kmsg.AlterUserSCRAMCredentialsRequestDeletion{{Name: "u", Mechanism: 1}}}, 0))
	s.tell("describe rights", at(&kmsg.DescribeACLsRequest{ResourceType: 1, ResourcePatternType: 1, Operation: 1, PermissionType: 1}, 3))
	s.tell("give rights", at(&kmsg.CreateACLsRequest{Creations: []kmsg.CreateACLsRequestCreation{s.right()}}, 3))
	s.tell("take rights", at(&kmsg.DeleteACLsRequest{Filters: []kmsg.DeleteACLsRequestFilter{s.filter()}}, 3))
	s.tell("write markers", at(&kmsg.WriteTxnMarkersRequest{Markers: []kmsg.WriteTxnMarkersRequestMarker{{ProducerID: 1, Topics: []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: t, Partitions: []int32{0}}}}}}, 1))
	s.tell("epochs", at(epochRequest(t), 4))
}

func epochRequest(topic string) *kmsg.OffsetForLeaderEpochRequest {
	req := kmsg.NewPtrOffsetForLeaderEpochRequest()
	t := kmsg.NewOffsetForLeaderEpochRequestTopic()
	t.Topic = topic
	t.Partitions = append(t.Partitions, kmsg.NewOffsetForLeaderEpochRequestTopicPartition())
	req.Topics = append(req.Topics, t)
	return req
}

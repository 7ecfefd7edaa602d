package broker_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/loghaul/loghaul/broker/handle"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// dialAs is a connection that has logged in.
func (r *running) dialAs(user string) *kafka.Conn {
	r.t.Helper()
	password := filepath.Join(r.t.TempDir(), "pw")
	if err := os.WriteFile(password, []byte("secret"), 0o600); err != nil {
		r.t.Fatal(err)
	}
	conn, err := kafka.Config{SASL: "scram-sha-256", User: user, PasswordFile: password}.Dial(r.t.Context(), r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// codes are all fields called ErrorCode in an answer, however deep.
func codes(v reflect.Value) []int16 {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return codes(v.Elem())
		}
	case reflect.Slice:
		var all []int16
		for i := range v.Len() {
			all = append(all, codes(v.Index(i))...)
		}
		return all
	case reflect.Struct:
		var all []int16
		for i := range v.NumField() {
			if v.Type().Field(i).Name == "ErrorCode" {
				all = append(all, int16(v.Field(i).Int()))
			} else {
				all = append(all, codes(v.Field(i))...)
			}
		}
		return all
	}
	return nil
}

// denial is a request of somebody who may do nothing, and the codes that Kafka answers it with.
type denial struct {
	req     kmsg.Request
	version int16
	want    []int16 // without the zeros
}

// the codes of denials
const (
	noTopic, noGroup, noCluster, noTxn = 29, 30, 31, 53
)

// denials are all requests that need a right, by topic t, group g and transactional id x.
func denials(t *testing.T, id [16]byte) []denial {
	topic, txn := "t", "x"
	return slices.Concat(topicDenials(t, id, topic), groupDenials(topic), clusterDenials(topic), txnDenials(topic, txn))
}

func topicDenials(t *testing.T, id [16]byte, topic string) []denial {
	batch := seal(t, 1, record.NoProducer, record.None)
	produce := &kmsg.ProduceRequest{Acks: 1, TimeoutMillis: 1000, Topics: []kmsg.ProduceRequestTopic{{Topic: topic, Partitions: []kmsg.ProduceRequestTopicPartition{{Records: batch}}}}}
	fetch := kmsg.NewPtrFetchRequest()
	fetch.MaxBytes, fetch.SessionEpoch = 1<<20, -1
	fetch.Topics = []kmsg.FetchRequestTopic{{Topic: topic, Partitions: []kmsg.FetchRequestTopicPartition{{PartitionMaxBytes: 1 << 20, CurrentLeaderEpoch: -1}}}}
	byID := kmsg.NewPtrFetchRequest()
	byID.MaxBytes, byID.SessionEpoch = 1<<20, -1
	byID.Topics = []kmsg.FetchRequestTopic{{TopicID: id, Partitions: []kmsg.FetchRequestTopicPartition{{PartitionMaxBytes: 1 << 20, CurrentLeaderEpoch: -1}}}}
	offsets := &kmsg.ListOffsetsRequest{ReplicaID: -1, Topics: []kmsg.ListOffsetsRequestTopic{{Topic: topic, Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Timestamp: -1, CurrentLeaderEpoch: -1}}}}}
	meta := &kmsg.MetadataRequest{AllowAutoTopicCreation: true, Topics: []kmsg.MetadataRequestTopic{{Topic: &topic}}}
	epochs := kmsg.NewPtrOffsetForLeaderEpochRequest()
	epochs.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: topic, Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{CurrentLeaderEpoch: -1}}}}
	remove := kmsg.NewPtrDeleteTopicsRequest()
	remove.TopicNames, remove.Topics = []string{topic}, []kmsg.DeleteTopicsRequestTopic{{Topic: &topic}}
	return []denial{
		{produce, 7, []int16{noTopic}}, {fetch, 11, []int16{noTopic}}, {byID, 13, []int16{noTopic}}, {offsets, 5, []int16{noTopic}}, {meta, 9, []int16{noTopic}},
		{epochs, 3, []int16{noTopic}}, {remove, 6, []int16{noTopic}},
		{&kmsg.CreateTopicsRequest{Topics: []kmsg.CreateTopicsRequestTopic{{Topic: "new", NumPartitions: 1, ReplicationFactor: 1}}}, 5, []int16{noTopic}},
		{&kmsg.DeleteRecordsRequest{Topics: []kmsg.DeleteRecordsRequestTopic{{Topic: topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{}}}}}, 1, []int16{noTopic}},
		{&kmsg.CreatePartitionsRequest{Topics: []kmsg.CreatePartitionsRequestTopic{{Topic: topic, Count: 5}}}, 1, []int16{noTopic}},
		{&kmsg.DescribeProducersRequest{Topics: []kmsg.DescribeProducersRequestTopic{{Topic: topic, Partitions: []int32{0}}}}, 0, []int16{noTopic}},
		{&kmsg.DescribeConfigsRequest{Resources: []kmsg.DescribeConfigsRequestResource{{ResourceType: 2, ResourceName: topic}, {ResourceType: 4, ResourceName: "1"}}}, 2, []int16{noTopic, noCluster}},
		{&kmsg.AlterConfigsRequest{Resources: []kmsg.AlterConfigsRequestResource{{ResourceType: 2, ResourceName: topic}}}, 1, []int16{noTopic}},
		{&kmsg.IncrementalAlterConfigsRequest{Resources: []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: 2, ResourceName: topic}, {ResourceType: 4, ResourceName: "1"}}}, 1, []int16{noTopic, noCluster}},
	}
}

func groupDenials(topic string) []denial {
	commit := &kmsg.OffsetCommitRequest{Group: "g", Generation: -1, Topics: []kmsg.OffsetCommitRequestTopic{{Topic: topic, Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: 1}}}}}
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKey = "g"
	findTxn := kmsg.NewPtrFindCoordinatorRequest()
	findTxn.CoordinatorKey, findTxn.CoordinatorType = "x", 1
	join := &kmsg.JoinGroupRequest{Group: "g", SessionTimeoutMillis: 10000, RebalanceTimeoutMillis: 10000, ProtocolType: "consumer", Protocols: []kmsg.JoinGroupRequestProtocol{{Name: "range"}}}
	return []denial{
		{commit, 7, []int16{noGroup}}, {find, 2, []int16{noGroup}}, {findTxn, 2, []int16{noTxn}}, {join, 5, []int16{noGroup}},
		{&kmsg.OffsetFetchRequest{Group: "g", Topics: []kmsg.OffsetFetchRequestTopic{{Topic: topic, Partitions: []int32{0}}}}, 5, []int16{noGroup}},
		{&kmsg.HeartbeatRequest{Group: "g"}, 3, []int16{noGroup}}, {&kmsg.LeaveGroupRequest{Group: "g", MemberID: "m"}, 2, []int16{noGroup}},
		{&kmsg.SyncGroupRequest{Group: "g"}, 3, []int16{noGroup}}, {&kmsg.DescribeGroupsRequest{Groups: []string{"g"}}, 5, []int16{noGroup}},
		{&kmsg.DeleteGroupsRequest{Groups: []string{"g"}}, 1, []int16{noGroup}},
		{&kmsg.OffsetDeleteRequest{Group: "g", Topics: []kmsg.OffsetDeleteRequestTopic{{Topic: topic, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{}}}}}, 0, []int16{noGroup}},
		{&kmsg.ConsumerGroupHeartbeatRequest{Group: "g", RebalanceTimeoutMillis: 10000, SubscribedTopicNames: []string{topic}}, 0, []int16{noGroup}},
		{&kmsg.ConsumerGroupDescribeRequest{Groups: []string{"g"}}, 0, []int16{noGroup}},
	}
}

func clusterDenials(topic string) []denial {
	describe := kmsg.NewPtrDescribeACLsRequest()
	describe.ResourceType, describe.ResourcePatternType, describe.Operation, describe.PermissionType = 1, 1, 1, 1
	return []denial{
		{describe, 1, []int16{noCluster}},
		{&kmsg.CreateACLsRequest{Creations: []kmsg.CreateACLsRequestCreation{{ResourceType: 2, ResourceName: topic, ResourcePatternType: 3, Principal: "User:bob", Host: "*", Operation: 2, PermissionType: 3}}}, 1, []int16{noCluster}},
		{&kmsg.DeleteACLsRequest{Filters: []kmsg.DeleteACLsRequestFilter{{ResourceType: 1, ResourcePatternType: 1, Operation: 1, PermissionType: 1}}}, 1, []int16{noCluster}},
		{&kmsg.DescribeUserSCRAMCredentialsRequest{}, 0, []int16{noCluster}},
		{&kmsg.AlterUserSCRAMCredentialsRequest{Deletions: []kmsg.AlterUserSCRAMCredentialsRequestDeletion{{Name: "root", Mechanism: 1}}}, 0, []int16{noCluster}},
		{&kmsg.DescribeLogDirsRequest{}, 3, []int16{noCluster}},
		{&kmsg.DescribeClientQuotasRequest{}, 0, []int16{noCluster}},
		{&kmsg.AlterClientQuotasRequest{Entries: []kmsg.AlterClientQuotasRequestEntry{{Entity: []kmsg.AlterClientQuotasRequestEntryEntity{{Type: "user", Name: &topic}}}}}, 0, []int16{noCluster}},
		{&kmsg.ElectLeadersRequest{Topics: []kmsg.ElectLeadersRequestTopic{{Topic: topic, Partitions: []int32{0}}}}, 1, []int16{noCluster}},
		{&kmsg.ListPartitionReassignmentsRequest{}, 0, []int16{noCluster}},
		{&kmsg.UpdateFeaturesRequest{FeatureUpdates: []kmsg.UpdateFeaturesRequestFeatureUpdate{{Feature: "f", MaxVersionLevel: 1}}}, 0, []int16{noCluster}},
		{&kmsg.WriteTxnMarkersRequest{Markers: []kmsg.WriteTxnMarkersRequestMarker{{ProducerID: 1, Topics: []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: topic, Partitions: []int32{0}}}}}}, 0, []int16{noCluster}},
		{kmsg.NewPtrInitProducerIDRequest(), 4, []int16{noCluster}},
	}
}

func txnDenials(topic, txn string) []denial {
	init := kmsg.NewPtrInitProducerIDRequest()
	init.TransactionalID, init.TransactionTimeoutMillis = &txn, 1000
	return []denial{
		{init, 2, []int16{noTxn}},
		{&kmsg.AddPartitionsToTxnRequest{TransactionalID: txn, Topics: []kmsg.AddPartitionsToTxnRequestTopic{{Topic: topic, Partitions: []int32{0}}}}, 3, []int16{noTxn}},
		{&kmsg.AddOffsetsToTxnRequest{TransactionalID: txn, Group: "g"}, 1, []int16{noTxn}}, {&kmsg.EndTxnRequest{TransactionalID: txn}, 1, []int16{noTxn}},
		{&kmsg.TxnOffsetCommitRequest{TransactionalID: txn, Group: "g", Topics: []kmsg.TxnOffsetCommitRequestTopic{{Topic: topic, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{{}}}}}, 1, []int16{noTxn}},
		{&kmsg.DescribeTransactionsRequest{TransactionalIDs: []string{txn}}, 0, []int16{noTxn}},
	}
}

// unguarded are the requests that need no right, or from whose answers what may not be seen is left out.
var unguarded = []int16{16, 17, 18, 36, 60, 66}

func TestWhoMayDoNothingIsDeniedByEveryRequest(t *testing.T) {
	r := guarded(t, t.TempDir(), nil)
	root := kadm.NewClient(r.as("root"))
	made, err := root.CreateTopic(t.Context(), 1, 1, nil, "t")
	if err != nil {
		t.Fatal(err)
	}
	bob := r.dialAs("bob")
	asked := map[int16]bool{}
	for _, d := range denials(t, made.ID) {
		asked[d.req.Key()] = true
		resp := call[kmsg.Response](t, bob, d.version, d.req)
		got := slices.DeleteFunc(codes(reflect.ValueOf(resp)), func(c int16) bool { return c == 0 })
		if !slices.Equal(slices.Compact(got), d.want) {
			t.Errorf("%s v%d answers %v, want %v: %+v", kmsg.NameForKey(d.req.Key()), d.version, got, d.want, resp)
		}
	}
	for _, key := range handle.Keys() {
		if !asked[key.Key] && !slices.Contains(unguarded, key.Key) {
			t.Errorf("nobody asks what %s says to who may do nothing", key.Name)
		}
	}
	all := call[*kmsg.MetadataResponse](t, bob, 9, &kmsg.MetadataRequest{Topics: nil, IncludeTopicAuthorizedOperations: true})
	if len(all.Topics) != 0 {
		t.Errorf("bob is shown %+v", all.Topics)
	}
	if groups := call[*kmsg.ListGroupsResponse](t, bob, 4, kmsg.NewPtrListGroupsRequest()); len(groups.Groups) != 0 {
		t.Errorf("bob is shown %+v", groups.Groups)
	}
	if left, err := root.ListTopics(t.Context()); err != nil || !left.Has("t") || left.Has("new") {
		t.Errorf("the topics are %v, %v", left.Names(), err)
	}
}

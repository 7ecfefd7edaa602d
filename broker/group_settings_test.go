package broker_test

import (
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestAGroupsOwnSettingsTakeEffectAtOnce gives one group of two another heartbeat interval while both run.
func TestAGroupsOwnSettingsTakeEffectAtOnce(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}})
	conn := r.dial()
	beat := func(group string) int32 {
		t.Helper()
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Group, req.MemberID, req.RebalanceTimeoutMillis = group, "me", 10_000
		req.SubscribedTopicNames, req.Topics = []string{"web_log"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		got := call[*kmsg.ConsumerGroupHeartbeatResponse](t, conn, 1, req)
		wantCode(t, "joining", 1, got.ErrorCode, 0)
		return got.HeartbeatIntervalMillis
	}
	set := func(group, name, value string) int16 {
		t.Helper()
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		resource := kmsg.NewIncrementalAlterConfigsRequestResource()
		resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeGroupConfig, group
		resource.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: name, Value: &value}}
		req.Resources = append(req.Resources, resource)
		return call[*kmsg.IncrementalAlterConfigsResponse](t, conn, 1, req).Resources[0].ErrorCode
	}
	if got := beat("quick"); got != 5000 {
		t.Errorf("at first the interval is %d ms, want 5000", got)
	}
	wantCode(t, "setting it", 1, set("quick", "consumer.heartbeat.interval.ms", "7000"), 0)
	if quick, other := beat("quick"), beat("other"); quick != 7000 || other != 5000 {
		t.Errorf("the intervals are %d and %d ms, want 7000 and 5000", quick, other)
	}
	const invalidConfig, invalidRequest = 40, 42
	wantCode(t, "too short a session", 1, set("quick", "consumer.session.timeout.ms", "1"), invalidConfig)
	wantCode(t, "no such setting", 1, set("quick", "no.such", "1"), invalidConfig)
	wantCode(t, "no group", 1, set("", "consumer.session.timeout.ms", "50000"), invalidRequest)
}

// TestTheBrokersAssignorsAreThoseOfItsSettings offers one of two, by its class name.
func TestTheBrokersAssignorsAreThoseOfItsSettings(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"},
		Settings: map[string]string{"group.consumer.assignors": "org.apache.kafka.coordinator.group.assignor.RangeAssignor"}})
	conn := r.dial()
	beat := func(assignor *string) *kmsg.ConsumerGroupHeartbeatResponse {
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Group, req.MemberID, req.RebalanceTimeoutMillis, req.ServerAssignor = "g", "me", 10_000, assignor
		req.SubscribedTopicNames, req.Topics = []string{"web_log"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		return call[*kmsg.ConsumerGroupHeartbeatResponse](t, conn, 1, req)
	}
	const unsupportedAssignor = 112
	got := beat(kmsg.StringPtr("uniform"))
	wantCode(t, "wishing for another", 1, got.ErrorCode, unsupportedAssignor)
	if got.ErrorMessage == nil || *got.ErrorMessage != "ServerAssignor uniform is not supported. Supported assignors: range." {
		t.Errorf("it says %v", got.ErrorMessage)
	}
	wantCode(t, "wishing for none", 1, beat(nil).ErrorCode, 0)
	describe := kmsg.NewPtrConsumerGroupDescribeRequest()
	describe.Groups = []string{"g"}
	if d := call[*kmsg.ConsumerGroupDescribeResponse](t, conn, 1, describe).Groups[0]; d.AssignorName != "range" {
		t.Errorf("the group is assigned by %q, want range", d.AssignorName)
	}
}

package broker_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// While there is no room, nothing is begun that would take some, and what ends a transaction goes on from the reserve.
func TestNothingNewIsMadeWhileTheBudgetIsUsedUp(t *testing.T) {
	r := budgeted(t, "block", broker.SinkClaim{Sink: "es", Group: "es", Letters: func(topic string) bool { return topic == "letters" }})
	conn := r.dial()
	create := func(topic string, dry bool) (int16, string) {
		t.Helper()
		req := kmsg.NewPtrCreateTopicsRequest()
		one := kmsg.NewCreateTopicsRequestTopic()
		one.Topic, one.NumPartitions, one.ReplicationFactor = topic, 1, 1
		req.Topics, req.ValidateOnly = append(req.Topics, one), dry
		got := call[*kmsg.CreateTopicsResponse](t, conn, 5, req).Topics[0]
		if got.ErrorMessage == nil {
			return got.ErrorCode, ""
		}
		return got.ErrorCode, *got.ErrorMessage
	}
	extend := func() (int16, string) {
		t.Helper()
		req := kmsg.NewPtrCreatePartitionsRequest()
		one := kmsg.NewCreatePartitionsRequestTopic()
		one.Topic, one.Count = "web_log", 2
		req.Topics = append(req.Topics, one)
		got := call[*kmsg.CreatePartitionsResponse](t, conn, 1, req).Topics[0]
		if got.ErrorMessage == nil {
			return got.ErrorCode, ""
		}
		return got.ErrorCode, *got.ErrorMessage
	}
	metadata := func(topic string) int16 {
		t.Helper()
		req := kmsg.NewPtrMetadataRequest()
		one := kmsg.NewMetadataRequestTopic()
		one.Topic = &topic
		req.Topics, req.AllowAutoTopicCreation = append(req.Topics, one), true
		return call[*kmsg.MetadataResponse](t, conn, 4, req).Topics[0].ErrorCode
	}
	open, late := r.begun("open"), r.begun("late")
	wantCode(t, "AddPartitionsToTxn", 3, r.enlist(open, "open"), 0)
	batch := seal(t, 2000, record.NoProducer, record.None)
	r.commitAt("readers", "web_log", 2000)
	taken, _ := r.fill(conn, "web_log", batch)

	for _, dry := range []bool{false, true} {
		if code, why := create("new", dry); code != 19 || !strings.Contains(why, "new gets no new partitions now") || !strings.Contains(why, "group readers has still to commit") {
			t.Errorf("making a topic (dry: %t): code %d, %q, want 19 and why", dry, code, why)
		}
	}
	if code, why := extend(); code != 19 || !strings.Contains(why, "group readers") {
		t.Errorf("making a partition: code %d, %q, want 19 and why", code, why)
	}
	wantCode(t, "Metadata that would make a topic", 4, metadata("new"), 5)
	wantCode(t, "Metadata of what there is", 4, metadata("web_log"), 0)
	for _, letters := range []string{"web_log.dlq", "letters"} {
		if code, why := create(letters, false); code != 0 {
			t.Errorf("making %s for dead letters: code %d, %q", letters, code, why)
		}
	}
	wantCode(t, "AddPartitionsToTxn", 3, r.enlist(late, "late"), 14)
	end := kmsg.NewPtrEndTxnRequest()
	end.TransactionalID, end.ProducerID, end.ProducerEpoch, end.Commit = "open", open.ProducerID, open.ProducerEpoch, true
	wantCode(t, "EndTxn of one that was open", 3, call[*kmsg.EndTxnResponse](t, conn, 3, end).ErrorCode, 0)

	r.commitAt("readers", "web_log", int64(taken*2000))
	eventually(t, "writing to go on", func() bool { return put(t, conn, 8, "web_log", 0, -1, batch).ErrorCode == 0 })
	if code, why := create("new", false); code != 0 {
		t.Errorf("with room again: code %d, %q", code, why)
	}
	if code, why := extend(); code != 0 {
		t.Errorf("with room again: code %d, %q", code, why)
	}
	wantCode(t, "AddPartitionsToTxn", 3, r.enlist(late, "late"), 0)
}

// begun is the producer of a new transactional id.
func (r *running) begun(id string) *kmsg.InitProducerIDResponse {
	r.t.Helper()
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis, req.ProducerID, req.ProducerEpoch = &id, 60_000, -1, -1
	resp := call[*kmsg.InitProducerIDResponse](r.t, r.dial(), 4, req)
	wantCode(r.t, "InitProducerID", 4, resp.ErrorCode, 0)
	return resp
}

// enlist adds web_log-0 to a transaction.
func (r *running) enlist(p *kmsg.InitProducerIDResponse, id string) int16 {
	r.t.Helper()
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = id, p.ProducerID, p.ProducerEpoch
	req.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: "web_log", Partitions: []int32{0}}}
	return call[*kmsg.AddPartitionsToTxnResponse](r.t, r.dial(), 3, req).Topics[0].Partitions[0].ErrorCode
}

func TestWithoutABudgetTheStateTellsWhatIsUsed(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}})
	conn := r.dial()
	batch := seal(t, 2000, record.NoProducer, record.None)
	put(t, conn, 8, "web_log", 0, -1, batch)
	s := r.disk(conn)
	if s.Used < int64(len(batch)) || s.Used > int64(len(batch))+10_000 || s.Budget != 0 || filepath.Base(s.Folder) == "" || s.Folder == "" {
		t.Errorf("the state is %+v, want %d bytes and a little", s, len(batch))
	}
}

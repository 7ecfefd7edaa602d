package broker_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// deeds are a short life of a broker over the wire, everything that it stores once, on a disk that may fail at any
// moment; and what was promised: an answer is held to, what had none may have happened or not.
type deeds struct {
	t       *testing.T
	conn    *kafka.Conn
	lines   []string // produced to web_log, one sequence after the other
	acked   int      // how many of them
	deleted int64    // before this offset
	txns    map[string]deed
	commits []int64 // offsets of the group, in order
	kept    int     // how many of them were answered
	flags   map[string]deed

	patience time.Duration // of a reader
}

// deed is what became of a request.
type deed int

const (
	never   deed = iota // not asked for
	unknown             // no good answer: done or not
	done
)

func newDeeds(t *testing.T) *deeds {
	return &deeds{t: t, txns: map[string]deed{}, flags: map[string]deed{}, patience: 20 * time.Second}
}

// ask sends a request until its answer says 0, which it tells; a few times, since a log may have failed for good.
func (d *deeds) ask(req kmsg.Request, version int16, code func(kmsg.Response) int16) bool {
	d.t.Helper()
	req.SetVersion(version)
	tick := time.NewTicker(4 * time.Millisecond)
	defer tick.Stop()
	for range 12 {
		ctx, cancel := context.WithTimeout(d.t.Context(), 30*time.Second)
		resp, err := d.conn.Call(ctx, req)
		cancel()
		if err != nil {
			d.t.Fatalf("%T: %v", req, err)
		}
		if code(resp) == 0 {
			return true
		}
		<-tick.C
	}
	return false
}

// note does something that is there or not.
func (d *deeds) note(name string, req kmsg.Request, version int16, code func(kmsg.Response) int16) bool {
	d.t.Helper()
	d.flags[name] = unknown
	if d.ask(req, version, code) {
		d.flags[name] = done
	}
	return d.flags[name] == done
}

// do lives the life.
func (d *deeds) do(r *running) {
	d.t.Helper()
	d.conn = r.dial()
	d.create("web_log", map[string]string{"segment.bytes": "4096"})
	d.create("gone", nil)
	d.produce(3)
	d.commit(1)
	d.transaction("kept", true)
	d.settings()
	d.produce(30)
	d.commit(2)
	d.transaction("dropped", false)
	d.delete("gone")
	d.trim(2)
	d.produce(3)
	d.commit(3)
	d.people()
}

func (d *deeds) create(name string, own map[string]string) {
	d.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 1, 1
	for k, v := range own {
		topic.Configs = append(topic.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: k, Value: &v})
	}
	req.Topics = []kmsg.CreateTopicsRequestTopic{topic}
	d.note("topic "+name, req, 5, func(resp kmsg.Response) int16 {
		code := resp.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode
		if code == 36 { // it is there, from an attempt that answered otherwise
			return 0
		}
		return code
	})
}

func (d *deeds) delete(name string) {
	d.t.Helper()
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TopicNames = []string{name}
	d.note("deletion of "+name, req, 3, func(resp kmsg.Response) int16 {
		code := resp.(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode
		if code == 3 {
			return 0
		}
		return code
	})
}

// produce sends n more lines as one idempotent producer, until one is not answered.
func (d *deeds) produce(n int) {
	d.t.Helper()
	for range n {
		if d.acked < len(d.lines) {
			return // its sequence is open
		}
		value := fmt.Sprintf("line %d %s", len(d.lines), strings.Repeat("x", 300))
		batch := d.batch(record.Producer{ID: 70_000, Sequence: int32(len(d.lines))}, value)
		d.lines = append(d.lines, value)
		if d.ask(produceRequest("web_log", 0, -1, batch), 8, produceCode) {
			d.acked++
		}
	}
}

func (d *deeds) batch(p record.Producer, value string) []byte {
	d.t.Helper()
	b := record.NewBuilder(64)
	b.Append(0, []byte("k"), []byte(value), 0, nil)
	batch, err := b.Seal(nil, p, record.None, 1000, 1000)
	if err != nil {
		d.t.Fatal(err)
	}
	return batch
}

func produceCode(resp kmsg.Response) int16 {
	return resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode
}

func (d *deeds) commit(offset int64) {
	d.t.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = "readers", -1
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset = offset
	req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "web_log", Partitions: []kmsg.OffsetCommitRequestTopicPartition{p}}}
	d.commits = append(d.commits, offset)
	if d.ask(req, 7, func(resp kmsg.Response) int16 {
		return resp.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode
	}) {
		d.kept = len(d.commits)
	}
}

// transaction writes one record under a transactional id of its own and ends it.
func (d *deeds) transaction(name string, commit bool) {
	d.t.Helper()
	init := kmsg.NewPtrInitProducerIDRequest()
	init.TransactionalID, init.TransactionTimeoutMillis = &name, 60_000
	p := record.Producer{}
	if !d.ask(init, 2, func(resp kmsg.Response) int16 {
		got := resp.(*kmsg.InitProducerIDResponse)
		p.ID, p.Epoch = got.ProducerID, got.ProducerEpoch
		return got.ErrorCode
	}) {
		return
	}
	add := kmsg.NewPtrAddPartitionsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch = name, p.ID, p.Epoch
	add.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: "web_log", Partitions: []int32{0}}}
	if !d.ask(add, 1, func(resp kmsg.Response) int16 {
		return resp.(*kmsg.AddPartitionsToTxnResponse).Topics[0].Partitions[0].ErrorCode
	}) {
		return
	}
	batch := d.batch(p, name)
	record.SetTransactional(batch)
	req := produceRequest("web_log", 0, -1, batch)
	req.TransactionID = &name
	stored := d.ask(req, 8, produceCode)
	end := kmsg.NewPtrEndTxnRequest()
	end.TransactionalID, end.ProducerID, end.ProducerEpoch, end.Commit = name, p.ID, p.Epoch, commit
	ended := d.ask(end, 1, func(resp kmsg.Response) int16 { return resp.(*kmsg.EndTxnResponse).ErrorCode })
	if d.txns[name] = unknown; ended && stored {
		d.txns[name] = done
	}
}

// settings changes one of a topic and one of the broker.
func (d *deeds) settings() {
	d.t.Helper()
	for _, of := range []struct {
		kind             kmsg.ConfigResourceType
		name, key, value string
	}{{kmsg.ConfigResourceTypeTopic, "web_log", "retention.ms", "777000000"}, {kmsg.ConfigResourceTypeBroker, "", "log.segment.bytes", "7770000"}} {
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		c.Name, c.Value = of.key, &of.value
		req.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: of.kind, ResourceName: of.name, Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{c}}}
		d.note("setting "+of.key, req, 0, func(resp kmsg.Response) int16 {
			return resp.(*kmsg.IncrementalAlterConfigsResponse).Resources[0].ErrorCode
		})
	}
}

// trim deletes the first records.
func (d *deeds) trim(before int64) {
	d.t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = 10_000
	req.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: "web_log", Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Offset: before}}}}
	if d.note("trim", req, 1, func(resp kmsg.Response) int16 {
		return resp.(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0].ErrorCode
	}) {
		d.deleted = before
	}
}

// people sets a quota and a password.
func (d *deeds) people() {
	d.t.Helper()
	quota := kmsg.NewPtrAlterClientQuotasRequest()
	alice := "alice"
	quota.Entries = []kmsg.AlterClientQuotasRequestEntry{{
		Entity: []kmsg.AlterClientQuotasRequestEntryEntity{{Type: "client-id", Name: &alice}},
		Ops:    []kmsg.AlterClientQuotasRequestEntryOp{{Key: "producer_byte_rate", Value: 123456}},
	}}
	d.note("quota", quota, 0, func(resp kmsg.Response) int16 { return resp.(*kmsg.AlterClientQuotasResponse).Entries[0].ErrorCode })
	user := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
	u := kmsg.NewAlterUserSCRAMCredentialsRequestUpsertion()
	u.Name, u.Mechanism, u.Iterations, u.Salt, u.SaltedPassword = alice, 1, 4096, []byte("0123456789abcdef"), make([]byte, 32)
	user.Upsertions = []kmsg.AlterUserSCRAMCredentialsRequestUpsertion{u}
	d.note("user", user, 0, func(resp kmsg.Response) int16 {
		return resp.(*kmsg.AlterUserSCRAMCredentialsResponse).Results[0].ErrorCode
	})
}

func TestTheDeedsOfAGoodDayAreAllThere(t *testing.T) {
	dir, d := t.TempDir(), newDeeds(t)
	r := start(t, broker.Config{Data: dir})
	d.do(r)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if d.acked != 36 || d.kept != 3 || d.txns["kept"] != done || d.txns["dropped"] != done || len(d.flags) != 8 {
		t.Fatalf("%d lines, %d commits, transactions %v, %v", d.acked, d.kept, d.txns, d.flags)
	}
	for name, is := range d.flags {
		if is != done {
			t.Errorf("%s: %d", name, is)
		}
	}
	d.check(start(t, broker.Config{Data: dir}), "after a good day")
}

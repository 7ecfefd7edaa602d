package broker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/realkafka"
)

// kafkaGroups is how many groups commit to the real Kafka; their records lie in many partitions of its fifty.
const kafkaGroups = 20

// fillKafka gives a real Kafka topics with settings, transactions, compacted records, groups, a user, a quota and a
// setting of all brokers.
func fillKafka(t *testing.T, r *running) {
	t.Helper()
	cl := r.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.UnknownTopicRetries(100), kgo.MetadataMinAge(50*time.Millisecond)) // Kafka takes its time to make a topic
	adm := kadm.NewClient(cl)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	create := func(topic string, partitions int32, own map[string]*string) {
		t.Helper()
		if _, err := adm.CreateTopic(ctx, partitions, 1, own, topic); err != nil {
			t.Fatalf("creating %s: %v", topic, err)
		}
	}
	create("web_log", 3, map[string]*string{"retention.ms": kadm.StringPtr("-1"), "segment.bytes": kadm.StringPtr("1048576"), "max.message.bytes": kadm.StringPtr("70000")})
	create("latest", 1, map[string]*string{"cleanup.policy": kadm.StringPtr("compact"), "segment.ms": kadm.StringPtr("100"), "min.cleanable.dirty.ratio": kadm.StringPtr("0.01")})
	create("accounts", 2, nil)
	create("gone", 2, map[string]*string{"retention.ms": kadm.StringPtr("1")})
	alter := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: kadm.StringPtr("7200000")}, {Op: kadm.DeleteConfig, Name: "max.message.bytes"}}
	if _, err := adm.AlterTopicConfigs(ctx, alter, "web_log"); err != nil {
		t.Fatal(err)
	}
	if _, err := adm.DeleteTopics(ctx, "gone"); err != nil {
		t.Fatal(err)
	}
	var records []*kgo.Record
	for p := range int32(3) {
		for i := range 100 {
			records = append(records, &kgo.Record{Topic: "web_log", Partition: p, Key: fmt.Appendf(nil, "key %d", i), Value: fmt.Appendf(nil, "line %d", i)})
		}
	}
	store := func(records []*kgo.Record) {
		t.Helper()
		if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
			t.Fatalf("producing to the Kafka: %v", err)
		}
	}
	store(records)
	records = nil
	for i := range 60 {
		records = append(records, &kgo.Record{Topic: "latest", Key: fmt.Appendf(nil, "key %d", i%3), Value: fmt.Appendf(nil, "value %d", i)})
		if len(records) == 20 {
			store(records)
			records = nil
		}
	}
	for g := range kafkaGroups {
		var offsets kadm.Offsets
		for p := range int32(3) {
			offsets.Add(kadm.Offset{Topic: "web_log", Partition: p, At: int64(g) + int64(p)*10, LeaderEpoch: -1, Metadata: fmt.Sprint("by ", g)})
		}
		if err := adm.CommitAllOffsets(ctx, fmt.Sprintf("group %d", g), offsets); err != nil {
			t.Fatal(err)
		}
	}
	kafkaTransactions(ctx, t, r)
	kafkaSecurity(ctx, t, cl)
}

// kafkaTransactions commits one with offsets, aborts one, and leaves one open.
func kafkaTransactions(ctx context.Context, t *testing.T, r *running) {
	t.Helper()
	for _, story := range [][2]string{{"payer", "commit"}, {"quitter", "abort"}, {"sleeper", ""}} { // the open one last: readers wait before it
		id, end := story[0], story[1]
		cl := r.client(kgo.TransactionalID(id), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionTimeout(15*time.Minute))
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "accounts", Partition: int32(i % 2), Value: fmt.Appendf(nil, "%s %d", id, i)}).FirstErr(); err != nil {
				t.Fatalf("%s: %v", id, err)
			}
		}
		var err error
		switch end {
		case "commit":
			commitInside(ctx, t, cl)
			err = cl.EndTransaction(ctx, kgo.TryCommit)
		case "abort":
			err = cl.EndTransaction(ctx, kgo.TryAbort)
		}
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
	}
}

// commitInside commits an offset of the group "paid" in the client's transaction.
func commitInside(ctx context.Context, t *testing.T, cl *kgo.Client) {
	t.Helper()
	id, epoch, err := cl.ProducerID(ctx)
	if err != nil {
		t.Fatal(err)
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group, req.Generation = "payer", id, epoch, "paid", -1
	topic := kmsg.NewTxnOffsetCommitRequestTopic()
	topic.Topic = "web_log"
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Offset = 77
	topic.Partitions = append(topic.Partitions, p)
	req.Topics = append(req.Topics, topic)
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = "payer", id, epoch, "paid"
	if answer, err := add.RequestWith(ctx, cl); err != nil || answer.ErrorCode != 0 {
		t.Fatalf("adding offsets to a transaction: %v, %v", answer, err)
	}
	answer, err := req.RequestWith(ctx, cl)
	if err == nil {
		err = kerr.ErrorForCode(answer.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("committing offsets in a transaction: %v", err)
	}
}

// kafkaSecurity adds what loghaul keeps elsewhere.
func kafkaSecurity(ctx context.Context, t *testing.T, cl *kgo.Client) {
	t.Helper()
	adm := kadm.NewClient(cl)
	if _, err := adm.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{{User: "ann", Mechanism: kadm.ScramSha256, Iterations: 4096, Password: "secret"}}); err != nil {
		t.Fatal(err)
	}
	name := "batch"
	q := kadm.AlterClientQuotaEntry{Entity: kadm.ClientQuotaEntity{{Type: "client-id", Name: &name}}, Ops: []kadm.AlterClientQuotaOp{{Key: "producer_byte_rate", Value: 1 << 20}}}
	if _, err := adm.AlterClientQuotas(ctx, []kadm.AlterClientQuotaEntry{q}); err != nil {
		t.Fatal(err)
	}
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType = kmsg.ConfigResourceTypeBroker
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	c.Name, c.Value = "log.retention.ms", kmsg.StringPtr("86400000")
	res.Configs = append(res.Configs, c)
	req.Resources = append(req.Resources, res)
	answer, err := req.RequestWith(ctx, cl)
	if err == nil {
		err = kerr.ErrorForCode(answer.Resources[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(errors.Join(errors.New("setting of all brokers"), err))
	}
}

// A data folder that a Kafka has left, killed in the middle of things, is taken over whole: records, topics with ids and
// settings, committed offsets and transactions out of fifty partitions each. What is not is named.
func TestAFolderOfAKafkaIsTakenOver(t *testing.T) {
	k := realkafka.Start(t, realkafka.Config{Properties: map[string]string{"offsets.topic.num.partitions": "50", "transaction.state.log.num.partitions": "50",
		"log.cleaner.backoff.ms": "200", "log.segment.delete.delay.ms": "600000"}})
	theirs := &running{t: t, addr: k.Addr}
	fillKafka(t, theirs)
	before := topicsOf(t, theirs)
	data := leftByAKill(t, k.Logs)
	for life := range 2 {
		r := start(t, broker.Config{Data: data})
		after := topicsOf(t, r)
		for name, id := range before {
			if after[name] != id {
				t.Errorf("start %d: topic %s has the id %v, in the Kafka %v", life, name, after[name], id)
			}
		}
		wantKafkaRecords(t, r)
		wantKafkaGroups(t, r)
		wantKafkaSettings(t, r)
		if life == 0 {
			for _, said := range []string{"took over the settings of the Kafka's brokers", "users=ann rules=0 quotas=1", "folder is of a partition that a Kafka was deleting"} {
				if r.log.count(said) == 0 {
					t.Errorf("the log does not say %q:\n%s", said, r.log)
				}
			}
			wantSleeperEnded(t, r)
		} else if r.log.count("took over") > 0 || r.log.count("recovered") > 0 {
			t.Errorf("the second start says\n%s", r.log)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	}
}

// topicsOf are the topics and their ids; the Kafka's own are left out, and those it was deleting.
func topicsOf(t *testing.T, r *running) map[string]kadm.TopicID {
	t.Helper()
	list, err := kadm.NewClient(r.client()).ListTopicsWithInternal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]kadm.TopicID{}
	for name, topic := range list {
		ids[name] = topic.ID
	}
	delete(ids, "__share_group_state")
	return ids
}

func wantKafkaRecords(t *testing.T, r *running) {
	t.Helper()
	seen := map[int32]int{}
	for _, rec := range r.consume("web_log", 300) {
		if want := fmt.Sprintf("line %d", seen[rec.Partition]); string(rec.Value) != want || rec.Offset != int64(seen[rec.Partition]) {
			t.Fatalf("web_log-%d has %q at offset %d, want %q", rec.Partition, rec.Value, rec.Offset, want)
		}
		seen[rec.Partition]++
	}
	for key, want := range map[string]string{"key 0": "value 57", "key 1": "value 58", "key 2": "value 59"} {
		if end := lastOf(t, r, key); end != want {
			t.Errorf("the last value of %s is %q, want %q", key, end, want)
		}
	}
	for _, rec := range r.consume("accounts", 10, kgo.FetchIsolationLevel(kgo.ReadCommitted())) {
		if !strings.HasPrefix(string(rec.Value), "payer ") {
			t.Errorf("a reader of what is committed sees %q", rec.Value)
		}
	}
}

// lastOf is the last value of a key in the compacted topic.
func lastOf(t *testing.T, r *running, key string) string {
	t.Helper()
	ends, err := kadm.NewClient(r.client()).ListEndOffsets(t.Context(), "latest")
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup("latest", 0)
	cl := r.client(kgo.ConsumeTopics("latest"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer cl.Close()
	last, at := "", int64(-1)
	for at < end.Offset-1 {
		for _, rec := range poll(t, cl, 1) {
			if at = rec.Offset; string(rec.Key) == key {
				last = string(rec.Value)
			}
		}
	}
	return last
}

func wantKafkaGroups(t *testing.T, r *running) {
	t.Helper()
	adm := kadm.NewClient(r.client())
	for g := range kafkaGroups {
		got, err := adm.FetchOffsets(t.Context(), fmt.Sprintf("group %d", g))
		if err != nil {
			t.Fatal(err)
		}
		for p := range int32(3) {
			o, ok := got.Lookup("web_log", p)
			if !ok || o.Err != nil || o.At != int64(g)+int64(p)*10 || o.Metadata != fmt.Sprint("by ", g) {
				t.Errorf("group %d is at %+v of web_log-%d", g, o, p)
			}
		}
	}
	got, err := adm.FetchOffsets(t.Context(), "paid")
	if o, _ := got.Lookup("web_log", 0); err != nil || o.At != 77 {
		t.Errorf("what a transaction committed is %+v, %v, want 77", o, err)
	}
}

func wantKafkaSettings(t *testing.T, r *running) {
	t.Helper()
	adm := kadm.NewClient(r.client())
	want := map[string]map[string]string{
		"web_log": {"retention.ms": "7200000", "segment.bytes": "1048576", "max.message.bytes": "1048588"},
		"latest":  {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", "retention.ms": "86400000"}, // the last is all brokers'
	}
	for topic, settings := range want {
		got, err := adm.DescribeTopicConfigs(t.Context(), topic)
		if err != nil || len(got) != 1 {
			t.Fatal(got, err)
		}
		for _, c := range got[0].Configs {
			if v, asked := settings[c.Key]; asked && (c.Value == nil || *c.Value != v) {
				t.Errorf("%s of %s is %v, want %s", c.Key, topic, c.MaybeValue(), v)
			}
		}
	}
}

// wantSleeperEnded takes up the transactional id whose transaction the kill left open: it is aborted, and goes on.
func wantSleeperEnded(t *testing.T, r *running) {
	t.Helper()
	cl := r.client(kgo.TransactionalID("sleeper"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "accounts", Value: []byte("payer at last")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := cl.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if n := len(r.consume("accounts", 11, kgo.FetchIsolationLevel(kgo.ReadCommitted()))); n != 11 {
		t.Errorf("%d committed records, want 11", n)
	}
}

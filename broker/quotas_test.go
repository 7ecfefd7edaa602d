package broker_test

import (
	"bufio"
	"sync/atomic"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// limit sets a quota for one client id.
func limit(t *testing.T, cl *kgo.Client, client, key string, value float64) {
	t.Helper()
	done, err := kadm.NewClient(cl).AlterClientQuotas(t.Context(), []kadm.AlterClientQuotaEntry{{
		Entity: kadm.ClientQuotaEntity{{Type: "client-id", Name: &client}},
		Ops:    []kadm.AlterClientQuotaOp{{Key: key, Value: value}},
	}})
	if err != nil || len(done) != 1 || done[0].Err != nil {
		t.Fatalf("setting a quota: %v, %v", done, err)
	}
}

func TestAProducerAboveItsQuotaIsSlowedAndNeverRefused(t *testing.T) {
	r := start(t, broker.Config{Settings: map[string]string{"quota.window.num": "2"}})
	limit(t, r.client(), "slow", "producer_byte_rate", 100_000)
	throttled := &throttles{}
	slow := r.client(kgo.ClientID("slow"), kgo.WithHooks(throttled), kgo.ProducerBatchCompression(kgo.NoCompression()))
	fast := r.client(kgo.ClientID("fast"), kgo.ProducerBatchCompression(kgo.NoCompression()))
	value := make([]byte, 50_000)
	began := time.Now()
	for range 5 {
		if err := slow.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: value}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	// 250 kB at 100 kB a second, one second's worth of them at once; the last answer does not wait for what comes after it.
	if took := time.Since(began); took < 900*time.Millisecond {
		t.Errorf("250 kB took %s at 100 kB a second", took)
	}
	if throttled.n.Load() == 0 {
		t.Error("the producer was never told to wait")
	}
	began = time.Now()
	for range 5 {
		if err := fast.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: value}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took > 800*time.Millisecond {
		t.Errorf("a client without a quota took %s", took)
	}
	wantRecords(t, r, "t", 10)
}

func TestAConsumerAboveItsQuotaIsSlowed(t *testing.T) {
	r := start(t, broker.Config{Settings: map[string]string{"quota.window.num": "2"}})
	cl := r.client(kgo.ProducerBatchCompression(kgo.NoCompression()))
	limit(t, cl, "slow", "consumer_byte_rate", 100_000)
	value := make([]byte, 50_000)
	for range 5 {
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: value}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	throttled := &throttles{}
	began := time.Now()
	r.consume("t", 5, kgo.ClientID("slow"), kgo.WithHooks(throttled), kgo.FetchMaxBytes(60_000))
	if took := time.Since(began); took < 900*time.Millisecond || throttled.n.Load() == 0 {
		t.Errorf("250 kB took %s at 100 kB a second, and the consumer was told %d times to wait", took, throttled.n.Load())
	}
}

// TestTheBrokersEndDoesNotWaitForThrottledClients stops a broker with a client that must wait for a minute.
func TestTheBrokersEndDoesNotWaitForThrottledClients(t *testing.T) {
	r := start(t, broker.Config{Settings: map[string]string{"quota.window.num": "2"}})
	cl := r.client(kgo.ClientID("slow"), kgo.ProducerBatchCompression(kgo.NoCompression()))
	limit(t, cl, "slow", "producer_byte_rate", 1000)
	req := kmsg.NewPtrMetadataRequest()
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: make([]byte, 60_000)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = req.RequestWith(t.Context(), cl) }() // it waits its turn
	began := time.Now()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the broker took %s to end", took)
	}
}

// TestTheNextRequestOfAThrottledClientWaits is a client that was told to wait and does not.
func TestTheNextRequestOfAThrottledClientWaits(t *testing.T) {
	registry := prometheus.NewRegistry()
	r := start(t, broker.Config{CreateTopics: []string{"t:1"}, Registry: registry, Settings: map[string]string{"quota.window.num": "2"}})
	limit(t, r.client(), "raw", "producer_byte_rate", 1000)
	conn, batch := r.raw(), seal(t, 300, record.NoProducer, record.None)
	in := bufio.NewReader(conn)
	answer := func() *kmsg.ProduceResponse {
		t.Helper()
		send(t, conn, 7, produceRequest("t", 0, 1, batch))
		b, err := readReply(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp := kmsg.NewPtrProduceResponse()
		resp.SetVersion(7)
		if err := resp.ReadFrom(b[4:]); err != nil || resp.Topics[0].Partitions[0].ErrorCode != 0 {
			t.Fatalf("answered %+v, %v", resp, err)
		}
		return resp
	}
	began := time.Now()
	told := time.Duration(answer().ThrottleMillis) * time.Millisecond
	if took := time.Since(began); told < 500*time.Millisecond || took > told {
		t.Fatalf("told to wait %s, after %s: want to be told at once", told, took)
	}
	answer()
	if took := time.Since(began); took < told {
		t.Errorf("the next request was answered after %s, want not before %s", took, told)
	}
	if n := series(t, registry, "loghaul_broker_throttled_total")["producer_byte_rate"]; n != 2 {
		t.Errorf("%v throttled requests counted, want 2", n)
	}
	if s := series(t, registry, "loghaul_broker_throttled_seconds_total")["producer_byte_rate"]; s < told.Seconds() {
		t.Errorf("%v s of waiting counted, want %s and more", s, told)
	}
}

// throttles counts how often a client was told to wait.
type throttles struct{ n atomic.Int32 }

// OnBrokerThrottle is franz-go's hook.
func (h *throttles) OnBrokerThrottle(_ kgo.BrokerMetadata, d time.Duration, after bool) { h.n.Add(1) }

// wantRecords counts what a topic holds.
func wantRecords(t *testing.T, r *running, topic string, n int) {
	t.Helper()
	ends, err := kadm.NewClient(r.client()).ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	if end, _ := ends.Lookup(topic, 0); end.Offset != int64(n) {
		t.Errorf("the topic holds %d records, want %d", end.Offset, n)
	}
}

func TestConnectionsAboveTheRateOfTheirAddressWait(t *testing.T) {
	r := start(t, broker.Config{Settings: map[string]string{"quota.window.num": "2"}})
	cl := r.client()
	done, err := kadm.NewClient(cl).AlterClientQuotas(t.Context(), []kadm.AlterClientQuotaEntry{{
		Entity: kadm.ClientQuotaEntity{{Type: "ip"}}, // every address
		Ops:    []kadm.AlterClientQuotaOp{{Key: "connection_creation_rate", Value: 1}},
	}})
	if err != nil || done[0].Err != nil {
		t.Fatal(done, err)
	}
	began := time.Now()
	for range 3 {
		conn := r.raw()
		send(t, conn, 0, kmsg.NewPtrApiVersionsRequest())
		if _, err := readReply(bufio.NewReader(conn), nil); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took < 900*time.Millisecond {
		t.Errorf("three connections were served in %s at one a second", took)
	}
}

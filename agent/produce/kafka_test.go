package produce

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/realkafka"
)

// What is waited for rests on Kafka's own word of where the leader's log ends; one that
// did not say it would not be waited for.
func TestRule4_KafkaSaysWhereTheLeadersLogEnds(t *testing.T) {
	if testing.Short() {
		t.Skip("a real Kafka is started without -short only")
	}
	k := realkafka.Start(t, realkafka.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Addr))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if resp, err := kadm.NewClient(client).CreateTopic(ctx, 1, 1, nil, "web_log"); err != nil || resp.Err != nil {
		t.Fatal(err, resp.Err)
	}
	log, err := (&Client{cfg: Config{Kafka: kafka.Config{Brokers: []string{k.Addr}}}}).openLog(ctx, k.Addr, journal.Partition{Topic: "web_log"})
	if err != nil {
		t.Fatal(err)
	}
	defer log.conn.Close()
	for n := range int64(3) {
		start, end, err := log.bounds(ctx)
		if err != nil || !log.tips || start != 0 || int64(end) != n {
			t.Fatalf("the log runs from %d to %d, %v; want 0 to %d", start, end, err, n)
		}
		_, epoch, err := log.offset(ctx, atEnd)
		if err != nil || epoch < 0 {
			t.Fatalf("the leader's epoch is %d, %v", epoch, err)
		}
		if tip, err := log.leaderEnd(ctx, epoch); err != nil || int64(tip) != n {
			t.Fatalf("the leader's log ends at %d, %v; want %d", tip, err, n)
		}
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: "web_log", Value: []byte("line")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

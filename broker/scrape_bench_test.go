package broker_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// BenchmarkScrape is one answer with the metrics of 1,000 partitions, in each of which ten groups have committed. Nothing
// is counted between two answers, so this is all that being seen costs beside the counters.
func BenchmarkScrape(b *testing.B) {
	registry := prometheus.NewRegistry()
	br, err := broker.New(broker.Config{Data: b.TempDir(), Listen: []string{"127.0.0.1:0"}, CreateTopics: []string{"t:1000"}, Registry: registry})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- br.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	<-br.Ready()
	conn, err := kafka.Config{Brokers: []string{br.Addr()}}.Dial(b.Context(), br.Addr())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	for g := range 10 {
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Version, req.Group, req.Generation = 7, fmt.Sprint("group-", g), -1
		topic := kmsg.OffsetCommitRequestTopic{Topic: "t"}
		for p := range int32(1000) {
			topic.Partitions = append(topic.Partitions, kmsg.OffsetCommitRequestTopicPartition{Partition: p})
		}
		req.Topics = append(req.Topics, topic)
		if _, err := conn.Call(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := registry.Gather(); err != nil {
			b.Fatal(err)
		}
	}
}

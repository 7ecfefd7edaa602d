package broker_test

import (
	"fmt"
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestFranzProducesAndConsumesWithEveryCodec(t *testing.T) {
	r := start(t, broker.Config{})
	codecs := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
	for name, codec := range codecs {
		t.Run(name, func(t *testing.T) {
			cl := r.client(kgo.ProducerBatchCompression(codec))
			r.produce(cl, "lines-"+name, 0, 3000)
			wantLines(t, r.consume("lines-"+name, 3000), 3000)
		})
	}
}

func TestTopicSurvivesACleanRestart(t *testing.T) {
	dir := t.TempDir()
	r := start(t, broker.Config{Data: dir, Settings: map[string]string{"num.partitions": "3"}})
	cl := r.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	r.produce(cl, "web_log", 0, 100)
	before, err := kadm.NewClient(cl).ListTopics(t.Context(), "web_log")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = start(t, broker.Config{Data: dir})
	wantLines(t, r.consume("web_log", 100), 100)
	cl = r.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	after, err := kadm.NewClient(cl).ListTopics(t.Context(), "web_log")
	if err != nil {
		t.Fatal(err)
	}
	if a, b := after["web_log"], before["web_log"]; a.ID != b.ID || len(a.Partitions) != 3 || a.Partitions[0].LeaderEpoch != b.Partitions[0].LeaderEpoch+1 {
		t.Errorf("after the restart %+v, before it %+v: want the same id, 3 partitions, the next leader epoch", a, b)
	}
	r.produce(cl, "web_log", 100, 150)
	wantLines(t, r.consume("web_log", 150), 150)
}

func TestGroupOfTwoSharesPartitions(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"shared:4"}})
	var members []*kgo.Client
	for range 2 {
		members = append(members, r.client(kgo.ConsumerGroup("g"), kgo.ConsumeTopics("shared"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())))
	}
	seen := make(chan string, 4000)
	ended := make(chan struct{})
	for _, m := range members {
		go func() {
			for {
				fetches := m.PollFetches(t.Context())
				if fetches.IsClientClosed() || t.Context().Err() != nil {
					ended <- struct{}{}
					return
				}
				fetches.EachRecord(func(rec *kgo.Record) { seen <- string(rec.Value) })
			}
		}()
	}
	cl := r.client()
	r.produce(cl, "shared", 0, 1000)
	got := map[string]int{}
	for len(got) < 1000 {
		got[<-seen]++
	}
	for i := range 1000 {
		if n := got[fmt.Sprintf("line %d", i)]; n != 1 {
			t.Errorf("line %d came %d times", i, n)
		}
	}
	for _, m := range members {
		m.Close()
		<-ended
	}
}

package broker_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/realkafka"
)

// smallKafka gives a Kafka of any age a topic with settings, a trimmed start and a group, and ends it cleanly.
func smallKafka(t *testing.T, version realkafka.Version) (data string) {
	t.Helper()
	k := realkafka.Start(t, realkafka.Config{Version: version, Properties: map[string]string{"offsets.topic.num.partitions": "8"}})
	r := &running{t: t, addr: k.Addr}
	cl := r.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.UnknownTopicRetries(100), kgo.MetadataMinAge(50*time.Millisecond))
	adm := kadm.NewClient(cl)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := adm.CreateTopic(ctx, 2, 1, map[string]*string{"retention.ms": kadm.StringPtr("-1"), "segment.bytes": kadm.StringPtr("1048576")}, "web_log"); err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "web_log", Partition: int32(i % 2), Value: fmt.Appendf(nil, "line %d", i/2)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	trim := kadm.Offsets{}
	trim.Add(kadm.Offset{Topic: "web_log", Partition: 1, At: 40})
	if _, err := adm.DeleteRecords(ctx, trim); err != nil {
		t.Fatal(err)
	}
	var at kadm.Offsets
	at.Add(kadm.Offset{Topic: "web_log", Partition: 0, At: 77, LeaderEpoch: -1})
	if err := adm.CommitAllOffsets(ctx, "readers", at); err != nil {
		t.Fatal(err)
	}
	cl.Close()
	k.Stop(t)
	data = t.TempDir()
	if err := os.CopyFS(data, os.DirFS(k.Logs)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(data, ".lock")); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(data, ".kafka_cleanshutdown")); err != nil {
		t.Fatalf("the Kafka did not end cleanly: %v", err)
	}
	return data
}

// A folder that a Kafka closed is taken over whole; then Kafka's own tool reads every file, after a kill and a cut too.
func TestAFolderThatAKafkaClosedIsTakenOverAndStaysKafkas(t *testing.T) {
	for _, version := range []realkafka.Version{realkafka.V4, realkafka.V3} {
		t.Run(string(version), func(t *testing.T) {
			data := smallKafka(t, version)
			r := start(t, broker.Config{Data: data})
			want := func(r *running, lines int) {
				t.Helper()
				seen := map[int32]int{1: 40}
				for _, rec := range r.consume("web_log", lines) {
					if rec.Offset != int64(seen[rec.Partition]) || string(rec.Value) != fmt.Sprint("line ", rec.Offset) {
						t.Fatalf("web_log-%d has %q at offset %d, want offset %d", rec.Partition, rec.Value, rec.Offset, seen[rec.Partition])
					}
					seen[rec.Partition]++
				}
				got, err := kadm.NewClient(r.client()).FetchOffsets(t.Context(), "readers")
				if o, _ := got.Lookup("web_log", 0); err != nil || o.At != 77 {
					t.Errorf("the group is at %+v, %v, want 77", o, err)
				}
			}
			want(r, 160)
			if r.log.count("recovered") > 0 || r.log.count("left out") > 0 || r.log.count("not known") > 0 {
				t.Errorf("the log says\n%s", r.log)
			}
			cl := r.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
			for i := range 50 {
				if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "web_log", Value: fmt.Appendf(nil, "line %d", 100+i)}).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
			killed := t.TempDir()
			if err := os.CopyFS(killed, os.DirFS(data)); err != nil { // what a kill leaves
				t.Fatal(err)
			}
			log := filepath.Join(killed, "web_log-0", "00000000000000000000.log")
			torn, err := os.ReadFile(log)
			if err == nil {
				err = os.WriteFile(log, append(torn, torn[:50]...), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			r = start(t, broker.Config{Data: killed})
			want(r, 210)
			if r.log.count("recovered web_log-0: truncated 50 bytes at position") != 1 {
				t.Errorf("no line about the cut:\n%s", r.log)
			}
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			for _, folder := range []string{data, killed} {
				kafkaReadsAll(t, folder)
			}
		})
	}
}

// kafkaReadsAll has Kafka's own tool look at every file of every partition.
func kafkaReadsAll(t *testing.T, data string) {
	t.Helper()
	tools := realkafka.StartTools(t, realkafka.V4)
	defer tools.Close()
	var files []string
	for _, suffix := range []string{"log", "index", "timeindex", "txnindex", "snapshot"} {
		found, err := filepath.Glob(filepath.Join(data, "*-*", "0*."+suffix))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	r, err := tools.Run(t.Context(), "", "org.apache.kafka.tools.DumpLogSegments", "--deep-iteration", "--files", strings.Join(files, ","))
	if err != nil || r.Code != 0 || strings.Contains(r.Out, "isvalid: false") || strings.Contains(r.Out+r.Err, "ismatch") || strings.Contains(r.Err, "time index") {
		t.Errorf("dumping %v: %v, %s", files, err, r)
	}
	if !strings.Contains(r.Out, filepath.Join(data, "web_log-0", "00000000000000000000.log")) {
		t.Errorf("Kafka's tool did not come to web_log-0:\n%s", r.Out)
	}
}

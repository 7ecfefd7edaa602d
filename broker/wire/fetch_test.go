package wire

import (
	"bytes"
	"testing"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sampleFetch has two topics, three partitions, something to forget, and tags where they may stand.
func sampleFetch(version int16) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.SetVersion(version)
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.IsolationLevel = 500, 1, 1<<20, 1
	req.SessionID, req.SessionEpoch, req.Rack = 9, 3, "r1"
	part := func(i int32, offset int64) kmsg.FetchRequestTopicPartition {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch, p.LogStartOffset = i, offset, 1000+i, 4, -1
		return p
	}
	req.Topics = []kmsg.FetchRequestTopic{
		{Topic: "web_log", TopicID: [16]byte{1}, Partitions: []kmsg.FetchRequestTopicPartition{part(0, 5), part(3, 1<<40)}},
		{Topic: "b", TopicID: [16]byte{2}, Partitions: []kmsg.FetchRequestTopicPartition{part(1, 0)}},
	}
	req.ForgottenTopics = []kmsg.FetchRequestForgottenTopic{{Topic: "c", TopicID: [16]byte{3}, Partitions: []int32{4, 5}}}
	if version >= 12 {
		req.ClusterID = kmsg.StringPtr("cluster")
		req.Topics[1].UnknownTags.Set(9, []byte("t"))
		req.Topics[1].Partitions[0].UnknownTags.Set(77, []byte("u"))
	}
	return req
}

// sameFetch compares what was decoded with kmsg's view of the same bytes.
func sameFetch(t *testing.T, got *FetchRequest, want *kmsg.FetchRequest) {
	t.Helper()
	v := want.Version
	if got.MaxWaitMillis != want.MaxWaitMillis || got.MinBytes != want.MinBytes || v >= 3 && got.MaxBytes != want.MaxBytes ||
		got.ReadCommitted != (v >= 4 && want.IsolationLevel == 1) || len(got.Topics) != len(want.Topics) {
		t.Fatalf("version %d: got %+v, want %+v", v, got, want)
	}
	if v >= 7 && (got.SessionID != want.SessionID || got.SessionEpoch != want.SessionEpoch) {
		t.Fatalf("version %d: session %d/%d, want %d/%d", v, got.SessionID, got.SessionEpoch, want.SessionID, want.SessionEpoch)
	}
	for i, topic := range got.Topics {
		w := want.Topics[i]
		if v <= 12 && string(topic.Name) != w.Topic || v >= 13 && topic.ID != w.TopicID || topic.End-topic.First != len(w.Partitions) {
			t.Fatalf("version %d: topic %d is %+v, want %+v", v, i, topic, w)
		}
		for j, p := range got.Partitions[topic.First:topic.End] {
			wp := w.Partitions[j]
			if p.Index != wp.Partition || int64(p.Offset) != wp.FetchOffset || p.MaxBytes != wp.PartitionMaxBytes || v >= 9 && p.LeaderEpoch != wp.CurrentLeaderEpoch {
				t.Fatalf("version %d: partition %d of topic %d is %+v, want %+v", v, j, i, p, wp)
			}
		}
	}
}

func TestFetchRequestReadsAsKmsgWrites(t *testing.T) {
	for version := int16(0); version <= 16; version++ {
		req := sampleFetch(version)
		var got FetchRequest
		if err := got.Decode(req.AppendTo(nil), version); err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		sameFetch(t, &got, req)
		if version >= 7 && got.ForgottenCount != 2 {
			t.Errorf("version %d: %d partitions to forget, want 2", version, got.ForgottenCount)
		}
	}
}

// assemble puts records into a response's head as a connection would.
func assemble(head *FetchHead, records [][]byte) []byte {
	var b []byte
	at := 0
	for i, r := range records {
		b = append(b, head.B[at:head.Cuts[i]]...)
		b = append(b, r...)
		at = head.Cuts[i]
	}
	return append(b, head.B[at:]...)
}

// readFetch reads a response's body in kmsg.
func readFetch(t *testing.T, b []byte, version int16) *kmsg.FetchResponse {
	t.Helper()
	var resp kmsg.FetchResponse
	resp.SetVersion(version)
	if err := resp.ReadFrom(b); err != nil {
		t.Fatalf("version %d: the answer cannot be read: %v", version, err)
	}
	return &resp
}

func TestFetchResponseReadsBackInKmsg(t *testing.T) {
	for version := int16(0); version <= 16; version++ {
		var req FetchRequest
		if err := req.Decode(sampleFetch(version).AppendTo(nil), version); err != nil {
			t.Fatal(err)
		}
		records := [][]byte{bytes.Repeat([]byte("a"), 200), nil, []byte("b")}
		results := []FetchResult{{HighWatermark: 9, LastStable: 7, LogStart: 2, Length: 200, Aborted: []AbortedTxn{{5, 3}, {6, 1 << 40}}}, {Error: 1, HighWatermark: -1, LogStart: -1}, {HighWatermark: 1 << 40, Length: 1}}
		var head FetchHead
		AppendFetchResponse(&head, &req, results, 0, version)
		resp := readFetch(t, assemble(&head, records), version)
		first, refused, last := resp.Topics[0].Partitions[0], resp.Topics[0].Partitions[1], resp.Topics[1].Partitions[0]
		if !bytes.Equal(first.RecordBatches, records[0]) || !bytes.Equal(last.RecordBatches, records[2]) || len(refused.RecordBatches) != 0 {
			t.Errorf("version %d: the records came back as %d, %d and %d bytes", version, len(first.RecordBatches), len(refused.RecordBatches), len(last.RecordBatches))
		}
		if first.HighWatermark != 9 || version >= 4 && first.LastStableOffset != 7 || refused.ErrorCode != 1 || last.HighWatermark != 1<<40 || last.Partition != 1 {
			t.Errorf("version %d came back as %+v", version, resp)
		}
		if a := first.AbortedTransactions; version >= 4 && (len(a) != 2 || a[1].ProducerID != 6 || a[1].FirstOffset != 1<<40 || last.AbortedTransactions == nil) {
			t.Errorf("version %d: aborted transactions came back as %+v and %+v", version, a, last.AbortedTransactions)
		}
		if version >= 5 && first.LogStartOffset != 2 || resp.SessionID != 0 {
			t.Errorf("version %d came back as %+v", version, resp)
		}
		AppendFetchResponse(&head, &req, nil, 70, version)
		if version >= 7 {
			var refused FetchHead
			AppendFetchResponse(&refused, &req, nil, 70, version)
			if resp := readFetch(t, refused.B, version); resp.ErrorCode != 70 || len(resp.Topics) != 0 {
				t.Errorf("version %d: a refused request came back as %+v", version, resp)
			}
		}
	}
}

func FuzzFetchRequest(f *testing.F) {
	for version := int16(0); version <= 16; version++ {
		f.Add(sampleFetch(version).AppendTo(nil), version)
	}
	f.Fuzz(func(t *testing.T, body []byte, version int16) {
		if version < 0 || version > 16 {
			return
		}
		var got FetchRequest
		if got.Decode(body, version) != nil {
			return
		}
		want := kmsg.NewPtrFetchRequest()
		want.SetVersion(version)
		if want.ReadFrom(body) != nil {
			return // kmsg refuses null where we read an empty field, and looks into tags that we skip
		}
		sameFetch(t, &got, want)
		results, records := make([]FetchResult, len(got.Partitions)), make([][]byte, len(got.Partitions))
		for i := range results {
			records[i] = []byte("xyz")
			results[i] = FetchResult{Length: 3, HighWatermark: record.Offset(i)}
		}
		var head FetchHead
		AppendFetchResponse(&head, &got, results, 0, version)
		readFetch(t, assemble(&head, records), version)
	})
}

func FuzzHeader(f *testing.F) {
	f.Add(kmsg.NewRequestFormatter(kmsg.FormatterClientID("me")).AppendRequest(nil, kmsg.NewPtrApiVersionsRequest(), 42)[4:])
	f.Add([]byte{0, 18, 0, 0, 0, 0, 0, 1, 0x80, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, rest, err := ParseHeader(frame)
		if err != nil {
			return
		}
		if len(h.ClientID)+len(rest) > len(frame)-10 {
			t.Fatalf("%d bytes hold a client id of %d and %d more", len(frame), len(h.ClientID), len(rest))
		}
		if body, err := SkipTags(rest); err == nil && len(body) >= max(len(rest), 1) {
			t.Fatal("skipping tags skipped nothing")
		}
	})
}

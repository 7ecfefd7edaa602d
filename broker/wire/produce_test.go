package wire

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestProduceRequestReadsAsKmsgWrites(t *testing.T) {
	for version := int16(0); version <= 11; version++ {
		req := sampleProduce(version)
		var got ProduceRequest
		if err := got.Decode(req.AppendTo(nil), version); err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		sameProduce(t, &got, req)
	}
}

// sampleProduce has two topics, three partitions, one of them with null records, and tags where they may stand.
func sampleProduce(version int16) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.SetVersion(version)
	req.TransactionID, req.Acks, req.TimeoutMillis = kmsg.StringPtr("tx"), -1, 1234
	req.Topics = []kmsg.ProduceRequestTopic{
		{Topic: "web_log", Partitions: []kmsg.ProduceRequestTopicPartition{{Partition: 0, Records: []byte("first")}, {Partition: 7}}},
		{Topic: "b", Partitions: []kmsg.ProduceRequestTopicPartition{{Partition: 2, Records: bytes.Repeat([]byte("x"), 300)}}},
	}
	if version >= 9 {
		req.UnknownTags.Set(3, []byte("tag"))
		req.Topics[0].UnknownTags.Set(0, []byte("t"))
		req.Topics[0].Partitions[1].UnknownTags.Set(200, bytes.Repeat([]byte("u"), 200))
	}
	return req
}

// sameProduce compares what was decoded with kmsg's view of the same bytes.
func sameProduce(t *testing.T, got *ProduceRequest, want *kmsg.ProduceRequest) {
	t.Helper()
	tx := ""
	if want.TransactionID != nil && want.Version >= 3 {
		tx = *want.TransactionID
	}
	if string(got.TransactionalID) != tx || got.Acks != want.Acks || got.TimeoutMillis != want.TimeoutMillis || len(got.Topics) != len(want.Topics) {
		t.Fatalf("version %d: got %+v, want %+v", want.Version, got, want)
	}
	for i, topic := range got.Topics {
		if string(topic.Name) != want.Topics[i].Topic || topic.End-topic.First != len(want.Topics[i].Partitions) {
			t.Fatalf("version %d: topic %d is %+v, want %+v", want.Version, i, topic, want.Topics[i])
		}
		for j, p := range got.Partitions[topic.First:topic.End] {
			w := want.Topics[i].Partitions[j]
			if p.Index != w.Partition || !bytes.Equal(p.Records, w.Records) || (p.Records == nil) != (w.Records == nil) {
				t.Fatalf("version %d: partition %d of topic %d is %+v, want %+v", want.Version, j, i, p, w)
			}
		}
	}
}

func TestProduceResponseReadsBackInKmsg(t *testing.T) {
	for version := int16(0); version <= 11; version++ {
		var req ProduceRequest
		if err := req.Decode(sampleProduce(version).AppendTo(nil), version); err != nil {
			t.Fatal(err)
		}
		results := []ProduceResult{{Base: 5, AppendTime: -1, LogStart: 1}, {Error: 87, Base: -1, AppendTime: -1, LogStart: -1, Message: "no", Records: []RecordError{{Index: 3, Message: "bad"}, {Index: 300}}}, {Base: 1 << 40, AppendTime: 77}}
		b, marks := AppendProduceResponse(nil, &req, results, version)
		b[marks[2]+1] = 56
		var resp kmsg.ProduceResponse
		resp.SetVersion(version)
		if err := resp.ReadFrom(b); err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		first, refused, last := resp.Topics[0].Partitions[0], resp.Topics[0].Partitions[1], resp.Topics[1].Partitions[0]
		if resp.Topics[0].Topic != "web_log" || first.BaseOffset != 5 || refused.ErrorCode != 87 || last.BaseOffset != 1<<40 || version >= 2 && last.LogAppendTime != 77 {
			t.Errorf("version %d came back as %+v", version, resp)
		}
		if last.ErrorCode != 56 {
			t.Errorf("version %d: the mark of the last partition leads to code %d", version, last.ErrorCode)
		}
		if version >= 8 && (refused.ErrorMessage == nil || *refused.ErrorMessage != "no" || first.ErrorMessage != nil) {
			t.Errorf("version %d: messages %v and %v", version, refused.ErrorMessage, first.ErrorMessage)
		}
		if e := refused.ErrorRecords; version >= 8 && (len(e) != 2 || e[0].RelativeOffset != 3 || *e[0].ErrorMessage != "bad" || e[1].RelativeOffset != 300 || len(last.ErrorRecords) != 0) {
			t.Errorf("version %d: errors of records %+v and %+v", version, e, last.ErrorRecords)
		}
	}
}

func TestLyingCountsAllocateNothing(t *testing.T) {
	body := []byte{0xff, 0xff, 0, 1, 0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff, 0, 1, 'a', 0x7f, 0xff, 0xff, 0xff}
	var req ProduceRequest
	if err := req.Decode(body, 7); !errors.Is(err, ErrMalformed) || cap(req.Topics) > 0 {
		t.Errorf("two billion topics in %d bytes: %v, room for %d topics", len(body), err, cap(req.Topics))
	}
}

func FuzzProduceRequest(f *testing.F) {
	for version := int16(0); version <= 11; version++ {
		f.Add(sampleProduce(version).AppendTo(nil), version)
	}
	f.Fuzz(func(t *testing.T, body []byte, version int16) {
		if version < 0 || version > 11 {
			return
		}
		var got ProduceRequest
		if got.Decode(body, version) != nil {
			return
		}
		want := kmsg.NewPtrProduceRequest()
		want.SetVersion(version)
		if want.ReadFrom(body) != nil {
			return // kmsg refuses null where we read an empty field
		}
		sameProduce(t, &got, want)
		results := make([]ProduceResult, len(got.Partitions))
		b, _ := AppendProduceResponse(nil, &got, results, version)
		var resp kmsg.ProduceResponse
		resp.SetVersion(version)
		if err := resp.ReadFrom(b); err != nil {
			t.Fatalf("version %d: the answer cannot be read: %v", version, err)
		}
	})
}

func ExampleParseHeader() {
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("me")).AppendRequest(nil, kmsg.NewPtrApiVersionsRequest(), 42)
	h, _, err := ParseHeader(frame[4:])
	fmt.Println(h.Key, h.Version, h.Correlation, h.ClientID, err)
	// Output: 18 0 42 me <nil>
}

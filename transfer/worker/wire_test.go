package worker

import (
	"bytes"
	"math"
	"testing"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The request is what a well-known codec reads back.
func TestTheRequestIsAFetchOfVersion11(t *testing.T) {
	asks := []ask{{"web_log", 0, 5, 100}, {"web_log", 3, 6, 200}, {"app", 1, math.MaxInt64, 300}}
	body := appendFetch(nil, fetchLimits{maxWaitMs: 500, minBytes: 1, maxBytes: 8 << 20}, asks)
	r := kmsg.NewPtrFetchRequest()
	r.Version = fetchVersion
	if err := r.ReadFrom(body); err != nil {
		t.Fatalf("reading the request back: %v", err)
	}
	if r.MaxWaitMillis != 500 || r.MinBytes != 1 || r.MaxBytes != 8<<20 || r.IsolationLevel != 1 || r.SessionEpoch != -1 || r.ReplicaID != -1 {
		t.Errorf("got %+v", r)
	}
	var got []ask
	for _, topic := range r.Topics {
		for _, p := range topic.Partitions {
			got = append(got, ask{topic.Topic, p.Partition, record.Offset(p.FetchOffset), p.PartitionMaxBytes})
		}
	}
	if len(r.Topics) != 2 || len(got) != 3 || got[0] != asks[0] || got[1] != asks[1] || got[2] != asks[2] {
		t.Errorf("asked for %+v, want %+v", got, asks)
	}
}

func response() *kmsg.FetchResponse {
	r := kmsg.NewPtrFetchResponse()
	r.Version = fetchVersion
	for _, name := range []string{"web_log", "app"} {
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic = name
		for i := range int32(2) {
			p := kmsg.NewFetchResponseTopicPartition()
			p.Partition, p.ErrorCode, p.HighWatermark, p.LogStartOffset = i, int16(i), 100, 3
			if i == 0 {
				a := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
				a.ProducerID, a.FirstOffset = 7, 9
				p.AbortedTransactions = append(p.AbortedTransactions, a)
				p.RecordBatches = []byte("bytes of " + name)
			}
			topic.Partitions = append(topic.Partitions, p)
		}
		r.Topics = append(r.Topics, topic)
	}
	return r
}

func TestAnAnswerIsReadAsItWasWritten(t *testing.T) {
	var got []answer
	code, err := parseFetch(response().AppendTo(nil), func(a answer) { got = append(got, a) })
	if err != nil || code != 0 || len(got) != 4 {
		t.Fatalf("got %d partitions, code %d, %v; want 4 partitions", len(got), code, err)
	}
	a := got[2]
	if a.topic != "app" || a.partition != 0 || a.high != 100 || a.start != 3 || !bytes.Equal(a.records, []byte("bytes of app")) ||
		len(a.aborted) != 1 || a.aborted[0] != (aborted{7, 9}) {
		t.Errorf("got %+v", a)
	}
	if got[3].code != 1 {
		t.Errorf("got code %d, want 1", got[3].code)
	}
}

func TestAnAnswerThatIsCutIsRefused(t *testing.T) {
	whole := response().AppendTo(nil)
	for n := range whole {
		if _, err := parseFetch(whole[:n], func(answer) {}); err == nil {
			t.Fatalf("the first %d of %d bytes were taken for an answer", n, len(whole))
		}
	}
}

func FuzzParseFetch(f *testing.F) {
	f.Add(response().AppendTo(nil))
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0x7f}, 100))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = parseFetch(b, func(a answer) {
			if len(a.records) > len(b) || len(a.topic) > len(b) {
				t.Errorf("a partition of %d bytes out of an answer of %d", len(a.records), len(b))
			}
			n, _, _ := walk(a.records, 0)
			if n > len(a.records) {
				t.Errorf("walked %d of %d bytes", n, len(a.records))
			}
		})
	})
}

func FuzzWalk(f *testing.F) {
	b := record.NewBuilder(64)
	b.Append(0, nil, []byte("a"), 0, nil)
	batch, _ := b.Seal(nil, record.NoProducer, record.None, 0, 0)
	f.Add(batch, int64(0))
	f.Add(append(bytes.Clone(batch), batch[:30]...), int64(5))
	f.Fuzz(func(t *testing.T, b []byte, from int64) {
		n, next, err := walk(b, record.Offset(from))
		if n < 0 || n > len(b) || int64(next) < from || err == nil && n != len(b) {
			t.Errorf("walk of %d bytes: %d, %d, %v", len(b), n, next, err)
		}
	})
}

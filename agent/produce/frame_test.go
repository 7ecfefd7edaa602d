package produce

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/loghaul/loghaul/agent/journal"
)

func TestTheRequestIsWhatOthersDecode(t *testing.T) {
	r := &request{}
	for _, at := range []journal.Partition{{Topic: "b", Number: 3}, {Topic: "a", Number: 0}, {Topic: "b", Number: 1}} {
		r.sends = append(r.sends, send{p: &Partition{at: at}, bytes: []byte(at.Topic)})
	}
	var flat []byte
	for _, b := range r.body() {
		flat = append(flat, b...)
	}
	req := kmsg.NewPtrProduceRequest()
	req.Version = produceVersion
	if err := req.ReadFrom(flat); err != nil {
		t.Fatal(err)
	}
	if req.Acks != -1 || req.TransactionID != nil || req.TimeoutMillis != 30_000 || len(req.Topics) != 2 {
		t.Fatalf("request %+v", req)
	}
	if b := req.Topics[1]; b.Topic != "b" || len(b.Partitions) != 2 || b.Partitions[0].Partition != 3 || string(b.Partitions[0].Records) != "b" {
		t.Errorf("topic %+v", b)
	}
	if !bytes.Equal(req.AppendTo(nil), flat) {
		t.Error("the bytes are not what others encode")
	}
}

func FuzzAnswersNeverPanic(f *testing.F) {
	resp := kmsg.NewPtrProduceResponse()
	resp.Version = produceVersion
	t := kmsg.NewProduceResponseTopic()
	t.Topic = "web_log"
	p := kmsg.NewProduceResponseTopicPartition()
	p.Partition, p.ErrorCode, p.BaseOffset = 3, 6, 77
	t.Partitions = append(t.Partitions, p)
	resp.Topics = append(resp.Topics, t)
	f.Add(resp.AppendTo(nil))
	f.Add([]byte{0x7f, 0xff, 0xff, 0xff, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseAnswers(b)
		if err == nil && len(b) == len(resp.AppendTo(nil)) && bytes.Equal(b, resp.AppendTo(nil)) {
			if a := got[journal.Partition{Topic: "web_log", Number: 3}]; a.code != 6 || a.base != 77 {
				t.Errorf("answer %+v", a)
			}
		}
	})
}

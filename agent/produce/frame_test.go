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
	req.Version = produceMost
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

// answers is a response as others encode it: a refusal of web_log-3, with words from v8 on.
func answers(version int16) []byte {
	resp := kmsg.NewPtrProduceResponse()
	resp.Version = version
	t := kmsg.NewProduceResponseTopic()
	t.Topic = "web_log"
	p := kmsg.NewProduceResponseTopicPartition()
	p.Partition, p.ErrorCode, p.BaseOffset = 3, 87, 77
	whole, first := "it is compacted", "no key"
	p.ErrorMessage = &whole
	p.ErrorRecords = []kmsg.ProduceResponseTopicPartitionErrorRecord{{RelativeOffset: 1, ErrorMessage: &first}, {RelativeOffset: 2}}
	t.Partitions = append(t.Partitions, p)
	resp.Topics = append(resp.Topics, t)
	return resp.AppendTo(nil)
}

func TestTheBrokersWordsAreShown(t *testing.T) {
	for version, want := range map[int16]string{7: "", 8: "it is compacted: no key"} {
		got, err := parseAnswers(answers(version), version)
		if err != nil {
			t.Fatalf("v%d: %v", version, err)
		}
		if a := got[journal.Partition{Topic: "web_log", Number: 3}]; a.code != 87 || a.base != 77 || a.words != want {
			t.Errorf("v%d: %+v, want the words %q", version, a, want)
		}
	}
}

func FuzzAnswersNeverPanic(f *testing.F) {
	for _, version := range []int16{7, 8} {
		f.Add(version, answers(version))
		f.Add(version, []byte{0x7f, 0xff, 0xff, 0xff, 0, 1})
	}
	f.Fuzz(func(t *testing.T, version int16, b []byte) {
		got, err := parseAnswers(b, version)
		if err == nil && len(b) > 0 && (version == 7 || version == 8) && bytes.Equal(b, answers(version)) {
			if a := got[journal.Partition{Topic: "web_log", Number: 3}]; a.code != 87 || a.base != 77 {
				t.Errorf("answer %+v", a)
			}
		}
	})
}

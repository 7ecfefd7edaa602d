package broker_test

import (
	"bufio"
	"encoding/binary"
	"sync/atomic"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A client that asks for large answers and reads none would have 64 of them kept. Instead it is not read from any more, and
// gets all its answers once it reads.
func TestUnreadAnswersStopTheReading(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}})
	conn := r.raw()
	req := kmsg.NewPtrListOffsetsRequest()
	req.SetVersion(4)
	req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "web_log"}}
	for i := range int32(50_000) { // an answer of 1.3 MB
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition = i
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, p)
	}
	const asked = 60 // with what the kernel keeps, all of them would be read and acted upon
	var written atomic.Int32
	ended := make(chan error, 1)
	go func() {
		var err error
		for i := range int32(asked) {
			if _, err = conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, req, i)); err != nil {
				break
			}
			written.Add(1)
		}
		ended <- err
	}()
	for before := int32(-1); written.Load() != before; { // until nothing moves any more
		before = written.Load()
		<-time.After(500 * time.Millisecond)
	}
	if n := written.Load(); n > asked/2 {
		t.Errorf("%d of %d requests were taken from a client that reads no answers", n, asked)
	}
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	var b []byte
	for i := range uint32(asked) {
		var err error
		if b, err = readReply(in, b); err != nil || binary.BigEndian.Uint32(b) != i || len(b) < 1<<20 {
			t.Fatalf("answer %d: %d bytes, %v", i, len(b), err)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

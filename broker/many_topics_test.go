package broker_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestAHundredThousandTopicsAskedForAtOnce asks for more than the broker makes: in the request's time some are made, the
// others are refused one by one, with one line in the log, and everybody else is served meanwhile.
func TestAHundredThousandTopicsAskedForAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	r := start(t, broker.Config{})
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 1
	for i := range 100_000 {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = fmt.Sprint("t", i), 1, 1
		req.Topics = append(req.Topics, topic)
	}
	conn := r.raw()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	send(t, conn, 4, req)
	cl := r.client()
	r.produce(cl, "other", 0, 10) // while the topics are made
	wantLines(t, r.consume("other", 10), 10)
	b, err := readReply(bufio.NewReader(conn), nil)
	if err != nil || binary.BigEndian.Uint32(b) != 0 {
		t.Fatalf("the answer is %d bytes, %v", len(b), err)
	}
	resp := kmsg.NewPtrCreateTopicsResponse()
	resp.SetVersion(4)
	if err := resp.ReadFrom(b[4:]); err != nil {
		t.Fatal(err)
	}
	codes := map[int16]int{}
	for _, topic := range resp.Topics {
		codes[topic.ErrorCode]++
	}
	refused := codes[kerr.RequestTimedOut.Code] + codes[kerr.PolicyViolation.Code]
	if codes[0] == 0 || refused == 0 || codes[0]+refused != 100_000 {
		t.Errorf("answered by code: %v, want some made and the others refused", codes)
	}
	if n, m := r.log.count("refused to create topics"), r.log.count("created topics"); n != 1 || m != 1 {
		t.Errorf("%d lines say that topics were refused and %d that some were created, want 1 and 1", n, m)
	}
}

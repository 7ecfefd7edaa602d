package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// countTopic compares the topic's end with the number of lines.
func (p *pipe) countTopic(ctx context.Context, addr string) error {
	conn, err := kafka.Config{ClientID: "loghaul-bench"}.Dial(ctx, addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	req := kmsg.NewPtrListOffsetsRequest()
	req.Version, req.ReplicaID = 4, -1
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = "bench"
	part := kmsg.NewListOffsetsRequestTopicPartition()
	part.CurrentLeaderEpoch, part.Timestamp = -1, -1
	t.Partitions = append(t.Partitions, part)
	req.Topics = append(req.Topics, t)
	resp, err := conn.Call(ctx, req)
	if err != nil {
		return err
	}
	for _, t := range resp.(*kmsg.ListOffsetsResponse).Topics {
		for _, got := range t.Partitions {
			if got.ErrorCode == 0 && got.Offset == int64(p.Lines) {
				return nil
			}
			return fmt.Errorf("the topic holds %d records of %d lines (error code %d)", got.Offset, p.Lines, got.ErrorCode)
		}
	}
	return errors.New("the broker did not say how many records the topic holds")
}

// fileSize is 0 while there is no file.
func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// sameBytes compares what came out with what went in.
func sameBytes(in, out string) error {
	a, err := os.Open(in)
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := os.Open(out)
	if err != nil {
		return err
	}
	defer b.Close()
	bufA, bufB := make([]byte, 1<<20), make([]byte, 1<<20)
	for at := int64(0); ; {
		n, errA := io.ReadFull(a, bufA)
		m, errB := io.ReadFull(b, bufB)
		if !bytes.Equal(bufA[:n], bufB[:m]) {
			return fmt.Errorf("%s differs from %s between bytes %d and %d", out, in, at, at+int64(max(n, m)))
		}
		at += int64(n)
		if errA != nil || errB != nil {
			return nil // both ended, or the lengths would have differed
		}
	}
}

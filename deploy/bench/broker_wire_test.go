package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetchAnswer is what a broker answers to a fetchFrame.
func fetchAnswer(topic string, code int16, aborted int, records []byte) []byte {
	resp := kmsg.NewPtrFetchResponse()
	resp.Version = 11
	p := kmsg.NewFetchResponseTopicPartition()
	p.ErrorCode, p.RecordBatches = code, records
	for range aborted {
		p.AbortedTransactions = append(p.AbortedTransactions, kmsg.NewFetchResponseTopicPartitionAbortedTransaction())
	}
	resp.Topics = []kmsg.FetchResponseTopic{{Topic: topic, Partitions: []kmsg.FetchResponseTopicPartition{p}}}
	return framed(resp.AppendTo(binary.BigEndian.AppendUint32(nil, 1)))
}

func framed(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// at is a batch whose first offset is base.
func at(base record.Offset, records int) []byte {
	batch := zeros(records, 50)
	record.Stamp(batch, base, 0)
	return batch
}

// against runs do on a connection to a server that answers each of its writes with the next of answers.
func against(t *testing.T, do func(addr string) error, answers ...[]byte) error {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for _, a := range answers {
			var head [4]byte
			if _, err := io.ReadFull(conn, head[:]); err != nil {
				return
			}
			if _, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(head[:]))); err != nil {
				return
			}
			if _, err := conn.Write(a); err != nil {
				return
			}
		}
	}()
	err = do(l.Addr().String())
	l.Close()
	<-served
	return err
}

func TestBatchesAreReadInOrder(t *testing.T) {
	first, second, third := at(0, 10), at(10, 5), at(15, 5)
	var got int64
	err := against(t, func(addr string) (err error) {
		got, err = drink(t.Context(), addr, "bench", 20)
		return err
	}, fetchAnswer("bench", 0, 3, append(append(bytes.Clone(first), second...), third[:80]...)), fetchAnswer("bench", 0, 0, nil), fetchAnswer("bench", 0, 0, third))
	if want := int64(len(first) + len(second) + len(third)); err != nil || got != want {
		t.Errorf("read %d bytes of batches, %v: want %d, the one that was cut short once", got, err, want)
	}
}

func TestAGapBetweenBatchesIsFound(t *testing.T) {
	err := against(t, func(addr string) error {
		_, err := drink(t.Context(), addr, "bench", 20)
		return err
	}, fetchAnswer("bench", 0, 0, append(at(0, 10), at(11, 9)...)))
	if err == nil || !strings.Contains(err.Error(), "behind offset 10 comes 11") {
		t.Errorf("reading over a gap = %v", err)
	}
}

func TestARefusalIsSaid(t *testing.T) {
	err := against(t, func(addr string) error {
		_, err := drink(t.Context(), addr, "bench", 20)
		return err
	}, fetchAnswer("bench", 3, 0, nil))
	if err == nil || !strings.Contains(err.Error(), "UNKNOWN_TOPIC_OR_PARTITION") {
		t.Errorf("a refused fetch = %v", err)
	}
	resp := kmsg.NewPtrProduceResponse()
	resp.Version = 7
	resp.Topics = []kmsg.ProduceResponseTopic{{Topic: "bench", Partitions: []kmsg.ProduceResponseTopicPartition{{ErrorCode: 10}}}}
	refused := framed(resp.AppendTo(binary.BigEndian.AppendUint32(nil, 1)))
	var sent int
	err = against(t, func(addr string) (err error) {
		sent, err = pump{addr: addr, topic: "bench", acks: 1, window: 1, batch: zeros(1, 10), more: times(3)}.run(t.Context())
		return err
	}, refused)
	if sent != 0 || err == nil || !strings.Contains(err.Error(), "MESSAGE_TOO_LARGE") {
		t.Errorf("a refused batch: %d sent, %v", sent, err)
	}
}

func TestTheBareLoopKeepsWhatItGets(t *testing.T) {
	batch, records := lines(4000)
	leg, err := measureBare(t.Context(), t.TempDir()+"/bare", "bare", batch, records, 100)
	if err != nil || *leg.LinesPerS <= 0 || *leg.MBPerS <= 0 || leg.Server != bare {
		t.Fatalf("the bare loop's leg is %+v, %v", leg, err)
	}
	batch[len(batch)-1] ^= 1
	if _, err := measureBare(t.Context(), t.TempDir()+"/bare", "bare", batch, records, 1); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("a batch that lies = %v, want its checksum named", err)
	}
}

func TestABatchCarriesTheTimeOfItsSending(t *testing.T) {
	batch, records, at := markedBatch()
	if len(batch) > seenBatch || records < 80 || !bytes.Equal(batch[at:at+len(mark)], []byte(mark)) {
		t.Fatalf("a batch of %d bytes with %d records, %q at %d", len(batch), records, batch[at:at+8], at)
	}
	before := time.Now()
	if !paced(t.Context(), time.Minute, len(batch), at)(batch) {
		t.Fatal("the first batch was not to be sent")
	}
	sent := time.Unix(0, int64(binary.BigEndian.Uint64(batch[at:])))
	if sent.Before(before.Round(0)) || time.Since(sent) > time.Minute || !record.CheckCRC(batch) {
		t.Errorf("it says that it was sent at %v, and its checksum is right: %v", sent, record.CheckCRC(batch))
	}
}

func TestASendingKeepsItsPace(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, errors.New("over"))
	defer cancel()
	batch, _, at := markedBatch()
	more := paced(ctx, time.Minute, len(batch), at)
	n := 0
	began := time.Now()
	for more(batch) {
		n++
	}
	if most := int(time.Since(began).Seconds()*seenRate/float64(len(batch))) + 1; n > most {
		t.Errorf("%d batches went out in %v, want at most %d", n, time.Since(began), most)
	}
}

// FuzzAnswers feeds the reader of answers with bytes of strangers: it returns, with an error or without.
func FuzzAnswers(f *testing.F) {
	f.Add(fetchAnswer("bench", 0, 1, at(0, 3)))
	f.Add(fetchAnswer("bench", 3, 0, nil))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Add(framed(make([]byte, 60)))
	f.Fuzz(func(t *testing.T, answer []byte) {
		for _, read := range []func(*wire) error{
			func(w *wire) error { return w.produced("bench") },
			func(w *wire) error {
				return w.fetched("bench", 8, func(h record.Header, b []byte) {
					if len(b) != record.HeaderSize+8 {
						t.Errorf("%d bytes of a batch were shown, want its header and 8 more", len(b))
					}
				})
			},
		} {
			a, b := net.Pipe()
			go func() {
				a.Write(answer)
				a.Close()
			}()
			w := newWire(b, 1<<10)
			_ = read(w) // any error will do, and none
			b.Close()
		}
	})
}

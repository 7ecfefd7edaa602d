package worker

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer/sink"
)

// bench is a decoder whose feed and sink a test holds in its hands.
type bench struct {
	*decoder
	out    chan *parcel
	stop   chan struct{}
	errs   chan error
	cancel context.CancelFunc
}

func newBench(t *testing.T, memory int64, limits Limits) *bench {
	t.Helper()
	portion := NewBudget(memory).Join()
	b := &bench{out: make(chan *parcel), stop: make(chan struct{}), errs: make(chan error, 100)}
	f := &feed{topic: "web_log", ready: make(chan struct{}, 1)}
	b.decoder = &decoder{topic: "web_log", feed: f, portion: portion, limits: limits, needs: sink.Needs{Key: true, Headers: true}, out: b.out, stop: b.stop, report: func(err error) { b.errs <- err }}
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel = cancel
	done := make(chan struct{})
	go func() { b.run(ctx); close(done) }()
	t.Cleanup(func() {
		cancel()
		for p := range b.out {
			p.arena.release()
		}
		<-done
		f.close()
	})
	return b
}

// give puts batches into the feed, as an answer of the broker does.
func (b *bench) give(t *testing.T, aborted []aborted, batches ...[]byte) {
	t.Helper()
	data := slices.Concat(batches...)
	eventually(t, "room in the feed", func() bool { _, _, _, ok := b.feed.wants(); return ok })
	if !b.portion.fetched.try(int64(len(data))) {
		t.Fatal("no memory for the chunk")
	}
	next, epoch, _, _ := b.feed.wants()
	_, last, _ := walk(data, next)
	b.feed.fill(epoch, &chunk{from: next, data: data, aborted: aborted, fetched: b.portion.fetched}, last, last, nil)
}

// lines takes parcels until n records have come.
func (b *bench) lines(t *testing.T, n int) (lines []string, sizes []int) {
	t.Helper()
	next := record.Offset(-1)
	for len(lines) < n {
		select {
		case p := <-b.out:
			if next >= 0 && p.First != next {
				t.Fatalf("a batch begins at %d, the one before ended at %d", p.First, next)
			}
			next = p.Next
			for _, r := range p.Records {
				lines = append(lines, string(r.Value))
			}
			sizes = append(sizes, len(p.Records))
			p.arena.release()
		case err := <-b.errs:
			t.Fatalf("decoding stopped after %d of %d lines: %v", len(lines), n, err)
		case <-time.After(10 * time.Second):
			t.Fatalf("only %d of %d lines came", len(lines), n)
		}
	}
	return lines, sizes
}

// batchOf seals n records from base on, by a producer; bit sets attribute bits.
func batchOf(t *testing.T, base record.Offset, n, size int, codec record.Codec, producer int64, bits int16) []byte {
	t.Helper()
	b := record.NewBuilder(1024)
	for i := range n {
		value := fmt.Sprintf("%06d", int(base)+i)
		if size > len(value) {
			value += strings.Repeat("x", size-len(value))
		}
		b.Append(0, []byte("k"), []byte(value), 1, record.AppendHeader(nil, "pos", []byte("1:2+3")))
	}
	batch, err := b.Seal(nil, record.Producer{ID: producer}, codec, 1_700_000_000_000, 1_700_000_000_000)
	if err != nil {
		t.Fatal(err)
	}
	if bits != 0 {
		binary.BigEndian.PutUint16(batch[21:], binary.BigEndian.Uint16(batch[21:])|uint16(bits))
		record.SetTimes(batch, 1_700_000_000_000, 1_700_000_000_000) // computes the checksum anew
	}
	record.Stamp(batch, base, 0)
	return batch
}

// markerOf is a control batch: version and type 0 abort, 1 commit.
func markerOf(t *testing.T, base record.Offset, producer int64, kind byte) []byte {
	t.Helper()
	b := record.NewBuilder(64)
	b.Append(0, []byte{0, 0, 0, kind}, []byte{0, 0, 0, 0, 0, 0}, 0, nil)
	batch, err := b.Seal(nil, record.Producer{ID: producer}, record.None, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	binary.BigEndian.PutUint16(batch[21:], 0x30)
	record.SetTimes(batch, 0, 0)
	record.Stamp(batch, base, 0)
	return batch
}

const transactional = 1 << 4

func TestEveryCodecIsDecoded(t *testing.T) {
	b := newBench(t, 64<<20, Limits{Bytes: 1 << 20, Age: time.Millisecond})
	var batches [][]byte
	for codec := record.None; codec <= record.Zstd; codec++ {
		batches = append(batches, batchOf(t, 50*record.Offset(codec), 50, 100, codec, -1, 0))
	}
	b.give(t, nil, batches...)
	if lines, _ := b.lines(t, 250); !strings.HasPrefix(lines[249], "000249") {
		t.Errorf("the last line is %.10q, want 000249", lines[249])
	}
}

// An aborted transaction's records and all markers are left out (rule 17); a later transaction of the same producer is
// seen again.
func TestAbortedRecordsAndMarkersAreLeftOut(t *testing.T) {
	b := newBench(t, 64<<20, Limits{Bytes: 1 << 20, Age: time.Millisecond})
	b.give(t, []aborted{{7, 10}},
		batchOf(t, 0, 10, 0, record.Snappy, 7, transactional), // an earlier transaction of 7, committed
		batchOf(t, 10, 10, 0, record.Snappy, 7, transactional),
		batchOf(t, 20, 10, 0, record.None, 8, transactional), // another producer's
		batchOf(t, 30, 10, 0, record.None, -1, 0),
		batchOf(t, 40, 10, 0, record.Snappy, 7, transactional),
		markerOf(t, 50, 7, 0),
		batchOf(t, 51, 9, 0, record.Snappy, 7, transactional),
		markerOf(t, 60, 7, 1),
	)
	lines, _ := b.lines(t, 39)
	var want []string
	for o := range 60 {
		if o < 10 || o >= 20 && o < 40 || o > 50 {
			want = append(want, fmt.Sprintf("%06d", o))
		}
	}
	if !slices.Equal(lines, want) {
		t.Fatalf("got %q\nwant %q", lines, want)
	}
}

func TestMarkersAloneMoveTheCommit(t *testing.T) {
	b := newBench(t, 64<<20, Limits{Bytes: 1 << 20, Age: time.Millisecond})
	b.give(t, nil, markerOf(t, 0, 7, 1))
	p := <-b.out
	p.arena.release()
	if p.First != 0 || p.Next != 1 || len(p.Records) != 0 {
		t.Fatalf("got [%d, %d) with %d records, want an empty batch [0, 1)", p.First, p.Next, len(p.Records))
	}
}

func TestABatchWithAWrongChecksumStopsThePartitionThere(t *testing.T) {
	b := newBench(t, 64<<20, Limits{Bytes: 1 << 20, Age: time.Millisecond})
	good, bad := batchOf(t, 0, 10, 0, record.None, -1, 0), batchOf(t, 10, 10, 0, record.None, -1, 0)
	mended := bytes.Clone(bad)
	bad[70] ^= 1
	b.give(t, nil, good, bad)
	lines, _ := b.lines(t, 10)
	err := <-b.errs
	var at *BatchError
	if !errors.As(err, &at) || at.Offset != 10 || !sink.Stops(err) || len(lines) != 10 {
		t.Fatalf("got %v after %d lines, want a stop at offset 10", err, len(lines))
	}
	// Read again, it may be right: what was broken was the way here.
	eventually(t, "the feed is back at offset 10", func() bool { next, _, _, ok := b.feed.wants(); return ok && next == 10 })
	b.give(t, nil, mended)
	if lines := <-b.out; len(lines.Records) != 10 || lines.First != 10 {
		t.Errorf("after the mend got [%d, %d), want [10, 20)", lines.First, lines.Next)
	} else {
		lines.arena.release()
	}
	if err := <-b.errs; err != nil {
		t.Errorf("after the mend the state is %v, want none", err)
	}
}

func TestARecordLargerThanTheBudgetIsAStateNotACrash(t *testing.T) {
	b := newBench(t, 8<<20, Limits{Bytes: 1 << 20, Age: time.Millisecond})
	b.give(t, nil, batchOf(t, 0, 1, 3<<20, record.Zstd, -1, 0)) // small as it lies, 3 MiB of 2 once decompressed
	err := <-b.errs
	if !errors.Is(err, ErrOverBudget) || !strings.Contains(err.Error(), "--memory") {
		t.Fatalf("got %v, want ErrOverBudget that names the mend", err)
	}
}

func TestALargeBatchGetsAllOfTheDecompressors(t *testing.T) {
	b := newBench(t, 64<<20, Limits{Bytes: 1 << 20, Age: time.Millisecond})
	b.give(t, nil, batchOf(t, 0, 60, 100_000, record.Zstd, -1, 0)) // 6 MB: above a fraction of 4 MiB, below all of 16
	if lines, _ := b.lines(t, 60); len(lines[59]) != 100_000 {
		t.Errorf("the last line has %d bytes", len(lines[59]))
	}
}

func TestABatchIsClosedByRecordsBytesOrAge(t *testing.T) {
	for name, c := range map[string]struct {
		limits Limits
		most   int
	}{
		"records": {Limits{Records: 7, Bytes: 1 << 20, Age: 50 * time.Millisecond}, 7},
		"bytes":   {Limits{Bytes: 1000, Age: 50 * time.Millisecond}, 20},
		"age":     {Limits{Bytes: 1 << 20, Age: 20 * time.Millisecond}, 70},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 64<<20, c.limits)
			var batches [][]byte
			for i := range record.Offset(10) {
				batches = append(batches, batchOf(t, i*7, 7, 100, record.Snappy, -1, 0))
			}
			b.give(t, nil, batches...)
			lines, sizes := b.lines(t, 70)
			if slices.Max(sizes) > c.most || !slices.IsSorted(lines) {
				t.Errorf("batches of %v records, want at most %d", sizes, c.most)
			}
		})
	}
}

// Whatever the batches look like and however slow the sink is: every record comes once, in order, and all memory is
// given back.
func TestDecodingIsCompleteAndOrderedWhateverTheShape(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	for range 20 {
		b := newBench(t, 8<<20, Limits{Records: rnd.IntN(50), Bytes: 1 + rnd.IntN(5000), Age: time.Duration(1+rnd.IntN(3)) * time.Millisecond})
		total := 0
		go func() {
			for i := range 15 {
				n := 1 + rnd.IntN(40)
				b.give(t, nil, batchOf(t, record.Offset(total), n, rnd.IntN(20_000), record.Codec(i%5), -1, 0))
				total += n
			}
			eventually(t, "all decoded", func() bool { _, _, _, ok := b.feed.wants(); return ok })
			close(b.stop)
		}()
		var lines []string
		for p := range b.out {
			for _, r := range p.Records {
				lines = append(lines, string(r.Value[:6]))
			}
			p.arena.release()
		}
		for i, l := range lines {
			if l != fmt.Sprintf("%06d", i) {
				t.Fatalf("line %d is %s", i, l)
			}
		}
		if b.portion.decoded.inUse() != 0 || b.portion.budget.decompress.inUse() != 0 {
			t.Fatalf("%d and %d bytes were not given back", b.portion.decoded.inUse(), b.portion.budget.decompress.inUse())
		}
	}
}

package statelog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/loghaul/loghaul/internal/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memLog is a log in memory; what is appended is durable when the gate is open.
type memLog struct {
	mu      sync.Mutex
	batches [][]byte
	start   record.Offset
	end     record.Offset
	refuse  error
	gate    chan struct{} // closed: the disk works
	broken  error         // what waiting comes to then
}

func newMemLog() *memLog {
	gate := make(chan struct{})
	close(gate)
	return &memLog{gate: gate}
}

func (m *memLog) Append(batch []byte) (first, last record.Offset, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse != nil {
		return 0, 0, m.refuse
	}
	binary.BigEndian.PutUint64(batch, uint64(m.end))
	h, err := record.ParseHeader(batch)
	m.batches = append(m.batches, slices.Clone(batch))
	first, m.end = m.end, h.NextOffset()
	return first, h.LastOffset(), err
}

func (m *memLog) WaitDurable(ctx context.Context, _ record.Offset) error {
	select {
	case <-m.gate:
		return m.broken
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (m *memLog) Replay(_ context.Context, f func([]byte) error) error {
	for _, b := range m.batches {
		if err := f(b); err != nil {
			return err
		}
	}
	return nil
}

func (m *memLog) DropBefore(offset record.Offset) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.start = offset
	return nil
}

// open runs a writer over a log in a bubble until the story is told.
func open(t *testing.T, limit int64, log *memLog, story func(t *testing.T, w *Writer, stop func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := NewWriter(Config{Name: "state", Limit: limit}, log)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		stop := sync.OnceFunc(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		defer stop()
		story(t, w, stop)
	})
}

func entry(key, value string) []Entry { return []Entry{{Key: []byte(key), Value: []byte(value)}} }

type adder = func(record.Producer, []Entry) error

func TestAnswersComeInOrderWhenTheDiskHasIt(t *testing.T) {
	log := newMemLog()
	open(t, 1<<20, log, func(t *testing.T, w *Writer, _ func()) {
		log.gate = make(chan struct{})
		var got []int
		for i := range 10 {
			if err := w.Append(entry("k", fmt.Sprint(i)), func(err error) { got = append(got, i) }); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if len(got) > 0 {
			t.Fatalf("answered %v before the disk had it", got)
		}
		close(log.gate)
		synctest.Wait()
		if !slices.Equal(got, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) {
			t.Fatalf("answered in the order %v", got)
		}
	})
}

func TestWhoWaitsAtTheEndIsToldSo(t *testing.T) {
	log := newMemLog()
	open(t, 1<<20, log, func(t *testing.T, w *Writer, stop func()) {
		log.gate = make(chan struct{})
		var got error
		if err := w.Append(entry("k", "v"), func(err error) { got = err }); err != nil {
			t.Fatal(err)
		}
		stop()
		if !errors.Is(got, ErrStopped) {
			t.Fatalf("told %v", got)
		}
		if err := w.Append(entry("k", "v"), func(error) { t.Error("answered after the end") }); !errors.Is(err, ErrStopped) {
			t.Fatalf("an append after the end: %v", err)
		}
	})
}

func TestALogThatFailsIsNamed(t *testing.T) {
	log := newMemLog()
	open(t, 1<<20, log, func(t *testing.T, w *Writer, _ func()) {
		log.refuse = errors.New("no space left")
		if err := w.Append(entry("k", "v"), nil); !errors.Is(err, ErrNotStored) || !strings.Contains(err.Error(), "state") {
			t.Fatalf("a refused append: %v", err)
		}
		log.refuse, log.broken = nil, errors.New("input/output error")
		var got error
		if err := w.Append(entry("k", "v"), func(err error) { got = err }); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !errors.Is(got, ErrNotStored) || !strings.Contains(got.Error(), "state") {
			t.Fatalf("a failed sync: %v", got)
		}
	})
}

func TestLargeStateIsWrittenInSeveralBatchesAndReadBack(t *testing.T) {
	log := newMemLog()
	open(t, 1<<30, log, func(t *testing.T, w *Writer, _ func()) {
		var entries []Entry
		for i := range 40 {
			entries = append(entries, Entry{fmt.Appendf(nil, "key %d", i), make([]byte, 100_000)})
		}
		entries = append(entries, Entry{Key: []byte("gone")})
		if err := w.Append(entries, nil); err != nil {
			t.Fatal(err)
		}
		if n := len(log.batches); n < 4 || n > 5 {
			t.Fatalf("4 MB lie in %d batches", n)
		}
		var keys []string
		again := NewWriter(Config{Name: "state"}, log)
		err := again.Load(t.Context(), 1<<20, func(_ record.Header, rec *record.Record) error {
			if string(rec.Key) == "gone" && rec.Value != nil {
				t.Error("the tombstone has a value")
			}
			keys = append(keys, string(rec.Key))
			return nil
		}, func(at record.Offset, err error) { t.Errorf("passed over %d: %v", at, err) })
		if err != nil || len(keys) != 41 || keys[40] != "gone" {
			t.Fatalf("read %d keys, %v", len(keys), err)
		}
	})
}

// Only what is durable may be dropped, or a power cut would leave a log that begins behind its end.
func TestARewriteOfNothingWaitsForTheDiskToo(t *testing.T) {
	log := newMemLog()
	open(t, 1<<20, log, func(t *testing.T, w *Writer, _ func()) {
		log.gate = make(chan struct{})
		if err := w.Append([]Entry{{Key: []byte("k")}}, nil); err != nil { // the last that lived goes
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := w.Rewrite(t.Context(), func(adder) error { return nil })
			done <- err
		}()
		synctest.Wait()
		if log.start != 0 {
			t.Errorf("dropped before offset %d, and nothing is durable", log.start)
		}
		close(log.gate)
		if err := <-done; err != nil || log.start != 1 {
			t.Errorf("rewritten: %v, the log begins at %d, want 1", err, log.start)
		}
	})
}

func TestARewriteDropsTheOldOnlyWhenTheNewIsDurable(t *testing.T) {
	log := newMemLog()
	open(t, 100, log, func(t *testing.T, w *Writer, _ func()) {
		for range 3 {
			if err := w.Append(entry("k", "v"), nil); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case <-w.Due():
		default:
			t.Fatal("no rewrite is due")
		}
		log.gate = make(chan struct{})
		done := make(chan error, 1)
		go func() {
			_, err := w.Rewrite(t.Context(), func(add adder) error { return add(record.NoProducer, entry("k", "v")) })
			done <- err
		}()
		synctest.Wait()
		if log.start != 0 {
			t.Fatalf("dropped what lies before %d, and the disk does not have the new state", log.start)
		}
		close(log.gate)
		if err := <-done; err != nil || log.start != 3 {
			t.Fatalf("%v, start %d, want 3", err, log.start)
		}
		_, err := w.Rewrite(t.Context(), func(adder) error { return nil }) // nothing is live any more
		if err != nil || log.start != 4 {
			t.Fatalf("%v, start %d, want 4", err, log.start)
		}
		if _, err := w.Rewrite(t.Context(), func(adder) error { return errors.New("no") }); err == nil || log.start != 4 {
			t.Fatalf("%v, start %d: what is live was not written, and the old was dropped", err, log.start)
		}
	})
}

func TestWhoAsksAfterTheDiskHasItIsAnsweredAtOnce(t *testing.T) {
	log := newMemLog()
	open(t, 1<<20, log, func(t *testing.T, w *Writer, _ func()) {
		log.gate = make(chan struct{})
		last, err := w.AppendAs(record.NoProducer, entry("k", "v"), nil)
		if err != nil {
			t.Fatal(err)
		}
		answered := 0
		after := func(err error) {
			if answered++; err != nil {
				t.Error(err)
			}
		}
		if err := w.After(last, after); err != nil || answered != 0 {
			t.Fatalf("%v, %d answers before the disk had it", err, answered)
		}
		close(log.gate)
		synctest.Wait()
		if answered != 1 {
			t.Fatalf("%d answers when the disk had it", answered)
		}
		if err := w.After(last, after); err != nil || answered != 2 {
			t.Fatalf("%v, %d answers, and the disk has it long since", err, answered)
		}
	})
}

func TestWhatARoomAppendsItselfIsCountedAndAnswered(t *testing.T) {
	log := newMemLog()
	open(t, 100, log, func(t *testing.T, w *Writer, _ func()) {
		var got []int
		if err := w.Append(entry("k", "v"), func(error) { got = append(got, 0) }); err != nil {
			t.Fatal(err)
		}
		put := func() (record.Offset, error) { return 9, nil }
		if err := w.AppendWith(put, 200, func(error) { got = append(got, 1) }); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !slices.Equal(got, []int{0, 1}) {
			t.Fatalf("answered in the order %v", got)
		}
		select {
		case <-w.Due():
		default:
			t.Fatal("200 bytes did not count")
		}
		if _, err := w.Rewrite(t.Context(), func(adder) error { return nil }); err != nil || log.start != 10 {
			t.Fatalf("%v, the log begins at %d, want 10: what the room appended is old too", err, log.start)
		}
	})
}

func TestAFencedProducerIsNoFailureOfTheDisk(t *testing.T) {
	log := newMemLog()
	open(t, 1<<20, log, func(t *testing.T, w *Writer, _ func()) {
		log.refuse = ErrProducerFenced
		as := record.Producer{ID: 7, Sequence: -1}
		if _, err := w.AppendAs(as, entry("k", "v"), nil); !errors.Is(err, ErrProducerFenced) || errors.Is(err, ErrNotStored) {
			t.Errorf("an append: %v", err)
		}
		err := w.AppendWith(func() (record.Offset, error) { return 0, log.refuse }, 78, func(error) { t.Error("answered") })
		if !errors.Is(err, ErrProducerFenced) || errors.Is(err, ErrNotStored) {
			t.Errorf("an append of the room's own: %v", err)
		}
		log.refuse = nil
		if _, err := w.AppendAs(as, entry("k", "v"), nil); err != nil {
			t.Fatal(err)
		}
		if h, err := record.ParseHeader(log.batches[0]); err != nil || !h.Transactional() || h.ProducerID != 7 {
			t.Errorf("stored as %+v, %v: want it in the producer's transaction", h, err)
		}
	})
}

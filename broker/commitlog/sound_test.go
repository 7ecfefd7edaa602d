package commitlog

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// Whatever a log has gone through, sound batches are never taken for damaged: compactions, transactions, many starts and
// epochs, logs that begin inside a batch, and folders that a Kafka wrote or has had meanwhile.
func TestASoundLogIsNeverRefused(t *testing.T) {
	for seed := range seeds(t, 8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			s := &soundStory{t: t, rng: rand.New(rand.NewPCG(seed, 77)), dir: logDir(t), clock: newClock()}
			for life := range 8 {
				s.life(life)
			}
		})
	}
}

type soundStory struct {
	t      *testing.T
	rng    *rand.Rand
	dir    string
	clock  *clock
	epoch  int32
	values []string // by offset
	epochs []int32
	past   strings.Builder
}

func (s *soundStory) did(format string, args ...any) {
	s.past.WriteString(fmt.Sprintf(format, args...) + "; ")
}

func (s *soundStory) life(life int) {
	s.t.Helper()
	var said strings.Builder
	s.epoch += int32(1 + s.rng.IntN(3))
	cfg := Config{SegmentBytes: int64(500 + s.rng.IntN(1500)), IndexInterval: 100, LeaderEpoch: s.epoch, Compact: s.rng.IntN(2) == 0, Now: s.clock.Now,
		CompactionBytes: keySlotBytes * (8 << s.rng.IntN(6)), RecheckBytes: 1 + s.rng.Int64N(3000), DeleteRetention: time.Minute,
		Logger: slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelError}))}
	s.did("start %d with epoch %d, compacting: %t", life, s.epoch, cfg.Compact)
	l := open(s.t, s.dir, cfg)
	s.check(l, &said)
	var reading sync.WaitGroup
	for range 10 + s.rng.IntN(30) {
		s.step(l)
		if s.rng.IntN(8) == 0 {
			from := l.Start() + record.Offset(s.rng.Int64N(int64(1+l.End()-l.Start())))
			reading.Go(func() { s.concurrently(l, from) })
		}
	}
	reading.Wait()
	s.check(l, &said)
	if s.rng.IntN(2) == 0 {
		s.did("closed")
		closeLog(s.t, l)
	} else {
		s.did("killed")
		s.dir = copyDir(s.t, s.dir)
		l.Abandon()
	}
	if s.rng.IntN(3) == 0 {
		s.asKafkaLeavesIt()
	}
}

func (s *soundStory) step(l *Log) {
	s.t.Helper()
	switch n := s.rng.IntN(16); {
	case n < 8:
		var pairs []string
		for i := range 1 + s.rng.IntN(5) {
			pairs = append(pairs, fmt.Sprintf("k%d=%d-%s", s.rng.IntN(6), len(s.values)+i, strings.Repeat("v", s.rng.IntN(60))))
		}
		p := record.NoProducer
		transactional := s.rng.IntN(4) == 0
		if transactional {
			p = record.Producer{ID: 20 + s.rng.Int64N(2), Sequence: -1}
		}
		batch := keyed(s.t, p, record.Codec(s.rng.IntN(5)), pairs...)
		if transactional {
			record.SetTransactional(batch)
		}
		a := appendTo(s.t, l, batch)
		if int(a.Base) != len(s.values) {
			s.t.Fatalf("appended at %d, want %d after %s", a.Base, len(s.values), s.past.String())
		}
		for _, pair := range pairs {
			_, v, _ := strings.Cut(pair, "=")
			s.values, s.epochs = append(s.values, v), append(s.epochs, l.LeaderEpoch())
		}
	case n < 11:
		endTxn(s.t, l, 20+s.rng.Int64N(2), s.rng.IntN(2) == 0)
		s.values, s.epochs = append(s.values, ""), append(s.epochs, l.LeaderEpoch())
	case n < 12:
		l.rollNow(s.t)
	case n < 13 && s.rng.IntN(3) == 0:
		at := l.Start() + record.Offset(s.rng.Int64N(int64(1+l.End()-l.Start())))
		s.did("trimmed before %d", at)
		if err := l.DeleteBefore(at); err != nil {
			s.t.Fatal(err)
		}
	case n < 14:
		s.clock.advance(time.Duration(s.rng.IntN(50)) * time.Second)
		retain(s.t, l, s.clock)
	default:
		if stats := compact(s.t, l, s.clock.now); stats.Ran {
			s.did("compacted before %d", stats.To)
		}
	}
}

// asKafkaLeavesIt takes away what only this program writes, and its epochs look as a Kafka's may: begun where the log
// begins, an older copy, or none.
func (s *soundStory) asKafkaLeavesIt() {
	s.t.Helper()
	for _, name := range []string{checkpointFile, producersFile, compactedFile} {
		_ = os.Remove(filepath.Join(s.dir, name))
	}
	path := filepath.Join(s.dir, epochsFile)
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return
	}
	es, err := parseEpochs(b)
	if err != nil {
		s.t.Fatal(err)
	}
	switch s.rng.IntN(4) {
	case 0:
		s.did("a Kafka's folder")
	case 1:
		s.did("a Kafka's folder without epochs")
		_ = os.Remove(path)
	case 2:
		s.did("a Kafka's folder with an older copy of the epochs")
		es = es[:s.rng.IntN(len(es)+1)]
		writeFile(s.t, path, es.bytes())
	case 3:
		s.did("a Kafka's folder whose epochs begin inside")
		es = es[s.rng.IntN(len(es)):]
		es[0].start += record.Offset(s.rng.IntN(3))
		if len(es) > 1 && es[0].start > es[1].start {
			es = es[1:]
		}
		writeFile(s.t, path, es.bytes())
	}
}

// check reads everything from everywhere.
func (s *soundStory) check(l *Log, said *strings.Builder) {
	s.t.Helper()
	if said.Len() > 0 {
		s.t.Fatalf("it is said\n%s\nafter %s", said, s.past.String())
	}
	if int(l.End()) != len(s.values) {
		s.t.Fatalf("the log ends at %d, want %d, after %s", l.End(), len(s.values), s.past.String())
	}
	for _, maxBytes := range []int{1, 300, 1 << 20} {
		for from := l.Start(); from < l.End(); from += 1 + record.Offset(s.rng.IntN(9)) {
			if err := s.read(l, from, maxBytes); err != nil {
				s.t.Fatalf("reading from %d, %d bytes: %v, after %s", from, maxBytes, err, s.past.String())
			}
		}
	}
	for from := l.Start(); from < l.LastStable(); from += 1 + record.Offset(s.rng.IntN(9)) {
		if span, err := l.ReadCommitted(from, 300); err != nil {
			s.t.Fatalf("reading what is committed from %d: %v, after %s", from, err, s.past.String())
		} else {
			span.Release()
		}
		if _, err := l.Aborted(from, l.End()); err != nil {
			s.t.Fatalf("aborted transactions from %d: %v, after %s", from, err, s.past.String())
		}
	}
	for _, ms := range []int64{0, 1000, 1002, s.clock.now.UnixMilli() - 5000, s.clock.now.UnixMilli() + 1} {
		if _, _, err := l.OffsetForTime(ms); err != nil {
			s.t.Fatalf("the offset for time %d: %v, after %s", ms, err, s.past.String())
		}
	}
	for next, more := record.Offset(0), true; more; {
		var err error
		if next, more, err = l.Scrub(s.t.Context(), next, func(context.Context, int) error { return nil }, func(d Damage) { s.t.Errorf("found %v after %s", d, s.past.String()) }); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := l.Missing(func(d Damage) { s.t.Errorf("missing %v after %s", d, s.past.String()) }); err != nil {
		s.t.Fatal(err)
	}
}

// concurrently reads on while other things happen. What is deleted meanwhile is another matter.
func (s *soundStory) concurrently(l *Log, from record.Offset) {
	end := l.End()
	for at := from; at < end; {
		span, err := l.Read(at, 300)
		if err != nil {
			if at < l.Start() {
				return
			}
			s.t.Errorf("reading at %d: %v", at, err)
			return
		}
		next := span.Next
		span.Release()
		if next <= at {
			return
		}
		at = next
	}
}

// read looks at one answer.
func (s *soundStory) read(l *Log, from record.Offset, maxBytes int) error {
	span, err := l.Read(from, maxBytes)
	if err != nil {
		return err
	}
	b, err := span.AppendTo(nil)
	span.Release()
	var r record.Reader
	for err == nil && len(b) > 0 {
		h, herr := record.ParseHeader(b)
		if herr != nil {
			return herr
		}
		if want := s.epochs[h.BaseOffset]; h.LeaderEpoch != want {
			return fmt.Errorf("the batch at %d has epoch %d, want %d", h.BaseOffset, h.LeaderEpoch, want)
		}
		err = r.Read(b[:h.Size()], 1<<20, func(rec *record.Record) error {
			if want := s.values[rec.Offset]; !h.Control() && string(rec.Value) != want {
				return fmt.Errorf("offset %d is %q, want %q", rec.Offset, rec.Value, want)
			}
			return nil
		})
		b = b[h.Size():]
	}
	return err
}

// A leader-epoch-checkpoint that is older than its log, as in a folder put together from copies, speaks of epochs that
// the batches were not written in. They are read all the same, at every later start.
func TestAnOlderCopyOfTheEpochsCostsNoBatch(t *testing.T) {
	dir := logDir(t)
	var want []string
	var old []byte
	for epoch := range int32(3) {
		l := open(t, dir, Config{LeaderEpoch: epoch})
		for i := range 4 {
			want = append(want, fmt.Sprint(epoch, " ", i))
			appendTo(t, l, plain(t, want[len(want)-1]))
		}
		closeLog(t, l)
		if epoch == 0 {
			old = readFile(t, filepath.Join(dir, epochsFile))
		}
	}
	writeFile(t, filepath.Join(dir, epochsFile), old)
	if err := os.Remove(filepath.Join(dir, checkpointFile)); err != nil {
		t.Fatal(err)
	}
	for start := range int32(3) {
		l := open(t, dir, Config{LeaderEpoch: 10 + start, Cut: func(c Cut) { t.Errorf("start %d: %v", start, c) }})
		wantValues(t, l, want...)
		for epoch := range int32(3) {
			if e, end := l.EpochEnd(epoch); e != epoch || end != 4*(record.Offset(epoch)+1) {
				t.Errorf("start %d: epoch %d ends at %d (%d)", start, epoch, end, e)
			}
		}
		want = append(want, fmt.Sprint("after start ", start))
		appendTo(t, l, plain(t, want[len(want)-1]))
		dir = copyDir(t, dir) // killed
		l.Abandon()
	}
}

package commitlog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/disk/crashdisk"
	"github.com/loghaul/loghaul/internal/record"
)

// frail is a compacted log on a disk that fails, and what is known of it.
type frail struct {
	keyedStory
	acked record.Offset // durable below this one
	calm  bool          // nothing fails while the test looks
}

// Each operation on the disk fails in turn, once, or is the first of all writes that find no room: in a life with
// transactions, rolls, compactions, deletions and starts. What was acknowledged is there after the next start and after a
// power cut, what was aborted stays so, and the log goes on by itself unless a sync failed.
func TestAWholeLifeMayFailAtEachOperation(t *testing.T) {
	kinds := map[string]func(n int, op string, size int) (int, error){
		"no room once":  func(n int, op string, size int) (int, error) { return onlyAt(n, size, syscall.ENOSPC) },
		"an error once": func(n int, op string, size int) (int, error) { return onlyAt(n, size, syscall.EIO) },
		"no room from then on": func(n int, op string, size int) (int, error) {
			if n >= 0 && op == "write" {
				return size / 2, syscall.ENOSPC
			}
			return size, nil
		},
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			step := 1
			if seeds(t, 1) == 1 {
				step = 64 // all of them in a campaign
			}
			for at := rand.IntN(step); ; at += step {
				f := &frail{keyedStory: keyedStory{t: t, rng: rand.New(rand.NewPCG(uint64(at), 11)), dir: logDir(t), fs: crashdisk.New(), clock: newClock()}}
				count, hit := 0, ""
				f.fs.SetFault(func(op, path string, size int) (int, error) {
					if f.calm {
						return size, nil
					}
					count++
					short, err := kind(count-1-at, op, size)
					if err != nil && hit == "" {
						hit = op + " " + filepath.Base(path)
					}
					return short, err
				})
				f.whole(fmt.Sprintf("%s, operation %d", name, at))
				if hit == "" {
					if at < 100 {
						t.Fatalf("the life took only %d operations", count)
					}
					return
				}
			}
		})
	}
}

func onlyAt(n, size int, err error) (int, error) {
	if n == 0 {
		return size / 2, err
	}
	return size, nil
}

// whole is a life of two starts, and what is left of it.
func (f *frail) whole(told string) {
	f.t.Helper()
	for epoch := range int32(2) {
		l, err := Open(f.dir, f.config(epoch), nil)
		if err != nil {
			f.named(err, told)
			f.fs.SetFault(nil) // the operator has looked
			if l, err = Open(f.dir, f.config(epoch), nil); err != nil {
				f.t.Fatalf("%s: the disk is well again, and %v", told, err)
			}
		}
		f.live(l, told)
		if epoch == 1 {
			dir := powerCut(f.t, f.fs, f.rng, f.dir)
			l.Abandon()
			f.face(dir, told+", then a power cut")
			return
		}
		if f.rng.IntN(2) == 0 {
			_ = l.Close()
		} else {
			l.Abandon()
		}
		f.adopt(told)
	}
}

func (f *frail) config(epoch int32) Config {
	return Config{SegmentBytes: 400, IndexInterval: 64, Now: f.clock.Now, Disk: f.fs, Compact: true, LeaderEpoch: epoch, DeleteRetention: time.Minute}
}

// adopt takes over what an abandoned log has: nothing was lost, but what was not acknowledged may be cut.
func (f *frail) adopt(told string) {
	f.t.Helper()
	re := open(f.t, copyDir(f.t, f.dir), Config{Now: f.clock.Now})
	if re.End() < f.acked || int(re.End()) > len(f.records) {
		f.t.Fatalf("%s: %d records were acknowledged and %d written, %d are there", told, f.acked, len(f.records), re.End())
	}
	f.records, f.written = f.records[:re.End()], f.written[:re.End()]
	closeLog(f.t, re)
}

// face opens what is left and reads it.
func (f *frail) face(dir, told string) {
	f.t.Helper()
	re := open(f.t, dir, Config{Now: f.clock.Now})
	if re.End() < f.acked || int(re.End()) > len(f.records) {
		f.t.Fatalf("%s: %d records were acknowledged and %d written, %d are there", told, f.acked, len(f.records), re.End())
	}
	f.records, f.written = f.records[:re.End()], f.written[:re.End()]
	f.check(re, told)
	closeLog(f.t, re)
}

// live does everything once, in an order.
func (f *frail) live(l *Log, told string) {
	f.t.Helper()
	for round := range 3 {
		for i := range 4 {
			f.put(l, -1, fmt.Sprintf("k%d", i), fmt.Sprintf("%d-%s", len(f.records), strings.Repeat("v", f.rng.IntN(90))))
		}
		f.put(l, 20, "k1", fmt.Sprint("of 20 at ", len(f.records)))
		f.put(l, 21, "k2", fmt.Sprint("of 21 at ", len(f.records)))
		f.end(l, 20, round == 1)
		f.put(l, -1, "k3", "")
		f.end(l, 21, round != 1)
		f.clock.advance(2 * time.Minute)
		f.housekeep(l, told)
	}
	f.upTo = max(f.upTo, l.HighWatermark())
	if err := l.Err(); err == nil {
		f.calm = true
		f.check(l, told+", before the end")
		f.calm = false
	}
}

// housekeep does what nobody waits for; its errors name files.
func (f *frail) housekeep(l *Log, told string) {
	f.t.Helper()
	l.appending.Lock()
	err := error(nil)
	if l.appending.active.size > 0 && l.Err() == nil {
		err = l.roll()
	}
	l.appending.Unlock()
	f.named(err, told)
	f.upTo = max(f.upTo, l.End())
	_, err = l.Compact(context.Background(), f.clock.now)
	f.named(err, told)
	f.named(l.Retain(f.clock.now), told)
}

// named expects an error to name the log's folder.
func (f *frail) named(err error, told string) {
	f.t.Helper()
	if err != nil && !errors.Is(err, ErrFailed) && !strings.Contains(err.Error(), "web_log-0") {
		f.t.Fatalf("%s: the error does not say where: %v", told, err)
	}
}

// put appends one record, in the producer's transaction if it has an id.
func (f *frail) put(l *Log, id int64, key, value string) {
	f.t.Helper()
	pair, w := key, written{}
	if value != "" {
		pair += "=" + value
	}
	p := record.NoProducer
	if id >= 0 {
		p, w.producer = record.Producer{ID: id, Sequence: -1}, id
	}
	batch := keyed(f.t, p, record.None, pair)
	if id >= 0 {
		record.SetTransactional(batch)
	}
	f.took(l, keyedRecord{key, value}, w, func() (Appended, error) { return l.Append(batch) })
}

// end writes a marker.
func (f *frail) end(l *Log, id int64, commit bool) {
	f.t.Helper()
	f.took(l, keyedRecord{}, written{producer: id, marker: true, commit: commit}, func() (Appended, error) {
		return l.AppendMarker(Marker{ProducerID: id, Commit: commit, CoordinatorEpoch: 1})
	})
}

// took notes what an append has come to: an error leaves the log as it was, or it has failed for good.
func (f *frail) took(l *Log, r keyedRecord, w written, do func() (Appended, error)) {
	f.t.Helper()
	a, err := do()
	switch {
	case err == nil:
		if int(a.Base) != len(f.records) {
			f.t.Fatalf("appended at %d, want %d", a.Base, len(f.records))
		}
		f.records, f.written = append(f.records, r), append(f.written, w)
		f.acked = a.Last + 1
	case l.Err() == nil && int(l.End()) != len(f.records):
		f.t.Fatalf("refused with %v, and the log ends at %d, want %d", err, l.End(), len(f.records))
	case int(l.End()) > len(f.records): // written, and never durable
		f.records, f.written = append(f.records, r), append(f.written, w)
	}
}

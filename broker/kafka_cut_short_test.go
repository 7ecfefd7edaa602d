package broker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/disk/crashdisk"
	"github.com/loghaul/loghaul/internal/realkafka"
)

// The power goes at any step of taking over a Kafka's folder, for the first time or once more after the Kafka was there
// again, or the program is killed there: the next start ends it, and no topic, id, setting, commit or record is lost.
func TestATakeOverThatIsCutShortIsEndedByTheNextStart(t *testing.T) {
	if testing.Short() {
		t.Skip("a real Kafka, and many starts")
	}
	k := realkafka.Start(t, realkafka.Config{Properties: map[string]string{"offsets.topic.num.partitions": "8", "transaction.state.log.num.partitions": "4",
		"log.cleaner.backoff.ms": "200", "log.segment.delete.delay.ms": "100"}})
	theirs := &running{t: t, addr: k.Addr}
	fillKafka(t, theirs)
	ids := topicsOf(t, theirs)
	left := leftByAKill(t, k.Logs)
	t.Run("for the first time", func(t *testing.T) { cutShort(t, left, ids) })
	r := start(t, broker.Config{Data: left})
	r.produce(r.client(), "ours", 0, 20)
	ids["ours"] = topicsOf(t, r)["ours"]
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	// As a Kafka leaves it that was started again: what it does not know is put aside.
	err := os.Rename(filepath.Join(left, "ours-0"), filepath.Join(left, "ours-0.0123456789abcdef0123456789abcdef-stray"))
	if err == nil {
		err = os.Remove(filepath.Join(left, "kafka-files.properties"))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Run("once more", func(t *testing.T) { cutShort(t, left, ids) })
}

// leftByAKill copies the folder of a Kafka that runs: the pages as they are. Files that it removes meanwhile make it begin
// anew.
func leftByAKill(t *testing.T, logs string) string {
	t.Helper()
	for {
		left := filepath.Join(t.TempDir(), "left")
		err := os.CopyFS(left, os.DirFS(logs))
		if errors.Is(err, os.ErrNotExist) && t.Context().Err() == nil {
			continue
		}
		if err == nil {
			err = os.Remove(filepath.Join(left, ".lock"))
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return left
	}
}

func copied(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

var errOff = errors.New("the machine is off")

// cutShort starts on copies of a folder, each time with an end at another operation on the disk.
func cutShort(t *testing.T, left string, ids map[string]kadm.TopicID) {
	var whole atomic.Int64
	dir := filepath.Join(t.TempDir(), "data")
	copied(t, left, dir)
	started(t, dir, func(_, _ string, n int) (int, error) {
		whole.Add(1)
		return n, nil
	})
	total, steps := whole.Load(), int64(faultSteps(t, 6))
	stride := max(1, total/steps)
	t.Logf("%d operations on the disk, an end at each %d.", total, stride)
	for at := 1 + rand.Int64N(stride); at <= total; at += stride {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			dir, cut := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "data")
			copied(t, left, dir)
			var count atomic.Int64
			fsys := started(t, dir, func(_, _ string, n int) (int, error) {
				if count.Add(1) >= at {
					return 0, errOff
				}
				return n, nil
			})
			if err := fsys.PowerCut(rand.New(rand.NewPCG(rand.Uint64(), 1)), dir, cut); err != nil {
				t.Fatal(err)
			}
			for _, data := range []string{dir, cut} {
				r := start(t, broker.Config{Data: data})
				after := topicsOf(t, r)
				for name, id := range ids {
					if after[name] != id {
						t.Errorf("topic %s has the id %v, in the Kafka %v", name, after[name], id)
					}
				}
				wantKafkaRecords(t, r)
				wantKafkaGroups(t, r)
				wantKafkaSettings(t, r)
				if ids["ours"] != (kadm.TopicID{}) {
					wantLines(t, r.consume("ours", 20), 20)
				}
				if r.log.count("recovered") > 0 || r.log.count("level=ERROR") > 0 {
					t.Errorf("the log says\n%s", r.log)
				}
				if err := r.stop(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// started starts a broker on a disk with a fault, and ends it when it serves.
func started(t *testing.T, dir string, fault crashdisk.Fault) *crashdisk.Disk {
	t.Helper()
	fsys := crashdisk.New()
	fsys.SetFault(fault)
	b, err := broker.New(broker.Config{Data: dir, Listen: []string{"127.0.0.1:0"}, Disk: fsys, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	select {
	case <-b.Ready():
		cancel()
		<-ended
	case <-ended:
	}
	fsys.SetFault(nil)
	return fsys
}

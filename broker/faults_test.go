package broker_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/disk/crashdisk"
)

// faultSteps is how many moments of the broker's life are tried: few, or LOGHAUL_FAULTS for a campaign.
func faultSteps(t *testing.T, few int) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("LOGHAUL_FAULTS"))
	if err != nil {
		return few
	}
	return n
}

// A disk that fails once, at any operation of a broker's life, its start and its end among them, costs nothing that was
// answered; nor does the power that goes then.
func TestADiskThatFailsOnceAtAnyOperationCostsNothing(t *testing.T) {
	faults(t, func(at int64, cause error) crashdisk.Fault {
		var count atomic.Int64
		return func(op, path string, n int) (int, error) {
			if count.Add(1) == at {
				return n / 2, cause
			}
			return n, nil
		}
	})
}

// A disk that is full from some moment on is full for every write, but what is there can be synced and read.
func TestADiskThatIsFullFromAnyMomentOnCostsNothing(t *testing.T) {
	faults(t, func(at int64, _ error) crashdisk.Fault {
		var count atomic.Int64
		return func(op, path string, n int) (int, error) {
			if count.Add(1) >= at && (op == "write" || op == "mkdir") {
				return n / 3, syscall.ENOSPC
			}
			return n, nil
		}
	})
}

// faults lives the same life again and again, with a fault at another moment each time.
func faults(t *testing.T, fault func(at int64, cause error) crashdisk.Fault) {
	var whole atomic.Int64
	life(t, newDeeds(t), t.TempDir(), crashdisk.New(), func(_, _ string, n int) (int, error) {
		whole.Add(1)
		return n, nil
	})
	total, steps := whole.Load(), int64(faultSteps(t, 10))
	stride := max(1, total/steps)
	t.Logf("%d operations on the disk, a fault at each %d.", total, stride)
	for at := 1 + rand.Int64N(stride); at <= total; at += stride {
		cause := []error{syscall.ENOSPC, syscall.EIO}[at%2]
		t.Run(fmt.Sprintf("%d-%v", at, cause), func(t *testing.T) {
			d, dir, fsys := newDeeds(t), filepath.Join(t.TempDir(), "data"), crashdisk.New()
			var hit atomic.Value
			f := fault(at, cause)
			life(t, d, dir, fsys, func(op, path string, n int) (int, error) {
				short, err := f(op, path, n)
				if err != nil {
					hit.CompareAndSwap(nil, fmt.Sprintf("%s %s: %v", op, strings.TrimPrefix(path, dir), err))
				}
				return short, err
			})
			told := fmt.Sprint("fault at ", hit.Load())
			seed := rand.Uint64()
			cut := filepath.Join(t.TempDir(), "data")
			if err := fsys.PowerCut(rand.New(rand.NewPCG(seed, 1)), dir, cut); err != nil {
				t.Fatal(err)
			}
			d.check(start(t, broker.Config{Data: dir}), told)
			d.check(start(t, broker.Config{Data: cut}), told+", then a power cut")
		})
	}
}

// life starts a broker on a disk and lives one life with it. It may end at its start, with a word of what failed.
func life(t *testing.T, d *deeds, dir string, fsys *crashdisk.Disk, fault crashdisk.Fault) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	lines := &logLines{}
	fsys.SetFault(fault)
	defer fsys.SetFault(nil)
	b, err := broker.New(broker.Config{Data: dir, Listen: []string{"127.0.0.1:0"}, Disk: fsys, Logger: slog.New(slog.NewTextHandler(lines, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	select {
	case <-b.Ready():
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("the start failed without a word of the file: %v", err)
		}
		return
	}
	d.do(&running{t: t, broker: b, addr: b.Addr(), addrs: b.Addrs(), log: lines})
	_ = d.conn.Close()
	cancel()
	if err := <-ended; err != nil && !strings.Contains(err.Error(), dir) {
		t.Errorf("the end failed without a word of the file: %v", err)
	}
	if t.Failed() {
		t.Logf("broker's log:\n%s", lines)
	}
}

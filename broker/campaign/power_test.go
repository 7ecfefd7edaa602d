package campaign

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/disk/crashdisk"
)

// powered is a broker in this process on a disk that can lose its power. Clients reach it through a proxy, which the power
// cut ends first: what they were told before is what must be there after.
type powered struct {
	t     testing.TB
	rng   *rand.Rand
	root  string
	lives int
	proxy *proxy
	disk  *crashdisk.Disk
	data  string
	stop  func() error
	log   *lines
}

func newPowered(t testing.TB, rng *rand.Rand) *powered {
	t.Helper()
	p := &powered{t: t, rng: rng, root: t.TempDir(), proxy: newProxy(t), log: &lines{}}
	p.data = filepath.Join(p.root, "data-0")
	if err := os.Mkdir(p.data, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.stop != nil {
			_ = p.stop()
		}
		if t.Failed() {
			t.Logf("the broker's log:\n%s", p.log.last(60))
		}
	})
	p.start()
	return p
}

// start runs a broker on what is in the folder.
func (p *powered) start() {
	p.t.Helper()
	p.disk = crashdisk.New()
	p.disk.SetFault(slowly)
	var on disk.FS = p.disk
	if p.rng.IntN(2) == 0 { // one that syncs file by file only
		on = byFile{p.disk}
	}
	b, err := broker.New(broker.Config{Data: p.data, Listen: []string{"127.0.0.1:0"}, Advertise: []string{p.proxy.addr()}, Settings: settings,
		Disk: on, Logger: slog.New(slog.NewTextHandler(p.log, nil)), Recovered: p.log})
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	p.stop = func() error {
		cancel()
		p.stop = nil
		return <-ended
	}
	select {
	case <-b.Ready():
	case err := <-ended:
		ended <- err
		p.t.Fatalf("the broker did not start after %d power cuts: %v", p.lives, err)
	}
	p.proxy.lead(b.Addr())
}

// byFile is a disk that has no sync for all files at once, which would hide the lack of one for a single file.
type byFile struct{ disk.FS }

// slowly takes as long for a sync as disks do: what is acknowledged before its sync is there to be lost.
func slowly(op, _ string, n int) (int, error) {
	if op == "sync" {
		rest(context.Background(), 3*time.Millisecond)
	}
	return n, nil
}

// moments are operations on the disk before which the power may go; the empty one is any time.
var moments = []string{"", "", "write", "sync", "rename", "remove", "syncdir", "truncate", "mkdir", "open", "chtimes"}

// cut takes the power away, at once or before an operation of some kind, and starts a broker on what is left.
func (p *powered) cut() (moment string) {
	p.t.Helper()
	p.lives++
	kind := moments[p.rng.IntN(len(moments))]
	image := filepath.Join(p.root, "data-"+string(rune('0'+p.lives%10))+"-"+time.Now().Format("150405.000000"))
	luck := rand.New(rand.NewPCG(p.rng.Uint64(), 0))
	done := make(chan error, 1)
	var once sync.Once
	take := func(before string) {
		once.Do(func() {
			moment = before // read behind done
			p.proxy.cut()
			done <- p.disk.PowerCut(luck, p.data, image)
		})
	}
	if kind == "" {
		take("")
	} else {
		var left atomic.Int64
		left.Store(p.rng.Int64N(12))
		p.disk.SetFault(func(op, path string, n int) (int, error) {
			if op == kind && left.Add(-1) < 0 {
				take(kind)
			}
			return slowly(op, path, n)
		})
	}
	patience := time.NewTimer(400 * time.Millisecond) // some kinds are rare
	defer patience.Stop()
	var err error
	select {
	case err = <-done:
	case <-patience.C:
		take("")
		err = <-done
	}
	p.disk.SetFault(nil)
	if err != nil {
		p.t.Fatalf("taking the power away: %v", err)
	}
	if err := p.stop(); err != nil {
		p.t.Fatalf("the broker that nobody hears any more ended with: %v", err)
	}
	_ = os.RemoveAll(p.data)
	p.data = image
	p.start()
	return moment
}

// lines is what a broker logs.
type lines struct {
	sync.Mutex
	b bytes.Buffer
}

var _ io.Writer = (*lines)(nil)

// Write takes one line.
func (l *lines) Write(b []byte) (int, error) {
	l.Lock()
	defer l.Unlock()
	return l.b.Write(b)
}

// count is how many lines begin with a text.
func (l *lines) count(begin string) (n int) {
	l.Lock()
	defer l.Unlock()
	for line := range strings.Lines(l.b.String()) {
		if strings.HasPrefix(line, begin) {
			n++
		}
	}
	return n
}

// last is the end of the log.
func (l *lines) last(n int) string {
	l.Lock()
	defer l.Unlock()
	all := slices.DeleteFunc(strings.Split(l.b.String(), "\n"), func(s string) bool { return strings.Contains(s, "msg=compacted") })
	return strings.Join(all[max(0, len(all)-n):], "\n")
}

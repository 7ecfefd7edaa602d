package broker_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
)

// Whatever is flipped, cut off or zeroed in any one file of the data folder: the start is refused with the file named,
// or all is right, or what is missing was said in a line that names the partition or the file; never is anything else
// handed out than what was written.
func TestDamageInAnyFileOfTheFolderIsSaidAndNeverHandedOut(t *testing.T) {
	dir, d := filepath.Join(t.TempDir(), "data"), newDeeds(t)
	r := start(t, broker.Config{Data: dir})
	d.do(r)
	killed := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(killed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	for range faultSteps(t, 16) {
		from, seed := killed, rand.Uint64()
		if seed%2 == 0 {
			from = dir
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			spoilt := filepath.Join(t.TempDir(), "data")
			if err := os.CopyFS(spoilt, os.DirFS(from)); err != nil {
				t.Fatal(err)
			}
			again := *d
			again.t, again.patience = t, 4*time.Second // a refused fetch is asked again and again
			file, what := spoilOne(t, rand.New(rand.NewPCG(seed, 7)), spoilt)
			again.faceDamage(spoilt, file, fmt.Sprintf("%s of %s (closed: %t)", what, file, from == dir))
		})
	}
}

// spoilOne damages one file below a folder.
func spoilOne(t *testing.T, rng *rand.Rand, dir string) (file, what string) {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			info, ierr := e.Info()
			if err = ierr; err == nil && info.Size() > 0 && e.Name() != ".lock" {
				files = append(files, path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	path := files[rng.IntN(len(files))]
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := rng.IntN(len(b))
	switch n := rng.IntN(6); n {
	case 0:
		b, what = b[:at], fmt.Sprintf("a cut at byte %d", at)
	case 1:
		end := min(len(b), at+1+rng.IntN(64))
		clear(b[at:end])
		what = fmt.Sprintf("zeros in bytes %d to %d", at, end)
	default:
		b[at] ^= 1 << rng.IntN(8)
		what = fmt.Sprintf("a flip in byte %d, now %q,", at, b[at])
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	rel, err := filepath.Rel(dir, path)
	if err != nil {
		t.Fatal(err)
	}
	return rel, what
}

// faceDamage starts a broker on the folder.
func (d *deeds) faceDamage(dir, file, told string) {
	d.t.Helper()
	lines := &logLines{}
	b, err := broker.New(broker.Config{Data: dir, Listen: []string{"127.0.0.1:0"}, Recovered: lines, Logger: slog.New(slog.NewTextHandler(lines, nil))})
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(d.t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	partition, name := filepath.Dir(file), filepath.Base(file)
	select {
	case <-b.Ready():
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), name) && (partition == "." || !strings.Contains(err.Error(), partition)) {
			d.t.Errorf("%s: the start is refused without a word of the file: %v", told, err)
		}
		return
	}
	var missing []string
	found := false // by the reader: the checksum is for that
	d.compare(&running{t: d.t, broker: b, addr: b.Addr(), addrs: b.Addrs(), log: lines}, func(format string, a ...any) {
		d.t.Helper()
		d.t.Errorf(told+": "+format, a...)
	}, func(format string, a ...any) {
		missing = append(missing, fmt.Sprintf(format, a...))
		found = found || strings.Contains(missing[len(missing)-1], "does not match calculated crc")
	})
	_ = d.conn.Close()
	cancel()
	if err := <-ended; err != nil && !strings.Contains(err.Error(), partition) && !strings.Contains(err.Error(), name) {
		d.t.Errorf("%s: the end: %v", told, err)
	}
	if len(missing) > 0 && !found && !said(lines.String(), partition, name) {
		d.t.Errorf("%s: nothing is said, and %q", told, missing)
	}
	if d.t.Failed() {
		d.t.Logf("broker's log:\n%s", lines)
	}
}

// said says whether a line of some weight names the partition or the file.
func said(log, partition, name string) bool {
	for line := range bytes.Lines([]byte(log)) {
		if bytes.Contains(line, []byte("level=INFO")) || bytes.Contains(line, []byte("level=DEBUG")) {
			continue
		}
		if partition != "." && bytes.Contains(line, []byte(partition)) || bytes.Contains(line, []byte(name)) {
			return true
		}
	}
	return false
}

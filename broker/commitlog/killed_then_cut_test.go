package commitlog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/disk/crashdisk"
	"github.com/loghaul/loghaul/internal/record"
)

// named are the operations that names come and go with.
var named = map[string]bool{"rename": true, "remove": true, "syncdir": true}

var errKilled = errors.New("killed")

// A process that is killed leaves names and bytes that are there for the next one and not
// on the disk yet. Whatever the next one makes of them, a power cut in the middle of it
// must find what either has acknowledged.
func TestAPowerCutSoonAfterAKillTakesNothing(t *testing.T) {
	t.Parallel()
	for n := 0; ; n++ {
		rng := rand.New(rand.NewPCG(uint64(n), 8))
		k := &relay{t: t, rng: rng, fs: crashdisk.New(), dir: logDir(t), clock: newClock(), acked: map[string]int{}}
		left, at := n, ""
		k.fs.SetFault(func(op, path string, size int) (int, error) {
			if named[op] {
				left--
			}
			if left < 0 {
				if at == "" {
					at = op + " " + filepath.Base(path)
				}
				return 0, errKilled
			}
			return size, nil
		})
		k.live("a=1 b=1 | a=2 | c=1 ! d=1")
		if at == "" {
			if n < 20 {
				t.Fatalf("the life took only %d operations", n)
			}
			return
		}
		k.fs.SetFault(func(op, path string, size int) (int, error) {
			if named[op] && (strings.HasPrefix(at, "syncdir") && rng.IntN(2) == 0 || rng.IntN(8) == 0) { // names were given and not made durable
				k.cut(fmt.Sprintf("killed at %s, cut at %s %s", at, op, filepath.Base(path)))
			}
			return size, nil
		})
		k.live("a=3 e=1 | ! b=2")
		for range 2 {
			k.cut("killed at " + at + ", cut at the end")
		}
		k.fs.SetFault(nil)
	}
}

// relay is a compacted log of two processes: the first is killed, the power of the
// second one goes.
type relay struct {
	t     *testing.T
	rng   *rand.Rand
	fs    *crashdisk.Disk
	dir   string
	clock *clock
	acked map[string]int // by key
}

// live is one process: pairs to write, | to roll, ! to compact. It ends as a killed one.
func (k *relay) live(story string) {
	k.t.Helper()
	cfg := compacting(k.clock)
	cfg.Disk = k.fs
	l, err := Open(k.dir, cfg, nil)
	if err != nil {
		if !errors.Is(err, errKilled) {
			k.t.Fatal(err)
		}
		return
	}
	defer l.Abandon()
	for step := range strings.FieldsSeq(story) {
		switch step {
		case "|":
			l.appending.Lock()
			err = l.roll()
			l.appending.Unlock()
		case "!":
			_, err = l.Compact(context.Background(), k.clock.now)
		default:
			if _, err = l.Append(keyed(k.t, record.NoProducer, record.None, step)); err == nil {
				var key string
				var version int
				fmt.Sscanf(strings.Replace(step, "=", " ", 1), "%s %d", &key, &version)
				k.acked[key] = version
			}
		}
		if err != nil && !errors.Is(err, errKilled) {
			k.t.Fatal(err)
		} else if err != nil {
			return
		}
	}
}

// cut takes the power away and looks at what is there.
func (k *relay) cut(told string) {
	k.t.Helper()
	if _, err := k.fs.Stat(k.dir); err != nil && len(k.acked) == 0 {
		return // the folder has not been made
	}
	dir := powerCut(k.t, k.fs, k.rng, k.dir)
	re := open(k.t, dir, compacting(k.clock))
	got := map[string]int{}
	for _, pair := range pairsFrom(k.t, re, re.Start()) {
		var at, version int
		var key string
		fmt.Sscanf(strings.NewReplacer(":", " ", "=", " ").Replace(pair), "%d %s %d", &at, &key, &version)
		got[key] = max(got[key], version)
	}
	for key, version := range k.acked {
		if got[key] < version {
			k.t.Fatalf("%s: the log has version %d of %s, %d was acknowledged", told, got[key], key, version)
		}
	}
	re.Abandon()
}

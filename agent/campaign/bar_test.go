package campaign

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// The bar: at so many lines a second the file is renamed after so many of them, and the old
// one is gone so much later.
const (
	barRate  = 20_000
	barFile  = 5_000
	barGone  = 1250 * time.Millisecond
	barKills = 5
)

// TestTheBarFilesThatAreGoneSoonAndFiveKills is the yardstick of other agents: at 20,000
// lines a second, a rename each 5,000 lines, the old file gone 1.25 s later and five kills,
// they lose up to 4,980 lines and double up to 30,500.
func TestTheBarFilesThatAreGoneSoonAndFiveKills(t *testing.T) {
	n := length(2, barKills)
	root := newRoot(t)
	broker := launch(t, filepath.Join(root, "broker.log"), "broker", "--data", filepath.Join(root, "broker"), "--listen", "127.0.0.1:0", "--admin", "none")
	addr := broker.wait()["broker"]
	broker.args[slices.Index(broker.args, "--listen")+1] = addr
	w := newWorld(t, root, addr, []style{{name: "bar", pattern: "app.log", own: true, slow: true, begin: (*site).open, turn: func(*site) error { return nil }}}, 1, 1)
	b := &bar{w: w, s: w.sites[0]}
	w.stop() // its own writer: this one is paced by its renames
	w.running.Wait()
	w.must(b.s.open())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	written := make(chan error, 1) // holds what came of the writing
	go func() { written <- b.write(ctx) }()
	for range n {
		pause(time.Second)
		b.kill()
	}
	pause(time.Second)
	cancel()
	w.must(<-written)
	w.must(b.s.file.Close())
	var sum summary
	w.finish(&sum)
	sum.print(t)
	t.Logf("%d agents killed, %d files removed %s after they were renamed", n, b.removed, barGone)
	broker.kill()
}

// bar writes, renames and removes.
type bar struct {
	w       *world
	s       *site
	old     []oldFile // renamed and still there, oldest first
	gone    int       // the first line that lies in no removed file
	removed int
	mu      sync.Mutex // held while the agent is killed and until it is back: nothing is removed then
}

type oldFile struct {
	name  string
	since time.Time
	end   int // the first line that is not in it
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// write logs until ctx ends, renames the file and removes old ones.
func (b *bar) write(ctx context.Context) error {
	began, before := time.Now(), b.s.n
	for ctx.Err() == nil {
		due := int(time.Since(began).Seconds()*barRate) - (b.s.n - before)
		due = min(due, barFile-b.s.n%barFile)
		if err := b.s.burst(b.s.write, due); err != nil {
			return err
		}
		if b.s.n%barFile == 0 && due > 0 {
			if err := b.turn(); err != nil {
				return err
			}
		}
		if err := b.remove(); err != nil {
			return err
		}
		pause(2 * time.Millisecond)
	}
	return nil
}

func (b *bar) turn() error {
	b.s.turns++
	to := fmt.Sprintf("%s.%d", b.s.path, b.s.turns)
	if err := b.s.away(to); err != nil {
		return err
	}
	b.old = append(b.old, oldFile{to, time.Now(), b.s.n})
	return nil
}

// remove deletes what was renamed long enough ago, if the agent has had its chance: a machine
// may be so busy that it is not back by then, and what is deleted before anybody could look is
// nowhere.
func (b *bar) remove() error {
	if !b.mu.TryLock() {
		return nil
	}
	defer b.mu.Unlock()
	for len(b.old) > 0 && time.Since(b.old[0].since) >= barGone {
		o := b.old[0]
		if !b.w.agent.holds(o.name) && b.w.stored(b.s.style.name) < o.end {
			return nil
		}
		if err := os.Remove(o.name); err != nil {
			return err
		}
		b.old, b.gone, b.removed = b.old[1:], o.end, b.removed+1
	}
	return nil
}

// kill kills the agent while it is sending, and starts it again. What it holds alone, of
// files that are gone already, is in the topic or in its spool by then; files go on being
// renamed meanwhile.
func (b *bar) kill() {
	b.w.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.w.until("the lines of the removed files in the topic", func() bool { return b.w.stored(b.s.style.name) >= b.gone })
	b.w.agent.kill()
	b.w.agent = b.w.agent.again()
	b.w.agent.wait()
}

// holds says whether the process has the file open, where the system tells.
func (p *process) holds(name string) bool {
	dir := fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && to == name {
			return true
		}
	}
	return false
}

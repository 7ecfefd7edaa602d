package handle

import (
	"errors"
	"runtime"
	"sync/atomic"

	"github.com/loghaul/loghaul/internal/record"
)

// tool takes batches apart and puts them together in other forms.
type tool struct {
	record.Converter
	out   []byte // where to
	raw   []byte // where from, when that is a file
	most  int    // bytes that a packed batch may hold
	short bool   // the last batch held more
}

const (
	// keptBuffer is the largest buffer in bytes that a tool keeps for the next batch.
	keptBuffer = 8 << 20
	// smallUnpacked is how many bytes a packed batch may hold for one of the many tools; it is unpacked in a buffer that they
	// keep.
	smallUnpacked = keptBuffer - 1
	// largestUnpacked bounds what one compressed batch may hold, in bytes. Only one such is unpacked at a time.
	largestUnpacked = 64 << 20
	// mostTools bounds what the tools hold together. So many check gigabytes of batches a second.
	mostTools = 4
)

// tools are as many as processors, as far as mostTools allows. largeTool is the only one that takes batches which hold more
// than smallUnpacked: some 200 MiB while such a batch is packed anew.
var (
	tools     = makeTools(min(runtime.GOMAXPROCS(0), mostTools), smallUnpacked)
	largeTool = makeTools(1, largestUnpacked)
	largeNext atomic.Int32 // who waits for largeTool
)

func makeTools(n, most int) chan *tool {
	c := make(chan *tool, n)
	for range n {
		c <- &tool{most: most}
	}
	return c
}

// bound is how many bytes a packed batch of size bytes may hold.
func (t *tool) bound(size int) int { return max(t.most, size) }

// note keeps in mind whether a batch was too large for the tool, and returns err.
func (t *tool) note(err error) error {
	t.short = t.short || errors.Is(err, record.ErrTooLarge)
	return err
}

// inTool calls do with a tool. When a batch holds too much for that it is called again with the one for large batches: one
// that is large while packed has seldom more than a few times its bytes in it, so this costs few anything.
func inTool(do func(t *tool) error) error {
	t := borrow()
	err := t.note(do(t))
	again := t.tooSmall()
	t.giveBack()
	if again {
		t = borrowLarge()
		defer t.giveBack()
		err = do(t)
	}
	return err
}

// tooSmall says whether the last batch may have room in the large tool.
func (t *tool) tooSmall() bool { return t.short && t.most < largestUnpacked }

// borrow waits for a tool. Who has one waits for no second.
func borrow() *tool { return <-tools }

// borrowLarge waits for the tool for large batches. Who waits for it has no other.
func borrowLarge() *tool {
	largeNext.Add(1)
	defer largeNext.Add(-1)
	return <-largeTool
}

// giveBack returns a tool; what lies in its buffers is not valid any more. A large one keeps them for who waits for it, so
// that a row of large batches does not leave as many buffers behind.
func (t *tool) giveBack() {
	t.short = false
	to := tools
	if t.most == largestUnpacked {
		to = largeTool
	}
	if to == tools || largeNext.Load() == 0 {
		t.shed()
	}
	to <- t
}

// shed lets go of large buffers.
func (t *tool) shed() {
	t.Shed(keptBuffer)
	if cap(t.out) > keptBuffer {
		t.out = nil
	}
	if cap(t.raw) > keptBuffer {
		t.raw = nil
	}
}

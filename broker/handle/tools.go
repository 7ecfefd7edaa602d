package handle

import (
	"runtime"

	"github.com/loghaul/loghaul/internal/record"
)

// tool takes batches apart and puts them together in other forms.
type tool struct {
	record.Converter
	out []byte // where to
	raw []byte // where from, when that is a file
}

// keptBuffer is the largest buffer in bytes that a tool keeps for the next batch.
const keptBuffer = 8 << 20

// mostTools bounds what the tools hold together, some 200 MiB each while large batches are packed anew. So many check
// gigabytes of batches a second.
const mostTools = 4

// tools are as many as processors, as far as mostTools allows.
var tools = func() chan *tool {
	c := make(chan *tool, min(runtime.GOMAXPROCS(0), mostTools))
	for range cap(c) {
		c <- new(tool)
	}
	return c
}()

// borrow waits for a tool. Who has one waits for no second.
func borrow() *tool { return <-tools }

// giveBack returns a tool; what lies in its buffers is not valid any more.
func (t *tool) giveBack() {
	t.Shed(keptBuffer)
	if cap(t.out) > keptBuffer {
		t.out = nil
	}
	if cap(t.raw) > keptBuffer {
		t.raw = nil
	}
	tools <- t
}

package agent

import (
	"context"
	runtimemetrics "runtime/metrics"
	"time"
)

const (
	memoryBase = 32 << 20 // for the program itself, and for what is garbage for a moment
	memoryStep = 8 << 20  // what is worth telling
)

// needs is how many bytes the process needs in all: the budget, or a quarter more than
// what is alive, if that is more because very many files are followed. A limit below what
// is alive would make the runtime collect garbage without end.
func needs(budget, alive int64) int64 { return max(budget, alive+alive/4) + memoryBase }

// tellMemory tells NeedsMemory, now and when it has changed much, until ctx ends.
func (a *Agent) tellMemory(ctx context.Context) error {
	alive := []runtimemetrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for told := int64(0); ; {
		runtimemetrics.Read(alive)
		live := int64(0)
		if alive[0].Value.Kind() == runtimemetrics.KindUint64 {
			live = int64(alive[0].Value.Uint64())
		}
		if n := needs(a.cfg.Memory, live); n-told >= memoryStep || told-n >= memoryStep {
			a.cfg.NeedsMemory(n)
			told = n
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

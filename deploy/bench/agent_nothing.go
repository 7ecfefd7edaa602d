package bench

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/loghaul/loghaul/agent"
	"github.com/loghaul/loghaul/etcdconf"
)

// nothingName and severalName are the legs of toNothing.
const (
	nothingName = "file to nothing"
	severalName = "files to nothing"
	oneFile     = "one file"
)

// toNothing reads a log, frames its lines and throws the batches away, in this process: first alone, then two
// at once.
func toNothing(ctx context.Context, b *agentBench) ([]BrokerLeg, error) {
	file, err := b.accessLog(b.Size.Lines)
	if err != nil {
		return nil, err
	}
	one, err := b.discard(ctx, nothingName, file, 1)
	if err != nil {
		return nil, err
	}
	several, err := b.discard(ctx, severalName, file, 2)
	if err != nil {
		return nil, err
	}
	return []BrokerLeg{one, several, {Name: severalName, Server: oneFile, LinesPerS: one.LinesPerS}}, nil
}

// discard reads the log as so many files at once, again and again.
func (b *agentBench) discard(ctx context.Context, name, file string, files int) (l BrokerLeg, err error) {
	in, err := etcdconf.ParseInput(etcdconf.Value{Name: "bench", Data: []byte(`{"paths":["/bench.log"],"topic":"bench","compression":"none"}`)})
	if err != nil {
		return l, err
	}
	paths := []string{file}
	for i := 1; i < files; i++ {
		again := b.path("log", "again-"+strconv.Itoa(i))
		if err := os.Link(file, again); err != nil {
			return l, err
		}
		defer os.Remove(again)
		paths = append(paths, again)
	}
	one := b.Size.Lines * files
	passes := max(1, b.Size.Nothing*1_000_000/(one*lineBytes))
	cpu, known := usedBy(os.Getpid())
	began := time.Now()
	for range passes {
		n, err := agent.Discard(ctx, "bench", in, paths)
		if err == nil && n != int64(one) {
			err = fmt.Errorf("%d records came of %d lines", n, one)
		}
		if err != nil {
			return l, err
		}
	}
	took, bytes := time.Since(began), float64(passes*one)*lineBytes
	l = BrokerLeg{Name: name, Server: ours, LinesPerS: new(float64(passes*one) / took.Seconds()), MBPerS: new(bytes / 1e6 / took.Seconds())}
	if after, ok := usedBy(os.Getpid()); ok && known {
		l.CPUSPerGB = new((after - cpu).Seconds() / (bytes / 1e9))
	}
	return l, nil
}

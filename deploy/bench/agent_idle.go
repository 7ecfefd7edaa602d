package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// fewName and manyFilesName are the legs of agentIdle and agentMany.
const (
	fewName       = "idle, few files"
	manyFilesName = "idle, many files"
)

// activeFiles is how many files are written to beside the idle ones, a line a second each.
const activeFiles = 50

// agentIdle watches an agent that follows many files of which few are written to.
func agentIdle(ctx context.Context, b *agentBench) ([]BrokerLeg, error) {
	l, err := b.idleAgent(ctx, fewName, b.Size.Few+activeFiles, activeFiles)
	return []BrokerLeg{l}, err
}

// agentMany watches an agent that follows very many files, none of which is written to, and starts it again.
func agentMany(ctx context.Context, b *agentBench) ([]BrokerLeg, error) {
	l, err := b.idleAgent(ctx, manyFilesName, b.Size.Many, 0)
	return []BrokerLeg{l}, err
}

// idleAgent lets the agent take over a folder of files of a line each, starts it again when all is sent, and watches it.
func (b *agentBench) idleAgent(ctx context.Context, name string, files, active int) (l BrokerLeg, err error) {
	logs := b.path("many")
	defer os.RemoveAll(logs)
	if err := oneLineEach(logs, files); err != nil {
		return l, err
	}
	_, err = b.on(ctx, b.brokers[0], func(s *server) ([]BrokerLeg, error) {
		l, err = b.idleOn(ctx, s, name, logs, files, active)
		return nil, err
	})
	return l, err
}

// filesInFolder is how many files lie in one folder.
const filesInFolder = 1000

func oneLineEach(dir string, files int) error {
	for i := range files {
		folder := filepath.Join(dir, fmt.Sprintf("%03d", i/filesInFolder))
		if i%filesInFolder == 0 {
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%06d.log", i)), fmt.Appendf(nil, "the only line of file %d\n", i), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (b *agentBench) idleOn(ctx context.Context, s *server, name, logs string, files, active int) (l BrokerLeg, err error) {
	j := job{file: filepath.Join(logs, "*", "*.log"), root: logs, addr: s.addr, topic: "bench"}
	if err := createTopic(ctx, s.addr, j.topic, 1, nil); err != nil {
		return l, err
	}
	if j.dir, err = os.MkdirTemp(b.dir, "agent-"); err != nil {
		return l, err
	}
	defer os.RemoveAll(j.dir)
	h := b.ours()
	b.Say("  %d files, for the first time", files)
	first, err := h.start(ctx, j)
	if err != nil {
		return l, err
	}
	defer first.kill()
	if err := first.until(ctx, func() bool { return arrivedAll(ctx, s.addr, int64(files)) }); err != nil {
		return l, err
	}
	if err := first.stop(ctx); err != nil {
		return l, err
	}
	// A line in the file that is looked at last shows when all are looked after again: they are taken by name.
	b.Say("  started again")
	last := fmt.Sprintf("%03d/%06d.log", (files-1)/filesInFolder, files-1)
	if err := appendTo(filepath.Join(logs, filepath.FromSlash(last))); err != nil {
		return l, err
	}
	pr, err := h.start(ctx, j)
	if err != nil {
		return l, err
	}
	defer pr.kill()
	if err := pr.until(ctx, func() bool { return arrivedAll(ctx, s.addr, int64(files)+1) }); err != nil {
		return l, err
	}
	ready := time.Since(pr.began)
	return b.watchIdle(ctx, pr, BrokerLeg{Name: name, Server: ours, ReadyMS: percentile([]time.Duration{ready}, 0.5)}, logs, active)
}

// watchIdle lets the agent settle and then counts what it uses, while lines come to some of the files.
func (b *agentBench) watchIdle(ctx context.Context, pr *process, l BrokerLeg, logs string, active int) (BrokerLeg, error) {
	if err := writeNowAndThen(ctx, logs, active, b.Size.Idle/2); err != nil {
		return l, err
	}
	pr.forgetPeak()
	cpu, known := pr.used()
	began := time.Now()
	if err := writeNowAndThen(ctx, logs, active, b.Size.Idle); err != nil {
		return l, err
	}
	if after, ok := pr.used(); ok && known {
		l.CPU = new(100 * (after - cpu).Seconds() / time.Since(began).Seconds())
	}
	l.PeakRSSMB, l.Open = pr.memoryMB("VmHWM:"), pr.descriptors()
	return l, nil
}

// writeNowAndThen appends a line a second to each of the first files of a folder, evenly spread.
func writeNowAndThen(ctx context.Context, logs string, files int, d time.Duration) error {
	if files == 0 {
		return pause(ctx, d)
	}
	t := time.NewTicker(time.Second / time.Duration(files))
	defer t.Stop()
	end := time.Now().Add(d)
	for i := 0; time.Now().Before(end); i++ {
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := appendTo(filepath.Join(logs, "000", fmt.Sprintf("%06d.log", i%files))); err != nil {
			return err
		}
	}
	return nil
}

func appendTo(file string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString("another line, as an application writes them now and then\n")
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// arrivedAll says whether topic bench holds so many records.
func arrivedAll(ctx context.Context, addr string, records int64) bool {
	n, err := ends(ctx, addr, "bench", 1)
	return err == nil && n >= records
}

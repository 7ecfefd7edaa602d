package e2e

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// pipe is a broker, an agent and a transfer on folders of one test.
type pipe struct {
	t        *testing.T
	logs     string // what programs write
	out      string // what the sink holds
	broker   *process
	agent    *process
	transfer *process
}

// newPipe starts the three, configured by files and without etcd.
func newPipe(t *testing.T) *pipe {
	t.Helper()
	return newPipeOn(t, t.TempDir(), filepath.Join(t.TempDir(), "broker"))
}

// newPipeOn does so with the broker's data in a folder of its own.
func newPipeOn(t *testing.T, dir, brokerData string) *pipe {
	t.Helper()
	p := &pipe{t: t, logs: filepath.Join(dir, "logs"), out: filepath.Join(dir, "out")}
	put(t, filepath.Join(dir, "inputs", "app.json"), `{"paths":["`+p.logs+`/*.log"],"topic":"web_log"}`)
	put(t, filepath.Join(dir, "sinks", "file.json"), `{"type":"file","topics":["web_log"],"path":"{topic}/{partition}/all.log","batch":{"age":"50ms"}}`)
	if err := os.MkdirAll(p.logs, 0o755); err != nil {
		t.Fatal(err)
	}
	p.broker = start(t, "broker", "--data", brokerData, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	// From now on the port stays: a broker that comes back has the address it had.
	p.broker.args[4] = p.broker.ready["broker"]
	brokers := p.broker.ready["broker"]
	p.agent = start(t, "agent", "--data", filepath.Join(dir, "agent"), "--host", "web-1", "--allow-root", p.logs, "--etcd", "none",
		"--inputs", filepath.Join(dir, "inputs"), "--brokers", brokers, "--admin", "127.0.0.1:0")
	p.transfer = start(t, "transfer", "--data", filepath.Join(dir, "transfer"), "--id", "t1", "--etcd", "none",
		"--sinks", filepath.Join(dir, "sinks"), "--out-root", p.out, "--brokers", brokers, "--admin", "127.0.0.1:0")
	return p
}

func put(t *testing.T, path, value string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
		t.Fatal(err)
	}
}

// write starts one writer for each name and returns what stops them all.
func (p *pipe) write(names ...string) (stop func() []*writer) {
	ctx, cancel := context.WithCancel(p.t.Context())
	var running sync.WaitGroup
	var writers []*writer
	for _, name := range names {
		w := &writer{path: filepath.Join(p.logs, name), rotate: 4000}
		if err := w.turn(); err != nil {
			p.t.Fatal(err)
		}
		writers = append(writers, w)
		running.Go(func() { w.run(ctx, p.t) })
	}
	stop = func() []*writer { cancel(); running.Wait(); return writers }
	p.t.Cleanup(func() { stop() })
	return stop
}

// arrive waits until the sink holds what the writers wrote, then counts both ends.
func (p *pipe) arrive(writers []*writer) {
	p.t.Helper()
	want := 0
	for _, w := range writers {
		want += w.written
	}
	eventually(p.t, "every line in the sink", func() bool { return delivered(p.t, p.out) >= want })
	// Stopped well, the three have nothing left to send: what is there now is all.
	p.agent.stop()
	p.transfer.stop()
	topic(p.t, p.broker.ready["broker"], "web_log").check(p.t, "topic", writers...)
	files(p.t, p.out).check(p.t, "sink", writers...)
	verified(p.t, p.broker.ready["broker"], bytesOf(writers))
	p.broker.stop()
}

// pause lets time pass where there is no condition to wait for: a kill comes at any
// moment.
func pause(d time.Duration) { <-time.After(d) }

func TestEveryLineArrivesOnceWhateverIsKilled(t *testing.T) {
	n, s := *kills, *seed
	if n == 0 {
		if n = 12; testing.Short() {
			n = 4
		}
	}
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("%d kills, -seed %d", n, s)
	rng := rand.New(rand.NewPCG(s, 0))
	p := newPipe(t)
	stop := p.write("access.log", "error.log")
	for range n {
		pause(time.Duration(100+rng.IntN(900)) * time.Millisecond)
		switch rng.IntN(3) {
		case 0:
			p.broker.kill()
			p.broker = p.broker.again()
		case 1:
			p.agent.kill()
			pause(time.Duration(rng.IntN(400)) * time.Millisecond) // files rotate while nobody looks
			p.agent = p.agent.again()
		case 2:
			p.transfer.kill()
			p.transfer = p.transfer.again()
		}
	}
	p.arrive(stop())
}

func TestAStopAndAStartLeaveNoGapAndNoDouble(t *testing.T) {
	p := newPipe(t)
	stop := p.write("access.log")
	for range 2 {
		before := delivered(t, p.out)
		eventually(t, "lines on their way", func() bool { return delivered(t, p.out) > before })
		p.agent.stop()
		p.transfer.stop()
		p.broker.stop()
		p.broker, p.agent, p.transfer = p.broker.again(), p.agent.again(), p.transfer.again()
	}
	p.arrive(stop())
}

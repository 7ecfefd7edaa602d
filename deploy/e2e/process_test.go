package e2e

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait of these tests; the race detector on two busy cores is slow.
const patience = 90 * time.Second

// process is one running loghaul command: this test binary under another name.
type process struct {
	t     *testing.T
	args  []string
	cmd   *exec.Cmd
	ready map[string]string // what its ready line named
	read  chan struct{}     // closed when its standard error has ended

	mu struct {
		sync.Mutex
		said []string // its last lines on standard error
	}
}

// start runs loghaul with args and waits for its ready line. The process is killed
// when the test ends.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := launch(t, args...)
	p.waitReady()
	return p
}

// launch runs loghaul with args and does not wait.
func launch(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, args: args, read: make(chan struct{})}
	p.cmd = exec.Command(os.Args[0], args...)
	p.cmd.Env = append(os.Environ(), asLoghaul+"=1")
	dieWithParent(p.cmd)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting loghaul %s: %v", strings.Join(args, " "), err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("loghaul %s said:\n%s", strings.Join(p.args, " "), p.said())
		}
	})
	found := make(chan map[string]string, 1)
	go p.listen(stderr, found)
	select {
	case p.ready = <-found:
	case <-p.read:
	case <-time.After(patience):
		t.Fatalf("loghaul %s was not ready in %s:\n%s", args[0], patience, p.said())
	}
	return p
}

func (p *process) waitReady() {
	p.t.Helper()
	if p.ready == nil {
		p.t.Fatalf("loghaul %s ended before it was ready:\n%s", strings.Join(p.args, " "), p.said())
	}
}

// listen keeps the last lines of the process and passes on its ready line.
func (p *process) listen(stderr io.Reader, found chan<- map[string]string) {
	defer close(p.read)
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text := lines.Text()
		p.mu.Lock()
		if p.mu.said = append(p.mu.said, text); len(p.mu.said) > 60 {
			p.mu.said = p.mu.said[1:]
		}
		p.mu.Unlock()
		if rest, ok := strings.CutPrefix(text, "ready: "); ok {
			addrs := map[string]string{}
			for _, f := range strings.Fields(rest) {
				name, addr, _ := strings.Cut(f, "=")
				addrs[name] = addr
			}
			select {
			case found <- addrs:
			default:
			}
		}
	}
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.mu.said, "\n")
}

// kill ends the process as kill -9 does, and returns when it is gone.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		p.cmd.Process.Kill()
		<-p.read
		p.cmd.Wait()
	}
}

// stop asks the process to drain and wants it to end well.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatalf("asking loghaul %s to stop: %v", p.args[0], err)
	}
	select {
	case <-p.read:
	case <-time.After(patience):
		p.t.Fatalf("loghaul %s did not stop in %s:\n%s", p.args[0], patience, p.said())
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Fatalf("loghaul %s stopped with %v:\n%s", p.args[0], err, p.said())
	}
}

// again starts the same command once more, after it was killed or stopped.
func (p *process) again() *process {
	p.t.Helper()
	return start(p.t, p.args...)
}

// eventually waits until done says true.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !done(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

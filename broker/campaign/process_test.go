package campaign

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a running loghaul broker: this test binary under another name.
type process struct {
	t     testing.TB
	args  []string
	cmd   *exec.Cmd
	ready chan map[string]string // what its ready line names
	read  chan struct{}          // closed when its standard error has ended

	mu struct {
		sync.Mutex
		said []string // its last lines on standard error
		cuts int      // lines about what recovery took away
	}
}

// launch runs loghaul broker over a folder; it is killed when the test ends.
func launch(t testing.TB, data, listen, admin string, more ...string) *process {
	t.Helper()
	args := append([]string{"broker", "--data", data, "--listen", listen, "--admin", admin}, more...)
	for name, value := range settings {
		args = append(args, "--set", name+"="+value)
	}
	p := &process{t: t, args: args, ready: make(chan map[string]string, 1), read: make(chan struct{})}
	p.cmd = exec.Command(os.Args[0], args...)
	p.cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "LOGHAUL_") }), asLoghaul+"=1")
	dieWithParent(p.cmd)
	stderr, err := p.cmd.StderrPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatalf("starting loghaul %s: %v", strings.Join(args, " "), err)
	}
	go p.listen(stderr)
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the broker said at last:\n%s", p.said())
		}
	})
	return p
}

// wait returns what the ready line named.
func (p *process) wait() map[string]string {
	p.t.Helper()
	select {
	case addrs := <-p.ready:
		return addrs
	case <-p.read:
		p.t.Fatalf("the broker ended before it was ready:\n%s", p.said())
	case <-time.After(patience):
		p.t.Fatalf("the broker was not ready in %s:\n%s", patience, p.said())
	}
	return nil
}

// listen keeps the last lines of the process and passes on its ready line.
func (p *process) listen(stderr io.Reader) {
	defer close(p.read)
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text := lines.Text()
		p.mu.Lock()
		if p.mu.said = append(p.mu.said, text); len(p.mu.said) > 40 {
			p.mu.said = p.mu.said[1:]
		}
		if strings.HasPrefix(text, "recovered ") {
			p.mu.cuts++
		}
		p.mu.Unlock()
		if rest, ok := strings.CutPrefix(text, "ready: "); ok {
			addrs := map[string]string{}
			for _, f := range strings.Fields(rest) {
				name, addr, _ := strings.Cut(f, "=")
				addrs[name] = addr
			}
			p.ready <- addrs // it is said once
		}
	}
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.mu.said, "\n")
}

// recovered is how many lines told what recovery took away.
func (p *process) recovered() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.cuts
}

// kill ends the process as kill -9 does, and returns when it is gone.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		<-p.read
		_ = p.cmd.Wait()
	}
}

// stop asks the process to drain and wants it to end well.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatalf("asking the broker to stop: %v", err)
	}
	select {
	case <-p.read:
	case <-time.After(patience):
		p.t.Fatalf("the broker did not stop in %s:\n%s", patience, p.said())
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Fatalf("the broker stopped with %v:\n%s", err, p.said())
	}
}

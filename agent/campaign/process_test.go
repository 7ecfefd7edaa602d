package campaign

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait; the race detector on busy cores is slow.
const patience = 2 * time.Minute

// process is a running loghaul command: this test binary under another name.
type process struct {
	t     testing.TB
	args  []string
	log   string // the file that takes what all lives of the command say
	cmd   *exec.Cmd
	ready chan map[string]string // what its ready line names
	read  chan struct{}          // closed when its standard error has ended

	mu struct {
		sync.Mutex
		said []string // its last lines on standard error
	}
}

// launch runs loghaul with args and does not wait for it; it is killed when the test ends.
func launch(t testing.TB, log string, args ...string) *process {
	t.Helper()
	p := &process{t: t, args: args, log: log, ready: make(chan map[string]string, 1), read: make(chan struct{})}
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
	t.Cleanup(p.kill)
	return p
}

// wait returns what the ready line named.
func (p *process) wait() map[string]string {
	p.t.Helper()
	select {
	case addrs := <-p.ready:
		return addrs
	case <-p.read:
		p.t.Fatalf("loghaul %s ended before it was ready:\n%s", p.args[0], p.last())
	case <-time.After(patience):
		p.t.Fatalf("loghaul %s was not ready in %s:\n%s", p.args[0], patience, p.last())
	}
	return nil
}

// listen keeps what the process says and passes on its ready line.
func (p *process) listen(stderr io.Reader) {
	defer close(p.read)
	file, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		p.t.Error(err)
		return
	}
	defer file.Close()
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text := lines.Text()
		fmt.Fprintf(file, "%d %s\n", p.cmd.Process.Pid, text)
		p.mu.Lock()
		if p.mu.said = append(p.mu.said, text); len(p.mu.said) > 40 {
			p.mu.said = p.mu.said[1:]
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

// last is what the process said at last.
func (p *process) last() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.mu.said, "\n")
}

// kill ends the process as kill -9 does, and returns when it is gone.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		p.gone()
	}
}

// gone waits for the end of the process.
func (p *process) gone() {
	<-p.read
	_ = p.cmd.Wait()
}

// stop asks the process to end and waits until it has.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatalf("asking loghaul %s to stop: %v", p.args[0], err)
	}
	select {
	case <-p.read:
		p.gone()
	case <-time.After(patience):
		p.t.Fatalf("loghaul %s did not stop in %s:\n%s", p.args[0], patience, p.last())
	}
}

// again launches the same command once more.
func (p *process) again() *process {
	p.t.Helper()
	return launch(p.t, p.log, p.args...)
}

// program finds an installed program, skips the test where it is not there, and fails it
// where everything must be.
func program(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/usr/local/sbin") {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed: .ci/install brings it", name)
	}
	t.Skipf("%s is not installed: .ci/install brings it", name)
	return ""
}

// pause lets time pass where there is no condition to wait for: a kill or a rotation comes
// at any moment.
func pause(d time.Duration) { <-time.After(d) }

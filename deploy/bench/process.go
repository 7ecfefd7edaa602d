package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// patience is how long a process may do nothing visible before the measurement gives up: an Apache Kafka reads 10 GB
// again after a kill.
const patience = 5 * time.Minute

// process is one program that is measured, running as a process of its own.
type process struct {
	name  string
	cmd   *exec.Cmd
	began time.Time
	ready chan map[string]string // its ready line; one send, by listen
	where map[string]string      // from its ready line
	ended chan struct{}          // closed when it has ended and its output is read
	peak  atomic.Int64           // resident bytes at most, 0 while unknown

	mu struct {
		sync.Mutex
		said []string // its last lines on standard error
	}
}

// start runs a command and waits for its ready line, or its end.
func (p *pipe) start(ctx context.Context, args ...string) (*process, error) {
	return startLoghaul(ctx, p.Program, p.Env, args...)
}

// startLoghaul runs a command of the program and waits for its ready line, or its end.
func startLoghaul(ctx context.Context, program string, env []string, args ...string) (*process, error) {
	cmd := exec.Command(program, args...)
	cmd.Env = append(ownEnv(os.Environ()), env...)
	pr, err := spawn(args[0], cmd)
	if err != nil {
		return nil, err
	}
	select {
	case pr.where = <-pr.ready:
		return pr, nil
	case <-pr.ended:
		select {
		case pr.where = <-pr.ready: // quick, but it did serve
			return pr, nil
		default:
			return nil, pr.failed("ended before it was ready")
		}
	case <-time.After(patience):
		pr.kill()
		return nil, pr.failed("was not ready in " + patience.String())
	case <-ctx.Done():
		pr.kill()
		return nil, ctx.Err()
	}
}

// spawn starts a program and listens to what it says on standard error. Its goroutines end with it.
func spawn(name string, cmd *exec.Cmd) (*process, error) {
	pr := &process{name: name, cmd: cmd, ready: make(chan map[string]string, 1), ended: make(chan struct{})}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	pr.began = time.Now()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the %s: %w", name, err)
	}
	go pr.listen(stderr)
	go pr.watch()
	return pr, nil
}

// ownEnv leaves out what would change the commands' settings.
func ownEnv(environ []string) []string {
	var env []string
	for _, e := range environ {
		if !strings.HasPrefix(e, "LOGHAUL_") && !strings.HasPrefix(e, "KAFKA_") {
			env = append(env, e)
		}
	}
	return env
}

// listen reads what the process says until it ends, and reaps it.
func (pr *process) listen(stderr io.Reader) {
	defer close(pr.ended)
	lines := bufio.NewScanner(stderr)
	said := false
	for lines.Scan() {
		text := lines.Text()
		if rest, ok := strings.CutPrefix(text, "ready:"); ok && !said {
			said = true
			where := map[string]string{}
			for _, f := range strings.Fields(rest) {
				name, addr, _ := strings.Cut(f, "=")
				where[name] = addr
			}
			pr.ready <- where
		}
		pr.mu.Lock()
		if pr.mu.said = append(pr.mu.said, text); len(pr.mu.said) > 20 {
			pr.mu.said = pr.mu.said[1:]
		}
		pr.mu.Unlock()
	}
	io.Copy(io.Discard, stderr) // after a line too long for the scanner
	pr.cmd.Wait()               // its ProcessState says how it ended
}

// watch keeps the peak of the memory. It is asked for now and then because it is gone with the process.
func (pr *process) watch() {
	t := time.NewTicker(20 * time.Millisecond)
	defer t.Stop()
	for {
		if kb := statusKB(pr.cmd.Process.Pid, "VmHWM:"); kb > 0 {
			pr.peak.Store(kb << 10)
		}
		select {
		case <-t.C:
		case <-pr.ended:
			return
		}
	}
}

// statusKB reads a line of /proc/PID/status; 0 where there is none.
func statusKB(pid int, field string) int64 {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == field {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n
		}
	}
	return 0
}

// wait waits for an end of its own, which must be a good one.
func (pr *process) wait(ctx context.Context) error {
	select {
	case <-pr.ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	if !pr.cmd.ProcessState.Success() {
		return pr.failed("ended with " + pr.cmd.ProcessState.String())
	}
	return nil
}

// until waits for done while the process runs.
func (pr *process) until(ctx context.Context, done func() bool) error {
	t := time.NewTicker(5 * time.Millisecond)
	defer t.Stop()
	late := time.After(patience)
	for !done() {
		select {
		case <-t.C:
		case <-pr.ended:
			return pr.failed("ended with " + pr.cmd.ProcessState.String())
		case <-late:
			return pr.failed("was not done in " + patience.String())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// waitFor is wait for so long at most: one that hangs is ended where it is.
func (pr *process) waitFor(ctx context.Context, d time.Duration) error {
	soon, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	err := pr.wait(soon)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		pr.kill()
		return pr.failed("did not end in " + d.String())
	}
	return err
}

// stop lets the process drain and end.
func (pr *process) stop(ctx context.Context) error { return pr.stopWithin(ctx, patience) }

func (pr *process) stopWithin(ctx context.Context, d time.Duration) error {
	if err := askToEnd(pr.cmd.Process); err != nil {
		return fmt.Errorf("stopping the %s: %w", pr.name, err)
	}
	err := pr.waitFor(ctx, d)
	if state := pr.cmd.ProcessState; err != nil && ctx.Err() == nil && state.ExitCode() == terminated {
		return nil
	}
	return err
}

// terminated is how a JVM ends that has drained when it was told to.
const terminated = 128 + 15

// kill ends the process where it is, if it still runs.
func (pr *process) kill() {
	select {
	case <-pr.ended:
	default:
		pr.cmd.Process.Kill()
		<-pr.ended
	}
}

// lastWords is the error of a process that did not do what it should.
type lastWords struct{ name, how, said string }

func (l *lastWords) Error() string {
	return fmt.Sprintf("the %s %s; it said last:\n%s", l.name, l.how, l.said)
}

func (pr *process) failed(how string) error {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	return &lastWords{pr.name, how, strings.Join(pr.mu.said, "\n")}
}

// cpu is the processor time it took; valid after its end.
func (pr *process) cpu() time.Duration {
	return pr.cmd.ProcessState.UserTime() + pr.cmd.ProcessState.SystemTime()
}

// peakMB is the most memory it held, nil on machines without /proc.
func (pr *process) peakMB() *float64 {
	n := pr.peak.Load()
	if n == 0 {
		return nil
	}
	mb := float64(n) / 1e6
	return &mb
}

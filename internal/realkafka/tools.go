package realkafka

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Tools is one JVM in which Kafka's command line tools run, several at once if need be.
type Tools struct {
	version Version
	cmd     *exec.Cmd
	stderr  strings.Builder // of the JVM itself; read after it has ended
	ended   chan struct{}   // closed by read when the JVM is gone
	mu      struct {
		sync.Mutex
		stdin   io.WriteCloser
		next    int
		waiting map[string]chan Result // each holds one; nil after the end
	}
}

// Result is what a tool left.
type Result struct {
	// Code is its exit code.
	Code int
	// Out and Err are its standard output and standard error.
	Out, Err string
}

// String is all of it, for a test's complaint.
func (r Result) String() string {
	return fmt.Sprintf("exit code %d\nstdout:\n%s\nstderr:\n%s", r.Code, r.Out, r.Err)
}

// StartTools starts the JVM for the tools of a version, with further programs of the test's own (see Compile). Close
// ends it.
func StartTools(t testing.TB, v Version, classes ...string) *Tools {
	t.Helper()
	driver := Compile(t, v, "Driver", driverSource)
	tools := &Tools{version: v, ended: make(chan struct{})}
	tools.cmd = command(t, v, "512m", append(classes, driver), "Driver")
	tools.cmd.Stderr = &tools.stderr
	stdin, err := tools.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := tools.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := tools.cmd.Start(); err != nil {
		t.Fatalf("starting java: %v", err)
	}
	tools.mu.stdin, tools.mu.waiting = stdin, map[string]chan Result{}
	go tools.read(stdout)
	return tools
}

// Close ends the JVM and waits for its end.
func (k *Tools) Close() {
	k.mu.Lock()
	_ = k.mu.stdin.Close() // it ends by itself then, or is killed
	k.mu.Unlock()
	end(k.cmd)
	<-k.ended
}

// Run runs a tool's main class and waits for its end; stdin is what it reads.
func (k *Tools) Run(ctx context.Context, stdin, class string, args ...string) (Result, error) {
	fields := []string{"", class, base64.StdEncoding.EncodeToString([]byte(stdin))}
	for _, a := range args {
		fields = append(fields, base64.StdEncoding.EncodeToString([]byte(a)))
	}
	answer := make(chan Result, 1) // read never waits for us
	if err := k.send(fields, answer); err != nil {
		return Result{}, fmt.Errorf("running %s: %w", class, err)
	}
	select {
	case r, ok := <-answer:
		if !ok {
			return Result{}, fmt.Errorf("running %s: the JVM ended: %s", class, k.stderr.String())
		}
		return r, nil
	case <-ctx.Done():
		return Result{}, fmt.Errorf("running %s %s: %w", class, strings.Join(args, " "), ctx.Err())
	}
}

// send writes one line to the JVM and registers who waits for its answer.
func (k *Tools) send(fields []string, answer chan Result) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.mu.waiting == nil {
		return errors.New("the JVM has ended")
	}
	k.mu.next++
	fields[0] = strconv.Itoa(k.mu.next)
	k.mu.waiting[fields[0]] = answer
	if _, err := io.WriteString(k.mu.stdin, strings.Join(fields, "\t")+"\n"); err != nil {
		return fmt.Errorf("asking the JVM: %w", err)
	}
	return nil
}

// read hands out the answers until the JVM is gone.
func (k *Tools) read(stdout io.Reader) {
	defer close(k.ended)
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break
		}
		id, r, err := parse(strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"))
		if err != nil {
			continue // what a library printed before the streams were taken over
		}
		k.mu.Lock()
		answer := k.mu.waiting[id]
		delete(k.mu.waiting, id)
		k.mu.Unlock()
		if answer != nil {
			answer <- r
		}
	}
	_ = k.cmd.Wait() // it was killed
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, answer := range k.mu.waiting {
		close(answer)
	}
	k.mu.waiting = nil
}

// parse takes an answer apart.
func parse(line string) (id string, r Result, err error) {
	fields := strings.Split(line, "\t")
	if len(fields) != 4 {
		return "", Result{}, fmt.Errorf("%d fields in an answer, want 4", len(fields))
	}
	if r.Code, err = strconv.Atoi(fields[1]); err != nil {
		return "", Result{}, fmt.Errorf("reading an exit code: %w", err)
	}
	out, err := base64.StdEncoding.DecodeString(fields[2])
	if err != nil {
		return "", Result{}, fmt.Errorf("reading what a tool wrote: %w", err)
	}
	complaint, err := base64.StdEncoding.DecodeString(fields[3])
	if err != nil {
		return "", Result{}, fmt.Errorf("reading what a tool complained of: %w", err)
	}
	r.Out, r.Err = string(out), string(complaint)
	return fields[0], r, nil
}

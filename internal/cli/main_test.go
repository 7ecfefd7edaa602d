package cli

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests.
const patience = 60 * time.Second

// outcome is what a command left behind.
type outcome struct {
	code           int
	stdout, stderr string
}

// loghaul runs one command line to its end.
func loghaul(t *testing.T, args ...string) outcome {
	t.Helper()
	return loghaulWith(t, "", args...)
}

// loghaulWith runs one command line with stdin.
func loghaulWith(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	var out, talk safeBuffer
	code := Run(t.Context(), args, Streams{Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &talk})
	return outcome{code, out.String(), talk.String()}
}

// want fails the test unless the command ended with code and said each of the words on standard error.
func (o outcome) want(t *testing.T, code int, words ...string) outcome {
	t.Helper()
	if o.code != code {
		t.Fatalf("exit code %d, want %d; stdout %q, stderr %q", o.code, code, o.stdout, o.stderr)
	}
	for _, w := range words {
		if !strings.Contains(o.stderr, w) {
			t.Fatalf("standard error %q, want %q in it", o.stderr, w)
		}
	}
	return o
}

// safeBuffer may be read while a command writes to it.
type safeBuffer struct {
	mu struct {
		sync.Mutex
		bytes.Buffer
		grown chan struct{} // closed at the next write; nil while nobody waits
	}
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.grown != nil {
		close(b.mu.grown)
		b.mu.grown = nil
	}
	return b.mu.Buffer.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.Buffer.String()
}

// growing gives what is there and a channel that closes when more comes.
func (b *safeBuffer) growing() (string, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.grown == nil {
		b.mu.grown = make(chan struct{})
	}
	return b.mu.Buffer.String(), b.mu.grown
}

// running is a command that goes on in the background.
type running struct {
	t              *testing.T
	stdout, stderr safeBuffer
	stop           context.CancelFunc
	done           chan struct{} // closed when code is there
	code           int
}

// begin starts a command that the test stops, or its end does.
func begin(t *testing.T, stdin io.Reader, args ...string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	r := &running{t: t, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.code = Run(ctx, args, Streams{Stdin: stdin, Stdout: &r.stdout, Stderr: &r.stderr})
	}()
	t.Cleanup(func() {
		stop()
		<-r.done
		if t.Failed() {
			t.Logf("loghaul %s said:\n%s", strings.Join(args, " "), r.stderr.String())
		}
	})
	return r
}

// end stops the command as the first signal does and wants a clean end.
func (r *running) end() {
	r.t.Helper()
	r.stop()
	<-r.done
	if r.code != exitDone {
		r.t.Fatalf("exit code %d after a stop, want 0; it said: %s", r.code, r.stderr.String())
	}
}

// until waits for a text on one of the command's streams.
func (r *running) until(b *safeBuffer, text string) string {
	r.t.Helper()
	late := time.After(patience)
	for {
		said, more := b.growing()
		if strings.Contains(said, text) {
			return said
		}
		select {
		case <-more:
		case <-r.done:
			if said := b.String(); strings.Contains(said, text) {
				return said
			}
			r.t.Fatalf("ended with %d before it said %q; stderr: %s", r.code, text, r.stderr.String())
		case <-late:
			r.t.Fatalf("waiting for %q: not said in %s; so far: %s", text, patience, b.String())
		}
	}
}

// ready waits for the ready line and gives its fields.
func (r *running) ready() map[string]string {
	r.t.Helper()
	said := r.until(&r.stderr, "ready:")
	line, _, _ := strings.Cut(said[strings.Index(said, "ready:"):], "\n")
	where := map[string]string{}
	for _, f := range strings.Fields(line)[1:] {
		name, addr, _ := strings.Cut(f, "=")
		where[name] = addr
	}
	return where
}

package campaign

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/loghaul/loghaul/internal/cli"
)

// world is one host: programs that log, and an agent that is killed under them. A topic
// for each style lies on brokers that are somebody else's affair.
type world struct {
	t       *testing.T
	root    string
	brokers string
	admin   *kadm.Client
	agent   *process
	sites   []*site
	turning chan struct{}      // closed when the programs may rotate
	stop    context.CancelFunc // ends the programs
	running sync.WaitGroup
	mu      struct {
		sync.Mutex
		wrong error // the first thing that went wrong beside the test
	}
}

// newRoot is a folder for all that a world has on disk.
func newRoot(t *testing.T) string {
	t.Helper()
	if *folder == "" {
		return t.TempDir()
	}
	root, err := os.MkdirTemp(*folder, "world-")
	if err != nil {
		t.Fatal(err)
	}
	if root, err = filepath.Abs(root); err != nil {
		t.Fatal(err)
	}
	return root
}

// newWorld starts the agent and the programs, and lets them rotate when the first line of
// each is in its topic: what is rotated away before anybody followed its path is nobody's.
func newWorld(t *testing.T, root, brokers string, styles []style, replicas int16, seed uint64) *world {
	t.Helper()
	w := &world{t: t, root: root, brokers: brokers, turning: make(chan struct{})}
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(brokers, ",")...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	w.admin = kadm.NewClient(client)
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	t.Cleanup(func() { cancel(); w.running.Wait() })
	w.follow(styles, replicas)
	for _, st := range styles {
		s := newSite(t, root, st, seed, w.fail)
		w.sites = append(w.sites, s)
		w.running.Go(func() { s.run(ctx, w.turning) })
	}
	w.until("the first lines in their topics", func() bool {
		for _, s := range w.sites {
			if w.stored(s.style.name) < 1 {
				return false
			}
		}
		return true
	})
	close(w.turning)
	return w
}

// follow makes a topic and an input for each style, and starts the agent.
func (w *world) follow(styles []style, replicas int16) {
	w.t.Helper()
	inputs := filepath.Join(w.root, "inputs")
	if err := os.MkdirAll(inputs, 0o755); err != nil {
		w.t.Fatal(err)
	}
	for _, st := range styles {
		w.until("topic "+st.name, func() bool {
			resp, err := w.admin.CreateTopic(w.t.Context(), 1, replicas, nil, st.name)
			return err == nil && resp.Err == nil
		})
		value := fmt.Sprintf(`{"paths":[%q],"topic":%q}`, filepath.Join(w.root, "logs", st.name, st.pattern), st.name)
		if err := os.WriteFile(filepath.Join(inputs, st.name+".json"), []byte(value), 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
	w.agent = launch(w.t, filepath.Join(w.root, "agent.log"), "agent", "--data", filepath.Join(w.root, "agent"), "--host", "web-1", "--allow-root", filepath.Join(w.root, "logs"),
		"--etcd", "none", "--inputs", inputs, "--brokers", w.brokers, "--admin", "127.0.0.1:0")
	w.agent.wait()
}

// fail takes note of what went wrong in a goroutine of the world.
func (w *world) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.wrong == nil {
		w.mu.wrong = fmt.Errorf(format, args...)
	}
}

// sound ends the test when something went wrong.
func (w *world) sound() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.wrong != nil {
		w.t.Fatal(w.mu.wrong)
	}
}

// until waits until ok.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(patience); !ok(); pause(20 * time.Millisecond) {
		w.sound()
		if time.Now().After(end) {
			said := ""
			if w.agent != nil {
				said = w.agent.last()
			}
			w.t.Fatalf("%s: not within %s; the agent said at last:\n%s", what, patience, said)
		}
	}
}

// stored is how many records a topic has; -1 when that is not to be known now.
func (w *world) stored(topic string) (n int) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	ends, err := w.admin.ListEndOffsets(ctx, topic)
	if err != nil || ends.Error() != nil {
		return -1
	}
	ends.Each(func(o kadm.ListedOffset) { n += int(o.Offset) })
	return n
}

// finish ends the programs, lets the agent send what is left, and holds what was written
// against the topics.
func (w *world) finish(sum *summary) {
	w.t.Helper()
	w.stop()
	w.running.Wait()
	w.sound()
	var talk bytes.Buffer
	if code := cli.Run(w.t.Context(), []string{"agent", "drain", "--data", filepath.Join(w.root, "agent"), "--timeout", patience.String()}, cli.Streams{Stdout: &talk, Stderr: &talk}); code != 0 {
		w.t.Fatalf("draining ended with %d: %s\nthe agent said at last:\n%s", code, talk.String(), w.agent.last())
	}
	w.agent.gone()
	for _, s := range w.sites {
		w.check(s, sum)
	}
	if w.t.Failed() {
		w.t.Logf("the agent said at last:\n%s", w.agent.last())
		w.t.FailNow()
	}
}

// check wants each line of a site in its topic once; in a style with a gap but for the lines that
// lie in no file: what is missing of those must be at least what the account says.
func (w *world) check(s *site, sum *summary) {
	w.t.Helper()
	c := count(w.t, w.brokers, s)
	lost, counted := w.verify(s)
	known := int64(0)
	for _, c := range counted {
		known += c.to - c.from
	}
	double, missing, bytes := c.double(), c.missing(), c.missingBytes()
	there, err := onDisk(s, missing, counted)
	w.must(err)
	sum.add(s, missing, bytes, known)
	switch {
	case len(double) > 0 || len(c.strange) > 0:
	case s.style.gap && len(there) == 0 && lost == 0 && known <= bytes:
		return
	case !s.style.gap && len(missing) == 0 && lost == 0 && known == 0:
		return
	}
	w.t.Errorf("%s: %d lines written; missing %v (%d bytes; %d counted as lost, %d more not explained), %d of them on the disk, doubled %v, strange %q; rotated %d times",
		s.style.name, s.n, ranges(missing), bytes, known, lost, len(there), ranges(double), c.strange, s.turns)
	for _, n := range edges(there, double) {
		w.t.Logf("%s: line %d lies now in %s", s.style.name, n, where(s, n))
	}
}

// verify runs loghaul verify over a topic, and answers how many bytes it does not find
// without knowing why, and those of which it knows.
func (w *world) verify(s *site) (lost int64, known []span) {
	w.t.Helper()
	var out, talk bytes.Buffer
	code := cli.Run(w.t.Context(), []string{"verify", "--brokers", w.brokers, "--topic", s.style.name, "-o", "json"}, cli.Streams{Stdout: &out, Stderr: &talk})
	var found struct {
		Files []struct {
			Path, Generation string
			Waiting          int64
			Lost             []struct {
				From, To int64
				Known    bool
			}
			Doubled []struct{ From, To int64 }
		}
	}
	if err := json.Unmarshal(out.Bytes(), &found); err != nil {
		w.t.Fatalf("verify of %s ended with %d, %v: %s", s.style.name, code, err, talk.String())
	}
	for _, f := range found.Files {
		for _, r := range f.Lost {
			if r.Known {
				known = append(known, span{r.From, r.To})
			} else {
				lost += r.To - r.From
			}
		}
		if len(f.Doubled) > 0 || f.Waiting != 0 {
			w.t.Errorf("verify says of generation %s of %s: doubled %v, waiting %d", f.Generation, f.Path, f.Doubled, f.Waiting)
		}
	}
	if want := map[bool]int{true: 0, false: 3}[lost == 0 && len(known) == 0]; code != want {
		w.t.Errorf("verify of %s ended with %d, want %d: %s", s.style.name, code, want, talk.String())
	}
	return lost, known
}

package etcdconf

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/loghaul/loghaul/etcdconf/embedded"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// member is one embedded etcd that a test may stop and start again.
type member struct {
	t      *testing.T
	data   string
	listen string
	url    string
	stop   func()
}

func startEtcd(t *testing.T) *member {
	t.Helper()
	m := &member{t: t, data: t.TempDir(), listen: "127.0.0.1:0"}
	m.start()
	t.Cleanup(func() { m.stop() })
	return m
}

func (m *member) start() {
	m.t.Helper()
	e, err := embedded.New(embedded.Config{Data: m.data, Listen: m.listen})
	if err != nil {
		m.t.Fatalf("making the embedded etcd: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	select {
	case <-e.Ready():
	case err := <-done:
		cancel()
		m.t.Fatalf("the embedded etcd ended before it was ready: %v", err)
	}
	m.url = e.URL()
	m.listen = m.url[len("http://"):]
	m.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			m.t.Errorf("the embedded etcd ended with: %v", err)
		}
	})
}

func dial(t *testing.T, url string) *Client {
	t.Helper()
	c, err := Dial(Config{Endpoints: []string{url}})
	if err != nil {
		t.Fatalf("dialling %s: %v", url, err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("closing the client: %v", err)
		}
	})
	return c
}

func mustPut(t *testing.T, c *Client, kind Kind, name, data string) Revision {
	t.Helper()
	at, err := c.Put(t.Context(), kind, name, []byte(data))
	if err != nil {
		t.Fatalf("putting %s: %v", name, err)
	}
	return at
}

// eventually waits until ok says so.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("never happened: %s", what)
		}
	}
}

// watcher gathers what a source applies.
type watcher struct {
	t    *testing.T
	stop func()
	mu   struct {
		sync.Mutex
		applied [][]Value
	}
}

func watchSource(t *testing.T, src Source) *watcher {
	t.Helper()
	w := &watcher{t: t}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- src.Watch(ctx, func(values []Value) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.mu.applied = append(w.mu.applied, values)
		})
	}()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the watch ended with: %v", err)
		}
	})
	t.Cleanup(w.stop)
	return w
}

// last is the newest whole, nil while there is none.
func (w *watcher) last() []Value {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.mu.applied) == 0 {
		return nil
	}
	return w.mu.applied[len(w.mu.applied)-1]
}

// all are the wholes in the order they came.
func (w *watcher) all() [][]Value {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.mu.applied)
}

func (w *watcher) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.mu.applied)
}

// sees waits until the newest whole holds exactly these names and data.
func (w *watcher) sees(want map[string]string) {
	w.t.Helper()
	eventually(w.t, "the watch sees what was stored", func() bool {
		now := w.last()
		return w.count() > 0 && len(now) == len(want) && !slices.ContainsFunc(now, func(v Value) bool {
			data, ok := want[v.Name]
			return !ok || data != string(v.Data)
		})
	})
}

// talk gathers what a logger says.
type talk struct {
	mu struct {
		sync.Mutex
		text strings.Builder
	}
}

func (s *talk) logger() *slog.Logger { return slog.New(slog.NewTextHandler(s, nil)) }

func (s *talk) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.text.Write(b)
}

func (s *talk) holds(t *testing.T, want string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.Contains(s.mu.text.String(), want) {
		t.Errorf("the log says %q, want something with %q", s.mu.text.String(), want)
	}
}

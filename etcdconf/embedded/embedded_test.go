package embedded

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// talk gathers what a logger says.
type talk struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *talk) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *talk) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// start runs a member until stop is called, which waits for its end.
func start(t *testing.T, cfg Config) (e *Etcd, stop func()) {
	t.Helper()
	e, err := New(cfg)
	if err != nil {
		t.Fatalf("making the member: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the member ended with: %v", err)
		}
	})
	t.Cleanup(stop)
	select {
	case <-e.Ready():
	case err := <-done:
		done <- err
		t.Fatalf("the member ended before it was ready: %v", err)
	}
	return e, stop
}

func client(t *testing.T, e *Etcd) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{e.URL()}, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestAMemberIsReadySoonAndSilent(t *testing.T) {
	said := &talk{}
	begin := time.Now()
	e, stop := start(t, Config{Data: t.TempDir(), Listen: "127.0.0.1:0", Logger: slog.New(slog.NewTextHandler(said, nil))})
	ready := time.Since(begin)
	c := client(t, e)
	begin = time.Now()
	for range 20 {
		if _, err := c.Put(t.Context(), "a", "b"); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("ready after %s; a put, which waits for an fsync of the log, takes %s", ready, time.Since(begin)/20)
	if ready > 5*time.Second {
		t.Errorf("it took %s to be ready", ready)
	}
	<-c.Watch(t.Context(), "a", clientv3.WithCreatedNotify()) // an open watch must not hold up the end
	begin = time.Now()
	stop()
	took := time.Since(begin)
	if took > 2*time.Second {
		t.Errorf("closing took %s", took)
	}
	t.Logf("closing took %s", took)
	if text := said.text(); text != "" {
		t.Errorf("a member in good health said: %s", text)
	}
}

func TestARestartOnAnotherPortKeepsTheData(t *testing.T) {
	data := t.TempDir()
	first, stop := start(t, Config{Data: data, Listen: "127.0.0.1:0"})
	if _, err := client(t, first).Put(t.Context(), "a", "kept"); err != nil {
		t.Fatal(err)
	}
	stop()
	second, _ := start(t, Config{Data: data, Listen: "127.0.0.1:0"})
	if first.URL() == second.URL() {
		t.Skipf("the system gave the same port twice: %s", first.URL())
	}
	c := client(t, second)
	got, err := c.Get(t.Context(), "a")
	if err != nil || len(got.Kvs) != 1 || string(got.Kvs[0].Value) != "kept" {
		t.Errorf("after the restart a is %v (%v)", got, err)
	}
	if _, err := c.Put(t.Context(), "a", "changed"); err != nil {
		t.Error(err)
	}
}

func TestAWebPageCanPutNoKey(t *testing.T) {
	e, _ := start(t, Config{Data: t.TempDir(), Listen: "127.0.0.1:0"})
	ask := func(method, path, host string) (int, http.Header) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, e.URL()+path, strings.NewReader(`{"key":"YQ==","value":"Yg=="}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", "http://evil.example")
		if host != "" {
			req.Host = host
		}
		tr := &http.Transport{DisableKeepAlives: true}
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		io.Copy(io.Discard, resp.Body)
		return resp.StatusCode, resp.Header
	}
	for _, path := range []string{"/v3/kv/put", "/v3beta/kv/put", "/v3alpha/kv/put", "/v2/keys/a"} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodOptions} {
			code, header := ask(method, path, "")
			if method != http.MethodOptions && code < 400 || header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s is answered with %d and %v", method, path, code, header)
			}
		}
	}
	if code, _ := ask(http.MethodGet, "/version", "evil.example"); code < 400 {
		t.Errorf("a name that someone points here is answered with %d", code)
	}
	got, err := client(t, e).Get(t.Context(), "", clientv3.WithPrefix())
	if err != nil || len(got.Kvs) != 0 {
		t.Errorf("the store holds %v (%v)", got, err)
	}
}

func TestABusyPortIsNamedWithTheMend(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e, err := New(Config{Data: t.TempDir(), Listen: l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	err = e.Run(t.Context())
	if err == nil || !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), l.Addr().String()) || !strings.Contains(err.Error(), "--etcd-listen") {
		t.Errorf("got %v", err)
	}
}

func TestThePeerPortIsFreeAndOnLoopback(t *testing.T) {
	// Two members at once: neither insists on a port of its own.
	start(t, Config{Data: t.TempDir(), Listen: "127.0.0.1:0"})
	start(t, Config{Data: t.TempDir(), Listen: "127.0.0.1:0"})
}

func TestTheDataIsPrivateAndSmall(t *testing.T) {
	data := t.TempDir()
	e, _ := start(t, Config{Data: data, Listen: "127.0.0.1:0"})
	if _, err := client(t, e).Put(t.Context(), "a", "b"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(data, "etcd"))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("its folder is %v (%v), want 0700", info.Mode(), err)
	}
	var sum int64
	filepath.Walk(data, func(_ string, info os.FileInfo, err error) error {
		if err == nil {
			sum += info.Size()
		}
		return nil
	})
	t.Logf("a fresh member takes %d bytes", sum)
	if sum > 40<<20 {
		t.Errorf("a fresh member takes %d bytes on disk", sum)
	}
}

func TestABadConfigurationIsRefusedWhole(t *testing.T) {
	_, err := New(Config{Listen: "nowhere"})
	if err == nil || !strings.Contains(err.Error(), "Data") || !strings.Contains(err.Error(), `Listen ("nowhere")`) {
		t.Errorf("got %v", err)
	}
	if _, err := New(Config{Data: "d", Listen: "127.0.0.1:99999"}); err == nil {
		t.Error("a port beyond 65535 was taken")
	}
}

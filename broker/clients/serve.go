package clients

import (
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// Broker is what serves a story: the broker's front door, which a room does not import.
type Broker interface {
	// Run serves until ctx ends.
	Run(ctx context.Context) error
	// Ready is closed once it serves.
	Ready() <-chan struct{}
	// Addr is where it listens.
	Addr() string
}

// elsewhere names a broker that runs already, an Apache Kafka for example, against which the stories run instead.
const elsewhere = "LOGHAUL_TEST_BROKERS"

// Served is a broker that serves until its test ends.
type Served struct {
	Addr string
	Log  *Log
	Stop func() error // drains and waits
}

// Serve runs the broker that open makes over a folder until the test ends.
func Serve(t testing.TB, open func(data string, logger *slog.Logger) (Broker, error)) *Served {
	t.Helper()
	log := &Log{}
	if addr := os.Getenv(elsewhere); addr != "" {
		return &Served{Addr: addr, Log: log, Stop: func() error { return nil }}
	}
	b, err := open(t.TempDir(), slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	select {
	case <-b.Ready():
	case err := <-ended:
		cancel()
		t.Fatalf("the broker ended before it was ready: %v", err)
	}
	s := &Served{Addr: b.Addr(), Log: log, Stop: sync.OnceValue(func() error {
		cancel()
		return <-ended
	})}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("the broker ended with %v", err)
		}
		if t.Failed() {
			t.Logf("the broker's log:\n%s", log)
		}
	})
	return s
}

// User and Password are who may log in to the secured broker of a story.
const User, Password = "alice", "wonder land"

// Name makes a topic's or group's name that nobody else has.
func Name(what string) string { return what + "-" + strings.ToLower(rand.Text()[:8]) }

// Eventually waits until ok, or fails when a step of a story has taken too long.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", patience, what)
		}
		<-tick.C
	}
}

// Log gathers what a broker logs.
type Log struct {
	mu sync.Mutex
	b  strings.Builder
}

// Write takes one line.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is everything so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

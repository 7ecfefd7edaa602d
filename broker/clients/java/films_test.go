package java_test

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/realkafka"
	"go.uber.org/goleak"
)

var (
	update = flag.Bool("update", false, "shoot the films anew with a real Apache Kafka")
	real   = flag.Bool("real", false, "play the films on a real Apache Kafka too")
)

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.tools != nil {
		shared.tools.Close()
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

//go:embed testdata/Clients.java
var clientsSource []byte

// shared is the JVM of all tests: it gets faster with each tool.
var shared struct {
	sync.Mutex
	tools *realkafka.Tools
}

func tools(t *testing.T) *realkafka.Tools {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.tools == nil {
		classes := realkafka.Compile(t, realkafka.V4, "Clients", clientsSource)
		shared.tools = realkafka.StartTools(t, realkafka.V4, classes)
	}
	return shared.tools
}

// ours is a stage on this broker.
func ours(t *testing.T) *stage {
	t.Helper()
	dir := t.TempDir()
	lines := &logLines{}
	b, err := broker.New(broker.Config{
		Data: dir, Listen: []string{"127.0.0.1:0"},
		Settings: map[string]string{
			"group.initial.rebalance.delay.ms": "0",
			"authorizer.class.name":            authorizer, "allow.everyone.if.no.acl.found": "true", "super.users": "User:ANONYMOUS",
		},
		Logger: slog.New(slog.NewTextHandler(lines, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the broker ended with %v", err)
		}
		if t.Failed() {
			t.Logf("the broker's log:\n%s", lines)
		}
	})
	select {
	case <-b.Ready():
	case err := <-ended:
		ended <- err
		t.Fatalf("the broker ended before it was ready: %v", err)
	}
	return &stage{tools: tools(t), addr: b.Addr(), logs: dir, tmp: t.TempDir()}
}

// authorizer is Kafka's own; this broker knows it by name.
const authorizer = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"

// theirs is a stage on a real Kafka.
func theirs(t *testing.T) *stage {
	t.Helper()
	b := realkafka.Start(t, realkafka.Config{Properties: map[string]string{
		"authorizer.class.name":          authorizer,
		"allow.everyone.if.no.acl.found": "true", "super.users": "User:ANONYMOUS",
	}, Features: map[string]int{
		"eligible.leader.replicas.version": 0, // about replicas
		"transaction.version":              0, // as this broker, which leaves it at the first
	}})
	return &stage{tools: tools(t), addr: b.Addr, logs: b.Logs, tmp: t.TempDir()}
}

func films(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob("testdata/*.film")
	if err != nil || len(list) == 0 {
		t.Fatalf("no films in testdata: %v", err)
	}
	return list
}

// alone are films that change the broker for all; they are played before the others.
var alone = map[string]bool{"configs": true}

func filmName(file string) string { return strings.TrimSuffix(filepath.Base(file), ".film") }

func TestFilmsOnThisBroker(t *testing.T) {
	if testing.Short() || *update {
		t.Skip("plays for a minute")
	}
	s := ours(t)
	for _, file := range films(t) {
		t.Run(filmName(file), func(t *testing.T) {
			if !alone[filmName(file)] {
				t.Parallel() // a film mostly waits
			}
			scenes := readFilm(t, file)
			s.copy().show(t, scenes, func(i int, text string) {
				if want := wanted(filmName(file), scenes[i]); text != want {
					t.Errorf("%s:%d: %s\n%s", file, scenes[i].line, scenes[i].command, difference(want, text))
				}
			})
		})
	}
}

func TestFilmsOnARealKafka(t *testing.T) {
	if !*update && !*real {
		t.Skip("the films were shot there: -real looks again, -update shoots anew")
	}
	s := theirs(t)
	for _, file := range films(t) {
		t.Run(filmName(file), func(t *testing.T) {
			if !alone[filmName(file)] {
				t.Parallel() // a film mostly waits
			}
			scenes := readFilm(t, file)
			s.copy().show(t, scenes, func(i int, text string) {
				if *update {
					scenes[i].outcome = text
				} else if text != scenes[i].outcome {
					t.Errorf("%s:%d: %s\n%s", file, scenes[i].line, scenes[i].command, difference(scenes[i].outcome, text))
				}
			})
			if *update {
				writeFilm(t, file, scenes)
			}
		})
	}
}

// copy is the same stage for another film.
func (s *stage) copy() *stage { c := *s; return &c }

// logLines gathers what a broker logs.
type logLines struct {
	mu sync.Mutex
	b  strings.Builder
}

// Write takes one line.
func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is everything so far.
func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

package cli

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/loghaul/loghaul/etcdconf"
)

const esSink = `{"type": "file", "topics": ["web_log", "~app_.*"], "path": "{topic}.log", "dead_letter": "bad_{topic}"}`

// silent is a source that never says anything.
type silent struct{}

func (silent) Watch(ctx context.Context, _ func([]etcdconf.Value)) error {
	<-ctx.Done()
	return nil
}

// claimsOf runs a watch for as long as look takes.
func claimsOf(t *testing.T, src etcdconf.Source, data string, talk *safeBuffer, look func(*sinkClaims)) {
	t.Helper()
	serves := make(chan struct{})
	c := newSinkClaims(slog.New(slog.NewTextHandler(talk, nil)))
	c.watch(src, data, serves)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	synctest.Wait()
	if _, known := c.claims(); known {
		t.Error("the sinks are known before the broker serves: its folder may be another's")
	}
	close(serves)
	synctest.Wait()
	look(c)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestTheBrokerLearnsWhatTheSinksClaim(t *testing.T) {
	data := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		src := etcdconf.NewMemory(etcdconf.KindSink)
		src.Put("es", esSink)
		var talk safeBuffer
		claimsOf(t, src, data, &talk, func(c *sinkClaims) {
			wantES(t, c)
			src.Put("es", "{ this is no value")
			synctest.Wait()
			wantES(t, c) // the last good one stays
			src.Delete("es")
			synctest.Wait()
			if list, known := c.claims(); !known || len(list) != 0 {
				t.Errorf("claims are %v, %v after the sink was removed", list, known)
			}
			src.Put("es", esSink)
			synctest.Wait()
		})
		// etcd is away at the next start.
		claimsOf(t, silent{}, data, &talk, func(c *sinkClaims) {
			if _, known := c.claims(); known {
				t.Error("known at once, although etcd may still say something newer")
			}
			time.Sleep(5 * time.Second)
			wantES(t, c)
		})
		if !strings.Contains(talk.String(), "going on with the cached configuration") {
			t.Errorf("it said %q", talk.String())
		}
	})
}

// wantES wants the sink es among the claims.
func wantES(t *testing.T, c *sinkClaims) {
	t.Helper()
	list, known := c.claims()
	if !known || len(list) != 1 || list[0].Sink != "es" || list[0].Group != "loghaul-es" {
		t.Fatalf("claims are %+v, %v", list, known)
	}
	for topic, want := range map[string][2]bool{"web_log": {true, false}, "app_x": {true, false}, "other": {}, "bad_web_log": {false, true}, "bad_app_x": {false, true}, "bad_other": {}} {
		if got := [2]bool{list[0].Takes(topic), list[0].Letters(topic)}; got != want {
			t.Errorf("%s: taken and for letters %v, want %v", topic, got, want)
		}
	}
}

func TestWithoutAnyWordTheGroupsAreAllThereIs(t *testing.T) {
	data := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var talk safeBuffer
		claimsOf(t, silent{}, data, &talk, func(c *sinkClaims) {
			time.Sleep(claimsPatience - time.Second)
			if _, known := c.claims(); known {
				t.Error("known too early")
			}
			time.Sleep(2 * time.Second)
			if list, known := c.claims(); !known || len(list) != 0 {
				t.Errorf("claims are %v, %v", list, known)
			}
		})
		for _, want := range []string{"etcd has not said yet which sinks there are: nothing is deleted for the disk budget until it does, or for 1m0s", "etcd has not said which sinks there are"} {
			if !strings.Contains(talk.String(), want) || strings.Count(talk.String(), "or say --etcd none where there is none") != 2 {
				t.Errorf("it said %q, want %q, and the mend with both", talk.String(), want)
			}
		}
	})
}

func TestASinkInEtcdStopsWritersAndTheLogNamesIt(t *testing.T) {
	etcd := etcdFor(t)
	data := t.TempDir()
	loghaulWith(t, esSink, "sink", "put", "es", "-f", "-", "--etcd", etcd).want(t, exitDone)
	args := []string{"broker", "--data", data, "--listen", "127.0.0.1:0", "--admin", "none", "--disk-budget", "4MiB", "--create-topics", "web_log:1"}
	b := begin(t, nil, append(args, "--etcd", etcd)...)
	lines := strings.Repeat(strings.Repeat("x", 1000)+"\n", 8000)
	where := b.ready()
	p := begin(t, strings.NewReader(lines), "produce", "web_log", "--brokers", where["broker"])
	b.until(&b.stderr, "group loghaul-es has still to commit")
	if o := loghaul(t, "status", "groups", "--etcd", "none", "--brokers", where["broker"]); !strings.Contains(o.stdout+o.stderr, "writers wait") {
		t.Errorf("status says %q and %q, want that writers wait", o.stdout, o.stderr)
	}
	b.until(&b.stderr, "transfer of sink es runs")
	p.stop()
	<-p.done
	b.end()

	// The same without etcd, by what it said last.
	b = begin(t, nil, append(args, "--etcd", "http://127.0.0.1:1")...)
	where = b.ready()
	b.until(&b.stderr, "going on with the cached configuration")
	p = begin(t, strings.NewReader(lines), "produce", "web_log", "--brokers", where["broker"])
	b.until(&b.stderr, "group loghaul-es has still to commit")
	p.stop()
	<-p.done
	b.end()
	if _, err := os.Stat(filepath.Join(data, "last-sinks.json")); err != nil {
		t.Error(err)
	}
}

func TestBudgetsThatCannotBe(t *testing.T) {
	for want, flags := range map[string][]string{
		"--disk-budget (1024) must be at least 4MiB":    {"--disk-budget", "1KiB"},
		"--on-full (drop) must be block or drop-oldest": {"--disk-budget", "1GiB", "--on-full", "drop"},
		"--on-full drop-oldest needs --disk-budget":     {"--on-full", "drop-oldest"},
		"many": {"--disk-budget", "many"},
	} {
		o := loghaul(t, append([]string{"broker", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--admin", "none"}, flags...)...)
		if o.code == exitDone || !strings.Contains(o.stderr, want) {
			t.Errorf("%v: exit code %d, %q, want %q", flags, o.code, o.stderr, want)
		}
	}
}

package etcdconf

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// inputsWatcher holds what WatchInputs applied last.
type inputsWatcher struct {
	t    *testing.T
	stop func()
	mu   struct {
		sync.Mutex
		now   Inputs
		times int
	}
}

func watchInputs(t *testing.T, src Source) *inputsWatcher { return watchChecked(t, src, nil) }

func watchChecked(t *testing.T, src Source, check func(Input) error) *inputsWatcher {
	t.Helper()
	w := &inputsWatcher{t: t}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- WatchInputs(ctx, src, check, func(i Inputs) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.mu.now = i
			w.mu.times++
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

func (w *inputsWatcher) now() Inputs {
	now, _ := w.state()
	return now
}

// state is what is in force, and how often something was applied.
func (w *inputsWatcher) state() (Inputs, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.now, w.mu.times
}

// reaches waits until the topics in force are these (by comma) and the one fault, if any, contains the text.
func (w *inputsWatcher) reaches(topics, fault string) {
	w.t.Helper()
	eventually(w.t, "topics "+topics+" in force with fault "+fault, func() bool {
		now, times := w.state()
		var got []string
		for _, i := range now.Good {
			got = append(got, i.Topic)
		}
		if fault == "" {
			return times > 0 && strings.Join(got, ",") == topics && len(now.Faults) == 0
		}
		return strings.Join(got, ",") == topics && len(now.Faults) == 1 && strings.Contains(now.Faults[0].Err.Error(), fault)
	})
}

func TestAFaultNamesTheRevisionThatStaysInForce(t *testing.T) {
	t.Parallel()
	m := NewMemory(KindInput)
	good := m.Put("a", `{"paths":["/a.log"],"topic":"t"}`)
	w := watchInputs(t, m)
	w.reaches("t", "")
	bad := m.Put("a", `{"paths":["/a.log"],"topic":"t","colour":"red"}`)
	w.reaches("t", "colour")
	f := w.now().Faults[0]
	if f.Name != "a" || f.Key != "/loghaul/v1/inputs/a" || f.Revision != bad || f.Running != good {
		t.Errorf("the fault is %+v; want revision %d refused and %d running", f, bad, good)
	}
	if w.now().Good[0].Revision != good {
		t.Errorf("in force is revision %d, want %d", w.now().Good[0].Revision, good)
	}
}

func TestWhatTheAgentItselfRefusesIsAFaultToo(t *testing.T) {
	t.Parallel()
	m := NewMemory(KindInput)
	m.Put("a", `{"paths":["/a.log"],"topic":"allowed"}`)
	m.Put("b", `{"paths":["/etc/shadow"],"topic":"secret"}`)
	w := watchChecked(t, m, func(i Input) error {
		if i.Topic == "secret" {
			return errors.New("outside the allowed roots")
		}
		return nil
	})
	w.reaches("allowed", "allowed roots")
}

func TestTheLastGoodValueSurvivesARestart(t *testing.T) {
	t.Parallel()
	m := NewMemory(KindInput)
	file := filepath.Join(t.TempDir(), "inputs.json")
	m.Put("a", `{"paths":["/a.log"],"topic":"good"}`)
	w := watchInputs(t, Cached(file, m, time.Hour, nil))
	w.reaches("good", "")
	m.Put("a", `{"paths":["/a.log"],"topic":"b/ad"}`)
	w.reaches("good", "slash")
	w.stop()

	for range 2 { // and the restart after it
		w = watchInputs(t, Cached(file, m, time.Hour, nil))
		w.reaches("good", "slash")
		w.stop()
	}
	m.Delete("a")
	watchInputs(t, Cached(file, m, time.Hour, nil)).reaches("", "")
}

func TestTutorialListsOfHostAndAddressWorkBesideOurs(t *testing.T) {
	t.Parallel()
	c := dial(t, startEtcd(t).url)
	v3, err := c.v3()
	if err != nil {
		t.Fatal(err)
	}
	put := func(key, data string) {
		t.Helper()
		if _, err := v3.Put(t.Context(), key, data); err != nil {
			t.Fatal(err)
		}
	}
	mustPut(t, c, KindInput, "ours", `{"paths":["/o.log"],"topic":"ours"}`)
	put("/logagent/web-1/collect_config", `[{"path":"/tmp/nginx.log","topic":"web_log"},{"path":"/tmp/redis.log","topic":"redis_log"}]`)
	put("/logagent/10.0.0.1/collect_config", `[{"log_path":"/tmp/nginx.log","topic":"web_log"},{"log_path":"/tmp/x.log","topic":"x"}]`)
	put("/logagent/web-2/collect_config", `[{"path":"/tmp/other.log","topic":"other"}]`)
	w := watchInputs(t, c.Inputs("web-1", []string{"10.0.0.1", "10.0.0.1", ""}))
	w.reaches("redis_log,web_log,x,ours", "")
	if got, want := w.now().Good[1].Name, "collect_config/web_log:/tmp/nginx.log"; got != want {
		t.Errorf("the entry is named %s, want %s", got, want)
	}
	put("/logagent/10.0.0.1/collect_config", `[]`)
	w.reaches("redis_log,web_log,ours", "")
	put("/logagent/web-1/collect_config", `[{"path":"/tmp/nginx.log","topic":"web_log"},{"path":"tmp","topic":"bad"}]`)
	w.reaches("redis_log,web_log,ours", "absolute")
	put("/logagent/web-1/collect_config", `[{"path":"/tmp/nginx.log","topic":"web_log2"}]`)
	w.reaches("web_log2,ours", "")
	if _, err := v3.Delete(t.Context(), "/logagent/web-1/collect_config"); err != nil {
		t.Fatal(err)
	}
	w.reaches("ours", "")
}

package etcdconf

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// wire stands between a client and etcd and can be cut.
type wire struct {
	t        *testing.T
	to       string
	listener net.Listener
	done     sync.WaitGroup
	mu       struct {
		sync.Mutex
		cut   bool
		conns []net.Conn
	}
}

func newWire(t *testing.T, url string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, to: strings.TrimPrefix(url, "http://"), listener: l}
	w.done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.carry(c)
		}
	})
	t.Cleanup(func() {
		l.Close()
		w.setCut(true)
		w.done.Wait()
	})
	return w
}

func (w *wire) url() string { return "http://" + w.listener.Addr().String() }

func (w *wire) carry(near net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	far, err := net.Dial("tcp", w.to)
	if w.mu.cut || err != nil {
		near.Close()
		if err == nil {
			far.Close()
		}
		return
	}
	w.mu.conns = append(w.mu.conns, near, far)
	w.done.Go(func() { io.Copy(near, far); near.Close() })
	w.done.Go(func() { io.Copy(far, near); far.Close() })
}

// setCut breaks all connections and refuses new ones, until it is called with false.
func (w *wire) setCut(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.cut = cut
	if cut {
		for _, c := range w.mu.conns {
			c.Close()
		}
		w.mu.conns = nil
	}
}

func compact(t *testing.T, c *Client, at Revision) {
	t.Helper()
	v3, err := c.v3()
	if err == nil {
		_, err = v3.Compact(t.Context(), int64(at), clientv3.WithCompactPhysical())
	}
	if err != nil {
		t.Fatalf("compacting at %d: %v", at, err)
	}
}

func TestAWatchCompactedWhileCutOffStartsOverAndMissesNothing(t *testing.T) {
	t.Parallel()
	m := startEtcd(t)
	near := dial(t, m.url)
	line := newWire(t, m.url)
	mustPut(t, near, KindInput, "kept", "1")
	mustPut(t, near, KindInput, "gone", "1")
	said := &talk{}
	far := dial(t, line.url())
	far.cfg.Logger = said.logger()
	w := watchSource(t, far.Inputs("h", nil))
	w.sees(map[string]string{"kept": "1", "gone": "1"})

	line.setCut(true)
	want := map[string]string{}
	for i := range 100 {
		name := fmt.Sprintf("v%d", i%7)
		want[name] = fmt.Sprint(i)
		mustPut(t, near, KindInput, name, want[name])
	}
	want["kept"] = "2"
	at := mustPut(t, near, KindInput, "kept", "2")
	if _, err := near.Delete(t.Context(), KindInput, "gone"); err != nil {
		t.Fatal(err)
	}
	compact(t, near, at+1) // beyond what the watch has seen: it cannot be resumed
	line.setCut(false)
	w.sees(want)
	said.holds(t, "compacted")
	want["after"] = "3"
	mustPut(t, near, KindInput, "after", "3")
	w.sees(want)
}

func TestManyPutsDuringReconnectsAllArrive(t *testing.T) {
	t.Parallel()
	m := startEtcd(t)
	near := dial(t, m.url)
	line := newWire(t, m.url)
	w := watchSource(t, dial(t, line.url()).Inputs("h", []string{"10.0.0.1"}))
	w.sees(nil)
	want := map[string]string{}
	for i := range 200 {
		if i%20 == 5 {
			line.setCut(true)
		} else if i%20 == 8 {
			line.setCut(false)
		}
		name := fmt.Sprintf("v%d", i%9)
		want[name] = fmt.Sprint(i)
		mustPut(t, near, KindInput, name, want[name])
	}
	w.sees(want)
	var last Revision
	for _, whole := range w.all() { // time never goes back
		var newest Revision
		for _, v := range whole {
			newest = max(newest, v.Revision)
		}
		if newest < last {
			t.Fatalf("a whole at revision %d came after one at %d", newest, last)
		}
		last = newest
	}
}

func TestAnEtcdThatRestartsIsFollowedOn(t *testing.T) {
	t.Parallel()
	m := startEtcd(t)
	c := dial(t, m.url)
	mustPut(t, c, KindSink, "a", "1")
	w := watchSource(t, c.Sinks())
	w.sees(map[string]string{"a": "1"})
	m.stop()
	m.start() // on the same port, with the same data
	other := dial(t, m.url)
	mustPut(t, other, KindSink, "a", "2")
	mustPut(t, other, KindSink, "b", "1")
	w.sees(map[string]string{"a": "2", "b": "1"})
}

func TestAnEtcdThatLostItsDataIsNoticed(t *testing.T) {
	t.Parallel()
	m := startEtcd(t)
	c := dial(t, m.url)
	c.sweep = 20 * time.Millisecond
	for i := range 50 {
		mustPut(t, c, KindSink, "a", fmt.Sprint(i))
	}
	w := watchSource(t, c.Sinks())
	w.sees(map[string]string{"a": "49"})
	m.stop()
	if err := os.RemoveAll(filepath.Join(m.data, "etcd")); err != nil {
		t.Fatal(err)
	}
	m.start()
	mustPut(t, dial(t, m.url), KindSink, "b", "new") // at revision 2, which the old watch would wait beyond
	w.sees(map[string]string{"b": "new"})
}

func TestAnEtcdThatIsAwayAtStartIsWaitedForWithTheCachedConfiguration(t *testing.T) {
	t.Parallel()
	m := startEtcd(t)
	c := dial(t, m.url)
	file := filepath.Join(t.TempDir(), "cache", "inputs.json")
	mustPut(t, c, KindInput, "a", `{"paths":["/a"],"topic":"old"}`)
	first := watchSource(t, Cached(file, c.Inputs("h", nil), time.Hour, nil))
	first.sees(map[string]string{"a": `{"paths":["/a"],"topic":"old"}`})
	first.stop()
	m.stop()

	w := watchInputs(t, Cached(file, dial(t, m.url).Inputs("h", nil), time.Millisecond, nil))
	w.reaches("old", "")
	m.start()
	mustPut(t, dial(t, m.url), KindInput, "a", `{"paths":["/a"],"topic":"new"}`)
	w.reaches("new", "")
}

func TestWithoutEtcdEveryRequestFailsSoonAndSaysWhatToDo(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := "http://" + l.Addr().String()
	l.Close()
	c, err := Dial(Config{Endpoints: []string{free}, Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, list := c.List(t.Context(), KindInput)
	_, put := c.Put(t.Context(), KindInput, "a", nil)
	_, status := c.Agents(t.Context())
	for _, err := range []error{list, put, status} {
		if err == nil || !strings.Contains(err.Error(), free) || !strings.Contains(err.Error(), "refused") || !strings.Contains(err.Error(), "--etcd") {
			t.Errorf("want an error that names %s, the refusal and --etcd, got: %v", free, err)
		}
	}
}

func TestAPasswordIsUsedAlsoWhenEtcdComesLater(t *testing.T) {
	t.Parallel()
	m := startEtcd(t)
	admin, err := dial(t, m.url).v3()
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	steps := []func() error{
		func() error { _, err := admin.UserAdd(ctx, "root", "r"); return err },
		func() error { _, err := admin.UserGrantRole(ctx, "root", "root"); return err },
		func() error { _, err := admin.UserAdd(ctx, "editor", "secret"); return err },
		func() error { _, err := admin.RoleAdd(ctx, "inputs"); return err },
		func() error {
			_, err := admin.RoleGrantPermission(ctx, "inputs", KindInput.Prefix(), clientv3.GetPrefixRangeEnd(KindInput.Prefix()), clientv3.PermissionType(clientv3.PermReadWrite))
			return err
		},
		func() error { _, err := admin.UserGrantRole(ctx, "editor", "inputs"); return err },
		func() error { _, err := admin.AuthEnable(ctx); return err },
	}
	for n, step := range steps {
		if err := step(); err != nil {
			t.Fatalf("step %d: %v", n, err)
		}
	}
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.stop()
	c, err := Dial(Config{Endpoints: []string{m.url}, User: "editor", PasswordFile: file, Timeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatalf("dialling without etcd: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := c.List(ctx, KindInput); err == nil || !strings.Contains(err.Error(), "--etcd") {
		t.Errorf("listing without etcd: %v", err)
	}
	m.start()
	c.cfg.Timeout, c.etcd.DialTimeout = 20*time.Second, 20*time.Second // checking a password costs etcd a lot of time
	mustPut(t, c, KindInput, "a", "1")
	watchSource(t, c.Inputs("h", nil)).sees(map[string]string{"a": "1"}) // without the right to read /logagent
	if _, err := c.Put(ctx, KindSink, "s", []byte("1")); err == nil || !strings.Contains(err.Error(), "--etcd-user") {
		t.Errorf("putting a sink without the right to: %v; want an error that names --etcd-user", err)
	}
}

func TestTheTimeBetweenPutAndApplyIsShort(t *testing.T) {
	t.Parallel()
	c := dial(t, startEtcd(t).url)
	arrived := make(chan time.Time, 1)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- c.Inputs("h", nil).Watch(ctx, func([]Value) { arrived <- time.Now() })
	}()
	<-arrived
	var took []time.Duration
	for i := range 50 {
		start := time.Now()
		mustPut(t, c, KindInput, "a", fmt.Sprint(i))
		took = append(took, (<-arrived).Sub(start))
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	slices.Sort(took)
	t.Logf("from put to apply: median %s, worst of %d %s", took[len(took)/2], len(took), took[len(took)-1])
	if took[len(took)/2] > 200*time.Millisecond {
		t.Errorf("the median is %s", took[len(took)/2])
	}
}

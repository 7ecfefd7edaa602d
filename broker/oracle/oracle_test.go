package oracle_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/realkafka"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"
)

var (
	update = flag.Bool("update", false, "shoot the films anew with real Apache Kafkas")
	real   = flag.Bool("real", false, "tell the scripts to real Apache Kafkas too")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// versions are the ranges of requests that a broker serves.
type versions map[int16][2]int16

// served asks a broker for its ranges.
func served(t *testing.T, addr string) versions {
	t.Helper()
	c, err := dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	resp, err := c.ask(kmsg.NewPtrApiVersionsRequest())
	if err != nil {
		t.Fatal(err)
	}
	all := versions{}
	for _, k := range resp.(*kmsg.ApiVersionsResponse).ApiKeys {
		all[k.ApiKey] = [2]int16{k.MinVersion, k.MaxVersion}
	}
	return all
}

// serves tells whether a version is in the ranges.
func (v versions) serves(key, version int16) bool {
	r, known := v[key]
	return known && r[0] <= version && version <= r[1]
}

// keys are the requests that there are scripts about.
func keys() []int16 {
	all := map[int16]bool{}
	for _, s := range scripts {
		all[s.key] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// tellScript tells a script to a broker in one version.
func tellScript(t *testing.T, addr string, spreads bool, sc script, version int16) string {
	t.Helper()
	t.Logf("%s, version %d", sc.name, version)
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(sc.name))
	s := &session{T: t, addr: addr, spreads: spreads, version: version, prefix: fmt.Sprintf("o%d-%s-v%d.", sc.key, name, version), words: map[string]string{}}
	defer s.hangUp()
	sc.play(s)
	return s.told.String()
}

func TestThisBrokerAnswersAsARealKafka(t *testing.T) {
	if *update {
		t.Skip("the films are being shot")
	}
	addr, login := start(t, false)[0], start(t, true)[1]
	ours := served(t, addr)
	ours[guarded] = [2]int16{}
	for _, key := range keys() {
		t.Run(fmt.Sprintf("%02d_%s", key, kmsg.NameForKey(key)), func(t *testing.T) {
			t.Parallel()
			if _, known := ours[key]; !known {
				t.Skipf("%s is not served", kmsg.NameForKey(key))
			}
			f := readFilm(t, key)
			for _, sc := range scripts {
				if sc.key != key {
					continue
				}
				for _, v := range compared(f[sc.name], key, ours) {
					t.Run(fmt.Sprintf("%s/v%d", strings.ReplaceAll(sc.name, " ", "-"), v), func(t *testing.T) {
						t.Parallel() // some wait for what does not come
						want := f[sc.name][v]
						at := addr
						if key == guarded {
							at = login
						}
						if got := tellScript(t, at, false, sc, v); !equal(key, want, got) {
							t.Error(difference(want, got))
						}
					})
				}
			}
		})
	}
}

// compared are the versions of a script that a broker serves; where time is short the first and the last.
func compared(told map[int16]string, key int16, ours versions) []int16 {
	var all []int16
	for _, v := range slices.Sorted(maps.Keys(told)) {
		if ours.serves(key, v) {
			all = append(all, v)
		}
	}
	if testing.Short() && len(all) > 2 {
		all = []int16{all[0], all[len(all)-1]}
	}
	return all
}

func TestEveryServedVersionWasCompared(t *testing.T) {
	if *update {
		t.Skip("the films are being shot")
	}
	for key, r := range served(t, start(t, false)[0]) {
		f := readFilm(t, key)
		for v := r[0]; v <= r[1]; v++ {
			told := slices.ContainsFunc(slices.Collect(maps.Values(f)), func(byVersion map[int16]string) bool { return byVersion[v] != "" })
			if !told && notFilmed[fmt.Sprintf("%d v%d", key, v)] == "" {
				t.Errorf("%s version %d is served, but no film of a real Kafka has it", kmsg.NameForKey(key), v)
			}
		}
	}
}

func TestRealKafkasAnswerAsInTheFilms(t *testing.T) {
	if !*update && !*real {
		t.Skip("the films were shot there: -real looks again, -update shoots anew")
	}
	all := &shooting{films: map[int16]film{}}
	for _, key := range keys() {
		all.films[key] = film{}
	}
	for _, version := range []realkafka.Version{realkafka.V4, realkafka.V3} {
		t.Run(string(version), func(t *testing.T) { all.shoot(t, version) })
	}
	for key, f := range all.films {
		if *update {
			if !t.Failed() {
				writeFilm(t, key, f)
			}
			continue
		}
		want := readFilm(t, key)
		for name, byVersion := range f {
			for v, told := range byVersion {
				if told != want[name][v] {
					t.Errorf("%s, %s, version %d:\n%s", filmFile(key), name, v, difference(want[name][v], told))
				}
			}
		}
	}
}

// shooting gathers what real Kafkas tell.
type shooting struct {
	newer versions // that 4 serves
	mu    sync.Mutex
	films map[int16]film
}

// shoot tells all scripts to one Kafka, in each version that it serves and a newer one does not.
func (all *shooting) shoot(t *testing.T, version realkafka.Version) {
	b := realkafka.Start(t, realkafka.Config{Version: version, Properties: map[string]string{
		"authorizer.class.name":          authorizer,
		"allow.everyone.if.no.acl.found": "true", "super.users": "User:ANONYMOUS",
	}, Features: features[version]})
	theirs := served(t, b.Addr)
	if version == realkafka.V4 {
		theirs[0] = [2]int16{3, theirs[0][1]} // lower ones are listed, but close the connection
		all.newer = theirs
	}
	if version == realkafka.V4 {
		g := realkafka.Start(t, realkafka.Config{Listeners: []string{"SASL_PLAINTEXT"}, Properties: loginSettings, Features: features[version]})
		for _, sc := range scripts {
			if sc.key == guarded {
				all.keep(sc, 0, tellScript(t, g.Listener("SASL_PLAINTEXT"), true, sc, 0))
			}
		}
	}
	t.Run("scripts", func(t *testing.T) {
		for _, sc := range scripts {
			r, known := theirs[sc.key]
			newest, still := all.newer[sc.key]
			for v := r[0]; known && still && v <= r[1] && v <= newestKnown(sc.key); v++ {
				if version == realkafka.V3 && v >= newest[0] {
					break
				}
				t.Run(fmt.Sprintf("%02d/%s/v%d", sc.key, strings.ReplaceAll(sc.name, " ", "-"), v), func(t *testing.T) {
					t.Parallel() // a real Kafka takes its time to spread each change
					all.keep(sc, v, tellScript(t, b.Addr, true, sc, v))
				})
			}
		}
	})
}

// newestKnown is the newest version that can be asked here.
func newestKnown(key int16) int16 {
	if key == guarded {
		return -1
	}
	return kmsg.RequestForKey(key).MaxVersion()
}

// keep takes what was told; scripts that have nothing to tell in a version leave no scene.
func (all *shooting) keep(sc script, version int16, told string) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.films[sc.key][sc.name] == nil {
		all.films[sc.key][sc.name] = map[int16]string{}
	}
	if told != "" {
		all.films[sc.key][sc.name][version] = told
	}
}

// features of the real Kafkas stand where this broker's do.
var features = map[realkafka.Version]map[string]int{
	realkafka.V4: {"eligible.leader.replicas.version": 0, "transaction.version": 0},
}

// authorizer is Kafka's own; this broker knows it by name.
const authorizer = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"

// start runs this broker for a test; where clients log in, that is at its second address.
func start(t *testing.T, login bool) (addrs []string) {
	t.Helper()
	cfg := broker.Config{Data: t.TempDir(), Listen: []string{"PLAINTEXT://127.0.0.1:0"}, Logger: slog.New(slog.DiscardHandler)}
	cfg.Settings = map[string]string{"authorizer.class.name": authorizer, "allow.everyone.if.no.acl.found": "true", "super.users": "User:ANONYMOUS"}
	if login {
		cfg.Listen = append(cfg.Listen, "SASL_PLAINTEXT://127.0.0.1:0")
		cfg.Settings = maps.Clone(loginSettings)
	}
	cfg.Settings["group.initial.rebalance.delay.ms"] = "0"
	b, err := broker.New(cfg)
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
	})
	select {
	case <-b.Ready():
	case err := <-ended:
		ended <- err
		t.Fatalf("the broker ended before it was ready: %v", err)
	}
	for _, a := range b.Addrs() {
		_, addr, _ := strings.Cut(a, "://")
		addrs = append(addrs, addr)
	}
	return addrs
}

// difference shows the lines that are not the same.
func difference(want, got string) string {
	var b strings.Builder
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		var a, c string
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			c = g[i]
		}
		if a != c {
			fmt.Fprintf(&b, "want %s\ngot  %s\n", a, c)
		}
	}
	return b.String()
}

package broker_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/durable"
)

// metaOf is the folder's meta.properties, without the line that has its checksum.
func metaOf(t *testing.T, data string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(data, "meta.properties"))
	if err != nil {
		t.Fatal(err)
	}
	if content, err := durable.Unsign(b); err == nil {
		return string(content)
	}
	return string(b)
}

func TestADamagedIdentityIsRefusedWithTheMend(t *testing.T) {
	data := t.TempDir()
	r := start(t, broker.Config{Data: data})
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"", "\x00\x00\x00", "garbage\n", "version=1\ncluster.id=\n", "cluster.id=x\nleader.epoch=-1\n", "cluster.id=x\nleader.epoch=2147483647\n"} {
		if err := os.WriteFile(filepath.Join(data, "meta.properties"), []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
		b, err := broker.New(broker.Config{Data: data, Listen: []string{"127.0.0.1:0"}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // it must not serve
		err = b.Run(ctx)
		cancel()
		if err == nil || !strings.Contains(err.Error(), filepath.Join(data, "meta.properties")) || !strings.Contains(err.Error(), "or remove it") {
			t.Errorf("%q: %v, want the file and the mend", content, err)
		}
		if got := metaOf(t, data); got != content {
			t.Errorf("%q became %q", content, got)
		}
	}
}

func TestAnIdentityThatDoesNotFitItsChecksumSaysItsMendOnce(t *testing.T) {
	data := t.TempDir()
	r := start(t, broker.Config{Data: data})
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(data, "meta.properties")
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(strings.Replace(string(b), "leader.epoch=0", "leader.epoch=7", 1)), 0o640)
	}
	if err != nil {
		t.Fatal(err)
	}
	err = runs(t, broker.Config{Data: data})
	if err == nil || !strings.Contains(err.Error(), path) || strings.Count(err.Error(), "put back a copy") != 1 || !strings.Contains(err.Error(), "remove that line") {
		t.Errorf("it says %v, want the file and the mend once", err)
	}
}

func TestALostIdentityTakesTheEpochFromTheLogs(t *testing.T) {
	data := t.TempDir()
	for range 3 { // epochs 0, 1 and 2, and only the last two write
		r := start(t, broker.Config{Data: data})
		if strings.Contains(metaOf(t, data), "leader.epoch=0") {
			_ = r.stop()
			continue
		}
		r.produce(r.client(), "web_log", 0, 3)
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(data, "meta.properties")
	known := metaOf(t, data)
	withoutEpoch := regexp.MustCompile(`leader\.epoch=.*\n`).ReplaceAllString(known, "")
	if err := os.WriteFile(path, []byte(withoutEpoch), 0o640); err != nil { // as Kafka itself writes it
		t.Fatal(err)
	}
	r := start(t, broker.Config{Data: data})
	if got, want := metaOf(t, data), withoutEpoch+"leader.epoch=3\n"; got != want {
		t.Errorf("the identity is %q, want %q", got, want)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	r = start(t, broker.Config{Data: data})
	if got := metaOf(t, data); !strings.Contains(got, "leader.epoch=3\n") {
		t.Errorf("the identity is %q, want leader epoch 3", got)
	}
	if r.log.count("level=WARN") != 1 || r.log.count("meta.properties is gone") != 1 {
		t.Errorf("the log says\n%s", r.log)
	}
	r.consume("web_log", 6)
	if fresh := start(t, broker.Config{}); fresh.log.count("level=WARN") != 0 {
		t.Errorf("a new folder is warned of:\n%s", fresh.log)
	}
}

func TestANewFolderTakesTheClusterIDThatItIsGiven(t *testing.T) {
	const given, other = "4L6g3nShT-eMCtK--X86sw", "5L6g3nShT-eMCtK--X86sw"
	data := t.TempDir()
	r := start(t, broker.Config{Data: data, ClusterID: given})
	if err := r.stop(); err != nil || !strings.Contains(metaOf(t, data), "cluster.id="+given+"\n") {
		t.Errorf("the identity is %q, %v", metaOf(t, data), err)
	}
	refuses(t, broker.Config{Data: data, ClusterID: other}, data, given, other, "leave CLUSTER_ID out")
	if !strings.Contains(metaOf(t, data), given) {
		t.Errorf("the identity is %q", metaOf(t, data))
	}
	start(t, broker.Config{Data: data, ClusterID: given})
}

// refuses says what is wrong unless a broker refuses to start and says all of these.
func refuses(t *testing.T, cfg broker.Config, says ...string) {
	t.Helper()
	err := runs(t, cfg)
	if err == nil {
		t.Fatalf("a broker over %s serves", cfg.Data)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("the refusal is %q, want %q in it", err, s)
		}
	}
}

// A Kafka does not start in a folder that says another node.id than its own.
func TestTheNodeIDOfAKafkaStays(t *testing.T) {
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "meta.properties"), []byte("version=1\ncluster.id=wQ7Zf0mMSh2yyZ0zOJZ0uA\nnode.id=7\ndirectory.id=HaSgwV1oSlmJmYgGRZmhAA\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, broker.Config{Data: data})
	if got := metaOf(t, data); !strings.Contains(got, "\nnode.id=7\n") || !strings.Contains(got, "\ndirectory.id=HaSgwV1oSlmJmYgGRZmhAA\n") {
		t.Errorf("the file says %q", got)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}

// runs is how a broker ends that should not serve.
func runs(t *testing.T, cfg broker.Config) error {
	t.Helper()
	cfg.Listen = []string{"127.0.0.1:0"}
	b, err := broker.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return b.Run(ctx)
}

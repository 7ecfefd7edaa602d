package broker_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/twmb/franz-go/pkg/kadm"
)

func TestTheBytesOfATopicAreThoseOfItsFiles(t *testing.T) {
	dir := t.TempDir()
	r := start(t, broker.Config{Data: dir})
	cl := r.client()
	r.produce(cl, "web_log", 0, 200)
	dirs, err := kadm.NewClient(cl).DescribeAllLogDirs(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "web_log-0", "00000000000000000000.log"))
	if err != nil {
		t.Fatal(err)
	}
	found := false
	dirs.Each(func(d kadm.DescribedLogDir) {
		if d.Dir != dir {
			t.Errorf("the folder is named %s, want %s", d.Dir, dir)
		}
		if p, ok := d.Topics.Lookup("web_log", 0); ok && p.Size == info.Size() && p.Size > 0 {
			found = true
		}
	})
	if !found {
		t.Errorf("web_log-0 has %d bytes, the answer was %+v", info.Size(), dirs)
	}
}

package broker_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/loghaul/loghaul/broker"
)

const unclean = "the last stop was not a clean one"

// Who looks into the log after a crash is told in one line what came of it, and after a clean stop nothing.
func TestAStartAfterACrashSaysWhatItChecked(t *testing.T) {
	dir := t.TempDir()
	r := start(t, broker.Config{Data: dir})
	r.produce(r.client(), "web_log", 0, 90)
	crashed := t.TempDir() // as the disk is while the broker runs
	if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if r = start(t, broker.Config{Data: dir}); r.log.count(unclean) != 0 {
		t.Errorf("after a clean stop:\n%s", r.log)
	}
	r = start(t, broker.Config{Data: crashed})
	if r.log.count(unclean) != 1 || r.log.count("of 1 logs were checked in ") != 1 || r.log.count("nothing had to be cut off") != 1 {
		t.Errorf("after a crash the log does not say once what was checked:\n%s", r.log)
	}
	wantLines(t, r.consume("web_log", 90), 90)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(crashed, "web_log-0", "00000000000000000000.log")
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.Write(make([]byte, 1000))
	}
	if err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	if r = start(t, broker.Config{Data: crashed}); r.log.count("1000 bytes had to be cut off in 1 places") != 1 {
		t.Errorf("the cut is not summed up:\n%s", r.log)
	}
}

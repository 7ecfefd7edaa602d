package e2e

import (
	"path/filepath"
	"testing"
	"time"
)

// One process holds everything here, so one kill takes all of it at once, etcd too.
func TestEverythingInOneProcessSurvivesItsKill(t *testing.T) {
	dir := t.TempDir()
	p := &pipe{t: t, logs: filepath.Join(dir, "logs"), out: filepath.Join(dir, "data", "out")}
	put(t, filepath.Join(p.logs, "quiet.log"), "")
	up := start(t, "up", "--data", filepath.Join(dir, "data"), "--follow", filepath.Join(p.logs, "*.log"),
		"--broker-listen", "127.0.0.1:0", "--etcd-listen", "127.0.0.1:0", "--console-listen", "127.0.0.1:0")
	stop := p.write("access.log", "error.log")
	for range 3 {
		before := delivered(t, p.out)
		eventually(t, "lines on their way", func() bool { return delivered(t, p.out) > before+1000 })
		up.kill()
		pause(200 * time.Millisecond) // files rotate while nobody looks
		up = up.again()
	}
	writers := stop()
	want := 0
	for _, w := range writers {
		want += w.written
	}
	eventually(t, "every line in the sink", func() bool { return delivered(t, p.out) >= want })
	topic(t, up.ready["broker"], "web_log").check(t, "topic", writers...)
	up.stop()
	files(t, p.out).check(t, "sink", writers...)
}

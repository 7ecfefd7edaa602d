package cli

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// upArgs starts everything on free ports with its state below a folder of the test.
func upArgs(data string, more ...string) []string {
	return append([]string{"up", "--data", data, "--etcd-listen", "127.0.0.1:0", "--broker-listen", "127.0.0.1:0",
		"--console-listen", "127.0.0.1:0"}, more...)
}

// appendLines writes lines name from..to-1 behind the file and returns them.
func appendLines(t *testing.T, path string, from, to int) []string {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []string
	for i := from; i < to; i++ {
		lines = append(lines, fmt.Sprintf("%s line %d", filepath.Base(path), i))
	}
	if _, err := f.WriteString(strings.Join(lines, "\n") + "\n"); err != nil {
		t.Fatal(err)
	}
	return lines
}

// outLines gives every line below the output folder, sorted.
func outLines(t *testing.T, data string) []string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(filepath.Join(data, "out"), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return ignoreMissing(err)
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		for l := range strings.Lines(string(b)) {
			lines = append(lines, strings.TrimSuffix(l, "\n"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

func ignoreMissing(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

// eventually waits until the lines that got gives are the wanted ones, each once.
func eventually(t *testing.T, what string, want []string, got func() []string) {
	t.Helper()
	want = slices.Sorted(slices.Values(want))
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(patience); ; <-tick.C {
		have := got()
		if slices.Equal(have, want) {
			return
		}
		if len(have) > len(want) || time.Now().After(late) {
			t.Fatalf("%s: %d lines of %d, want each once: first difference %s", what, len(have), len(want), difference(have, want))
		}
	}
}

func difference(have, want []string) string {
	for i := range min(len(have), len(want)) {
		if have[i] != want[i] {
			return fmt.Sprintf("%q where %q was wanted", have[i], want[i])
		}
	}
	return "at the end"
}

// inTopic gives what the topic holds, sorted.
func inTopic(t *testing.T, where map[string]string, topic string) []string {
	t.Helper()
	o := loghaul(t, "consume", topic, "--follow=false", "--brokers", where["broker"])
	if o.code != exitDone {
		return nil // the topic comes with its first record
	}
	return slices.Sorted(strings.SplitSeq(strings.TrimSuffix(o.stdout, "\n"), "\n"))
}

func TestUpCarriesEveryLineOnceAcrossStops(t *testing.T) {
	data, logs := filepath.Join(t.TempDir(), "data"), t.TempDir()
	a, b := filepath.Join(logs, "a.log"), filepath.Join(logs, "sub", "b.log")
	if err := os.Mkdir(filepath.Dir(b), 0o755); err != nil {
		t.Fatal(err)
	}
	want := append(appendLines(t, a, 0, 500), appendLines(t, b, 0, 300)...)

	up := begin(t, nil, upArgs(data, "--follow", filepath.Join(logs, "**/*.log"))...)
	where := up.ready()
	for _, part := range []string{"etcd", "broker", "admin"} {
		if where[part] == "" {
			t.Errorf("the ready line names no %s: %v", part, where)
		}
	}
	for _, word := range []string{"following 2 files", a, filepath.Join(data, "out"), "consume web_log", "first run"} {
		if !strings.Contains(up.stderr.String(), word) {
			t.Errorf("the screen does not mention %q:\n%s", word, up.stderr.String())
		}
	}
	eventually(t, "in the output", want, func() []string { return outLines(t, data) })
	eventually(t, "in the topic", want, func() []string { return inTopic(t, where, "web_log") })
	want = append(want, appendLines(t, a, 500, 510)...)
	eventually(t, "after more was written", want, func() []string { return outLines(t, data) })
	up.end()

	want = append(want, appendLines(t, a, 510, 700)...)
	want = append(want, appendLines(t, b, 300, 301)...)
	up = begin(t, nil, upArgs(data)...)
	where = up.ready()
	if strings.Contains(up.stderr.String(), "first run") {
		t.Errorf("the second start calls itself the first:\n%s", up.stderr.String())
	}
	want = append(want, appendLines(t, b, 301, 350)...)
	eventually(t, "in the output after a restart", want, func() []string { return outLines(t, data) })
	eventually(t, "in the topic after a restart", want, func() []string { return inTopic(t, where, "web_log") })
	up.end()
}

func TestALogPathAddedThroughEtcdIsFollowed(t *testing.T) {
	data, logs := filepath.Join(t.TempDir(), "data"), t.TempDir()
	up := begin(t, nil, upArgs(data, "--follow", filepath.Join(logs, "none.log"))...)
	where := up.ready()
	if !strings.Contains(up.stderr.String(), "no readable log file matches yet: name yours with --follow") {
		t.Errorf("the screen does not say that nothing is followed:\n%s", up.stderr.String())
	}
	extra := filepath.Join(logs, "x.log")
	value := fmt.Sprintf(`{"paths":[%q],"topic":"extra"}`, extra)
	loghaulWith(t, value, "input", "put", "extra", "-f", "-", "--etcd", where["etcd"]).want(t, exitDone)
	want := appendLines(t, extra, 0, 20)
	eventually(t, "in the topic extra", want, func() []string { return inTopic(t, where, "extra") })
	up.end()
}

func TestWhatWasRemovedStaysRemoved(t *testing.T) {
	data, logs := filepath.Join(t.TempDir(), "data"), t.TempDir()
	up := begin(t, nil, upArgs(data, "--follow", filepath.Join(logs, "*.log"))...)
	at := up.ready()["etcd"]
	if o := loghaul(t, "input", "list", "-o", "name", "--etcd", at).want(t, exitDone); o.stdout != "system\n" {
		t.Errorf("the first run wrote the inputs %q, want system", o.stdout)
	}
	if o := loghaul(t, "sink", "list", "-o", "name", "--etcd", at).want(t, exitDone); o.stdout != "file\n" {
		t.Errorf("the first run wrote the sinks %q, want file", o.stdout)
	}
	loghaul(t, "sink", "rm", "file", "--etcd", at).want(t, exitDone)
	up.end()

	up = begin(t, nil, upArgs(data, "--follow", filepath.Join(logs, "*.txt"))...)
	at = up.ready()["etcd"]
	if o := loghaul(t, "sink", "list", "-o", "name", "--etcd", at).want(t, exitDone); o.stdout != "" {
		t.Errorf("the second start wrote the sinks %q again", o.stdout)
	}
	if o := loghaul(t, "input", "show", "system", "--etcd", at).want(t, exitDone); !strings.Contains(o.stdout, "*.txt") {
		t.Errorf("--follow did not rewrite the input: %s", o.stdout)
	}
	up.end()
}

func TestOneDataFolderOneUp(t *testing.T) {
	data, logs := filepath.Join(t.TempDir(), "data"), t.TempDir()
	up := begin(t, nil, upArgs(data, "--follow", filepath.Join(logs, "*.log"))...)
	up.ready()
	loghaul(t, upArgs(data)...).want(t, exitFailed, "data folder "+data, fmt.Sprintf("pid %d", os.Getpid()), "--data")
	up.end()
}

func TestABusyPortNamesItsHolderAndTheFlag(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	busy := l.Addr().String()
	for _, flag := range []string{"--etcd-listen", "--broker-listen", "--console-listen"} {
		t.Run(flag, func(t *testing.T) {
			args := upArgs(filepath.Join(t.TempDir(), "data"), "--follow", filepath.Join(t.TempDir(), "*.log"), flag, busy)
			loghaul(t, args...).want(t, exitFailed, "listening on "+busy, "choose another with "+flag)
		})
	}
}

func TestWhatFollowMayName(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	dir := t.TempDir()
	loghaul(t, upArgs(data, "--follow", dir)...).want(t, exitUsage, "is a folder")
	loghaul(t, upArgs(data, "--follow", "/srv/[a.log")...).want(t, exitUsage, "not a pattern")
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("wrong usage made the data folder: %v", err)
	}
}

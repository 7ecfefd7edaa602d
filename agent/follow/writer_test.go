package follow

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A writer of its own goroutine renames the file again and again and goes on in
// a new one; some old files are deleted soon.
func TestEveryLineOfABusyWriterInOrder(t *testing.T) {
	path := pathIn(t, "app.log")
	const lines, each = 40_000, 2_000
	appendTo(t, path, "")
	tl := tail(t, Config{Path: path, Quiet: 5 * time.Millisecond})
	tl.s.now = time.Now
	tl.poll()
	done := make(chan error, 1) // the writer's last word
	go func() { done <- busyWriter(t, path, lines, each) }()
	read, next := 0, 0
	deadline := time.Now().Add(30 * time.Second)
	for next < lines {
		tl.poll()
		text := tl.text.String()
		for {
			end := strings.IndexByte(text[read:], '\n')
			if end < 0 {
				break
			}
			if want := fmt.Sprintf("line %d of a busy writer", next); text[read:read+end] != want {
				t.Fatalf("line %d is %q", next, text[read:read+end])
			}
			read, next = read+end+1, next+1
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d lines were read in time", next, lines)
		}
	}
	must(t, <-done)
	if len(tl.gens) < 3 {
		t.Errorf("%d generations: nothing was rotated", len(tl.gens))
	}
}

func busyWriter(t *testing.T, path string, lines, each int) error {
	var w *os.File
	defer func() { w.Close() }()
	for i := range lines {
		if i%each == 0 {
			if w != nil {
				w.Close()
				tick(t, path)
				if err := os.Rename(path, fmt.Sprintf("%s.%d", path, i/each)); err != nil {
					return err
				}
			}
			var err error
			if w, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintf(w, "line %d of a busy writer\n", i); err != nil {
			return err
		}
	}
	return nil
}

// Debian's logrotate itself, in the modes that people use.
func TestRealLogrotate(t *testing.T) {
	bin, err := exec.LookPath("logrotate")
	if err != nil {
		bin = "/usr/sbin/logrotate"
	}
	if _, err := os.Stat(bin); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("logrotate is not installed: apt-get install logrotate")
		}
		t.Skip("logrotate is not installed")
	}
	for _, mode := range []string{"create", "nocreate", "create\nextension .log", "create\ncompress\ndelaycompress", "copytruncate",
		"create\ncompress", "copytruncate\ncompress", "create\ncompress\ndateext\ndateformat -%Y%m%d-%s", "create\ncompress\nextension .log",
		"create\ncompress\ncompresscmd /usr/bin/zstd\ncompressext .zst\ncompressoptions -q"} {
		t.Run(strings.ReplaceAll(mode, "\n", "+"), func(t *testing.T) {
			t.Parallel()
			rotateForReal(t, bin, mode)
		})
	}
}

func rotateForReal(t *testing.T, bin, mode string) {
	path := pathIn(t, "app.log")
	dir := filepath.Dir(path)
	conf := filepath.Join(dir, "conf")
	must(t, os.WriteFile(conf, []byte(path+" {\nrotate 8\nmissingok\n"+mode+"\n}\n"), 0o600))
	tl := tail(t, Config{Path: path})
	cfg := tl.s.cfg
	want := ""
	for i := range 6 {
		text := numbered(i*20, i*20+20)
		appendTo(t, path, text[:len(text)/2])
		if i != 3 || strings.HasPrefix(mode, "copytruncate") {
			tl.quiet()
		}
		appendTo(t, path, text[len(text)/2:])
		want += text
		tick(t, path)
		if strings.Contains(mode, "dateext") { // one name a second
			<-time.After(time.Until(time.Now().Truncate(time.Second).Add(time.Second + 50*time.Millisecond)))
		}
		out, err := exec.Command(bin, "-f", "-s", filepath.Join(dir, "state"), conf).CombinedOutput()
		if err != nil {
			t.Fatalf("logrotate: %v\n%s", err, out)
		}
		if i == 4 {
			cfg.Owners = nil
			tl.restart(cfg)
		}
		tick(t, path)
	}
	appendTo(t, path, "last\n")
	tl.quiet()
	tl.want(tl.quiet(), "")
	tl.want(tl.text.String(), want+"last\n")
}

package bench

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// deafProcess ignores every request to end; it has said so when this returns.
func deafProcess(t *testing.T) *process {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no shell to ignore a signal with")
	}
	pr, err := spawn("agent", exec.Command(sh, "-c", `trap "" TERM; echo "ready: deaf=yes" >&2; while :; do sleep 0.05; done`))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pr.kill)
	select {
	case <-pr.ready:
	case <-time.After(patience):
		t.Fatal("the shell does not begin")
	}
	return pr
}

func TestAProcessThatDoesNotEndIsEnded(t *testing.T) {
	for name, end := range map[string]func(*process) error{
		"asked to end": func(pr *process) error { return pr.stopWithin(t.Context(), 100*time.Millisecond) },
		"waited for":   func(pr *process) error { return pr.waitFor(t.Context(), 100*time.Millisecond) },
	} {
		pr := deafProcess(t)
		if err := end(pr); err == nil || !strings.Contains(err.Error(), "did not end in 100ms") {
			t.Errorf("%s: %v, want that it did not end", name, err)
		}
		select {
		case <-pr.ended:
		default:
			t.Errorf("%s: it still runs", name)
		}
	}
}

func TestAnInterruptEndsTheWaitingAndSaysSo(t *testing.T) {
	pr := deafProcess(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := pr.waitFor(ctx, patience); err != context.Canceled {
		t.Errorf("waiting = %v after the interrupt", err)
	}
}

func TestRsyslogIsToldWhatItIsFastestWith(t *testing.T) {
	idle, err := exec.LookPath("true")
	if err != nil {
		t.Skip("there is no program that does nothing")
	}
	for once, want := range map[bool]string{true: `queue.dequeueBatchSize="1024"`, false: `queue.type="Direct"`} {
		j := job{dir: t.TempDir(), file: "/var/log/x.log", addr: "127.0.0.1:9", topic: "t", once: once}
		if _, err := (&rsyslog{idle}).start(t.Context(), j); err == nil {
			t.Error("a program that ends at once was taken for rsyslog")
		}
		conf, err := os.ReadFile(filepath.Join(j.dir, "rsyslog.conf"))
		if err != nil || strings.Contains(string(conf), "%!") {
			t.Fatalf("its configuration is %s, %v", conf, err)
		}
		for _, part := range []string{want, `request.required.acks=-1`, `file="/var/log/x.log"`, `topic="t"`} {
			if !strings.Contains(string(conf), part) {
				t.Errorf("once %v: %s is not in\n%s", once, part, conf)
			}
		}
	}
}

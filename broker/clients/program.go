package clients

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Installed is the folder that .ci/install made for clients of another language: what env names, or NAME in the user's
// cache. Where it is missing the test is skipped, except in CI.
func Installed(t testing.TB, env, name string) string {
	t.Helper()
	dir := os.Getenv(env)
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(cache, "loghaul", name)
	}
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the %s clients are not installed: run .ci/install, or name their folder in %s: %v", name, env, err)
		}
		t.Skipf("the %s clients are not installed: run .ci/install, or name their folder in %s", name, env)
	}
	return dir
}

// Program runs a program that prints a line for each thing that held, and fails with all that it said unless it ends well
// in time.
func Program(t testing.TB, patience time.Duration, env []string, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	held := 0
	for lines := bufio.NewScanner(bytes.NewReader(said.Bytes())); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "ok ") {
			held++
		}
	}
	if err != nil || ctx.Err() != nil || held == 0 {
		t.Fatalf("%s %s: %v after %d things that held:\n%s", name, strings.Join(args, " "), err, held, &said)
	}
	t.Logf("%s", &said)
}

package acl

import (
	"bytes"
	"log/slog"
	"strconv"
	"strings"
	"testing"
)

// A topic or group may be asked for by a name of megabytes, and by another one each time.
func TestLongNamesAreNeitherRememberedNorLogged(t *testing.T) {
	var log bytes.Buffer
	a, err := Open(Config{Dir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 1<<20)
	for i := range 20 {
		if name := strconv.Itoa(i) + long; a.Allows("User:bob", "127.0.0.1", Describe, Topic, name) || a.Shows("User:bob", "127.0.0.1", Describe, Group, name) {
			t.Fatal("bob may describe it")
		}
	}
	held := 0
	for q := range a.rules.Load().mu.known {
		held += len(q.principal) + len(q.host) + len(q.name)
	}
	if held > 64<<10 || log.Len() > 64<<10 {
		t.Errorf("questions of 20 MiB hold %d bytes, and %d bytes were logged", held, log.Len())
	}
	if n := strings.Count(log.String(), "denied by access control"); n != denialLines {
		t.Errorf("%d lines, want %d", n, denialLines)
	}
	for range 3 {
		a.Allows("User:bob", "127.0.0.1", Read, Topic, "web_log")
	}
	if known := len(a.rules.Load().mu.known); known != 1 {
		t.Errorf("%d decisions are remembered, want the short one", known)
	}
}

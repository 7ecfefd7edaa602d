package users

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/xdg-go/scram"
)

func open(t *testing.T, dir string) *Users {
	t.Helper()
	u, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// add gives a user a credential made of a password.
func add(t *testing.T, u *Users, name string, m Mechanism, password string) {
	t.Helper()
	c, err := Derive(m, password, MinIterations)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Alter(Change{name, m, &c}); err != nil {
		t.Fatal(err)
	}
}

// plainLogin says how a PLAIN login ends.
func plainLogin(u *Users, name, password string) error {
	_, done, err := u.Begin(Plain, nil).Step(context.Background(), []byte("\x00"+name+"\x00"+password))
	if err == nil && !done {
		err = errors.New("it is not done")
	}
	return err
}

// scramLogin plays the client's part; it returns the salt that the server told.
func scramLogin(t *testing.T, u *Users, m Mechanism, name, password string) (salt string, err error) {
	t.Helper()
	client, err := scram.HashGeneratorFcn(m.hash()).NewClient(name, password, "")
	if err != nil {
		t.Fatal(err)
	}
	talk, server := client.NewConversation(), u.Begin(m, nil)
	first, _ := talk.Step("")
	answer, done, err := server.Step(t.Context(), []byte(first))
	if err != nil || done {
		t.Fatalf("the first message: done %v, %v", done, err)
	}
	for field := range strings.SplitSeq(string(answer), ",") {
		if s, ok := strings.CutPrefix(field, "s="); ok {
			salt = s
		}
	}
	final, err := talk.Step(string(answer))
	if err != nil {
		t.Fatal(err)
	}
	answer, done, err = server.Step(t.Context(), []byte(final))
	if err != nil {
		return salt, err
	}
	if _, err := talk.Step(string(answer)); err != nil || !done || !talk.Valid() || server.User() != name {
		t.Errorf("the client does not believe the server: %v, done %v, user %q", err, done, server.User())
	}
	return salt, nil
}

func TestAUserLogsInWithEveryMechanism(t *testing.T) {
	u := open(t, t.TempDir())
	add(t, u, "alice", SHA256, "wonder land")
	add(t, u, "bob=,", SHA512, "pässwort")
	for _, login := range []struct {
		name, password string
		m              Mechanism
	}{{"alice", "wonder land", SHA256}, {"bob=,", "pässwort", SHA512}} {
		if err := plainLogin(u, login.name, login.password); err != nil {
			t.Errorf("PLAIN of %s: %v", login.name, err)
		}
		if err := plainLogin(u, login.name, login.password+"x"); !errors.Is(err, ErrDenied) {
			t.Errorf("PLAIN of %s with a wrong password: %v", login.name, err)
		}
		if _, err := scramLogin(t, u, login.m, login.name, login.password); err != nil {
			t.Errorf("%s of %s: %v", login.m, login.name, err)
		}
		if _, err := scramLogin(t, u, login.m, login.name, "x"); !errors.Is(err, ErrDenied) {
			t.Errorf("%s of %s with a wrong password: %v", login.m, login.name, err)
		}
	}
	if err := plainLogin(u, "carol", "x"); !errors.Is(err, ErrDenied) {
		t.Errorf("nobody logs in: %v", err)
	}
}

func TestANameThatNobodyHasLooksLikeOneThatIsThere(t *testing.T) {
	dir := t.TempDir()
	u := open(t, dir)
	add(t, u, "alice", SHA256, "x")
	first, err := scramLogin(t, u, SHA256, "nobody", "x")
	if !errors.Is(err, ErrDenied) {
		t.Errorf("nobody logs in: %v", err)
	}
	if again, _ := scramLogin(t, open(t, dir), SHA256, "nobody", "x"); again != first || first == "" {
		t.Errorf("the salt is %q, after a restart %q", first, again)
	}
	if other, _ := scramLogin(t, u, SHA256, "nobody2", "x"); other == first {
		t.Error("two names have the same salt")
	}
	real, _ := scramLogin(t, u, SHA256, "alice", "y")
	if len(real) != len(first) {
		t.Errorf("a made up salt has %d characters, a real one %d", len(first), len(real))
	}
}

func TestNobodyActsForSomebodyElse(t *testing.T) {
	u := open(t, t.TempDir())
	add(t, u, "alice", SHA256, "x")
	if _, _, err := u.Begin(Plain, nil).Step(t.Context(), []byte("root\x00alice\x00x")); err == nil {
		t.Error("PLAIN took another authorization id")
	}
	if _, _, err := u.Begin(SHA256, nil).Step(t.Context(), []byte("n,a=root,n=alice,r=abc")); err == nil {
		t.Error("SCRAM took another authorization id")
	}
	if _, _, err := u.Begin(SHA256, nil).Step(t.Context(), []byte("n,a=alice,n=alice,r=abc")); err != nil {
		t.Errorf("the own name as authorization id: %v", err)
	}
}

func TestTheFileHoldsNoPasswordAndIsOurs(t *testing.T) {
	dir := t.TempDir()
	add(t, open(t, dir), "alice", SHA256, "Tr0ub4dor")
	path := filepath.Join(dir, File)
	data, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(data), "Tr0ub4dor") || !strings.Contains(string(data), "alice") {
		t.Errorf("the file is %s, %v", data, err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("want mode 0600, got %v, %v", info.Mode(), err)
	}
}

func TestWhatAnotherProcessChangedIsSeenAtTheNextLogin(t *testing.T) {
	dir := t.TempDir()
	serving, other := open(t, dir), open(t, dir)
	add(t, other, "alice", SHA256, "one")
	if err := plainLogin(serving, "alice", "one"); err != nil {
		t.Errorf("a user added elsewhere: %v", err)
	}
	add(t, other, "alice", SHA256, "two")
	if plainLogin(serving, "alice", "one") == nil || plainLogin(serving, "alice", "two") != nil {
		t.Error("a password changed elsewhere is not the one that counts")
	}
	if err := serving.Alter(Change{"alice", SHA256, nil}); err != nil {
		t.Fatal(err)
	}
	if plainLogin(other, "alice", "two") == nil || len(other.List()) != 0 {
		t.Error("a user removed elsewhere is there still")
	}
	if err := other.Alter(Change{"alice", SHA256, nil}); !errors.Is(err, ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
}

func TestABrokenFileKeepsTheUsersThatWereThereAndIsNeverOverwritten(t *testing.T) {
	dir := t.TempDir()
	u := open(t, dir)
	add(t, u, "alice", SHA256, "x")
	if plainLogin(u, "alice", "x") != nil {
		t.Fatal("she cannot log in")
	}
	path := filepath.Join(dir, File)
	if err := os.WriteFile(path, []byte(`{"version":1`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := plainLogin(u, "alice", "x"); err != nil {
		t.Errorf("with a broken file: %v", err)
	}
	c, _ := Derive(SHA256, "y", MinIterations)
	if err := u.Alter(Change{"bob", SHA256, &c}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a broken file was written over: %v", err)
	}
	if _, err := Open(dir, nil); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("opened a broken file: %v", err)
	}
}

func TestAllChangesOrNone(t *testing.T) {
	u := open(t, t.TempDir())
	c, _ := Derive(SHA256, "y", MinIterations)
	err := u.Alter(Change{"alice", SHA256, &c}, Change{"bob", SHA512, nil})
	if !errors.Is(err, ErrNotFound) || len(u.List()) != 0 {
		t.Errorf("got %v and users %v", err, u.List())
	}
	for _, name := range []string{"", "a\x00b", "a\nb", strings.Repeat("x", 256), "\xff"} {
		if err := u.Alter(Change{name, SHA256, &c}); !errors.Is(err, ErrName) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	for _, iterations := range []int{0, MinIterations - 1, MaxIterations + 1} {
		if _, err := FromSalted(SHA256, iterations, []byte("salt"), []byte("salted")); err == nil {
			t.Errorf("%d iterations were taken", iterations)
		}
	}
}

// Package users knows who may log in: hashed credentials in a file of the data folder, and the server's side of SASL
// PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512.
package users

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/loghaul/loghaul/internal/datadir"
	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/durable"
)

// File is the name of the file in the folder given to Open.
const File = "users.json"

// lockPatience is how long Alter waits for another process that changes the file, too.
const lockPatience = 5 * time.Second

// Errors of Alter.
var (
	ErrNotFound = errors.New("the user has no such credential")
	ErrName     = errors.New("a user's name must have 1 to 255 bytes and no control characters")
)

// Users is the file of credentials. Other processes may change it: every login sees the file as it is. It is safe for
// concurrent use.
type Users struct {
	disk disk.FS
	dir  string
	log  *slog.Logger
	cpu  chan struct{} // holds a token for each derivation that runs, so that a flood of logins leaves the disk a processor

	mu struct { // guards what was read from the file
		sync.Mutex
		seen   os.FileInfo // nil: there is no file
		bad    bool        // the file as seen cannot be used; what was read before it counts
		byName map[string]map[Mechanism]Credential
		secret []byte // makes up salts for names that are not there
	}
}

// Open is OpenOn the real disk.
func Open(dir string, log *slog.Logger) (*Users, error) { return OpenOn(nil, dir, log) }

// OpenOn reads dir/users.json of a disk, nil for the real one; there may be none yet. A nil logger discards.
func OpenOn(fsys disk.FS, dir string, log *slog.Logger) (*Users, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	u := &Users{disk: disk.Or(fsys), dir: dir, log: log, cpu: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))}
	u.mu.secret = make([]byte, 32)
	_, _ = rand.Read(u.mu.secret) // never fails
	u.mu.Lock()
	defer u.mu.Unlock()
	return u, u.refresh()
}

// path is where the credentials lie.
func (u *Users) path() string { return filepath.Join(u.dir, File) }

// refresh reads the file again if it is another than the one read last. The caller holds mu.
func (u *Users) refresh() error {
	info, err := u.disk.Stat(u.path())
	if errors.Is(err, os.ErrNotExist) {
		u.mu.seen, u.mu.bad, u.mu.byName = nil, false, nil
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the users: %w", err)
	}
	if old := u.mu.seen; old != nil && os.SameFile(old, info) && old.ModTime().Equal(info.ModTime()) && old.Size() == info.Size() {
		return nil
	}
	data, err := disk.ReadFile(u.disk, u.path())
	if err != nil {
		return fmt.Errorf("reading the users: %w", err)
	}
	data, err = durable.Unsign(data)
	var byName map[string]map[Mechanism]Credential
	var secret []byte
	if err == nil {
		byName, secret, err = decode(data)
	}
	u.mu.seen, u.mu.bad = info, err != nil
	if err != nil {
		return fmt.Errorf("reading the users in %s: %w: mend it, or remove it and add all users again", u.path(), err)
	}
	u.mu.byName, u.mu.secret = byName, secret
	return nil
}

// current is refresh for those who go on with the old content when the new one cannot be read.
func (u *Users) current() {
	if err := u.refresh(); err != nil {
		u.log.Error("the users as they were before still count", "error", err)
	}
}

// Credential is what a user proves to know with a mechanism.
func (u *Users) Credential(name string, m Mechanism) (Credential, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.current()
	c, ok := u.mu.byName[name][m]
	return c, ok
}

// User is a name and how it may log in.
type User struct {
	Name        string
	Credentials []Credential // by mechanism
}

// List is all users, by name.
func (u *Users) List() []User {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.current()
	var list []User
	for _, name := range slices.Sorted(maps.Keys(u.mu.byName)) {
		user := User{Name: name}
		for _, m := range slices.Sorted(maps.Keys(u.mu.byName[name])) {
			user.Credentials = append(user.Credentials, u.mu.byName[name][m])
		}
		list = append(list, user)
	}
	return list
}

// Change gives a user a credential, or takes it away.
type Change struct {
	User      string
	Mechanism Mechanism
	New       *Credential // nil takes it away
}

// Alter makes all changes or none, durably. A credential to be taken away that is not there is ErrNotFound.
func (u *Users) Alter(changes ...Change) error {
	held, err := u.lock()
	if err != nil {
		return err
	}
	defer held.Close()
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := u.refresh(); err != nil {
		return err
	}
	if u.mu.bad { // and said already
		return fmt.Errorf("changing the users: %s cannot be read: mend it, or remove it and add all users again", u.path())
	}
	byName := map[string]map[Mechanism]Credential{}
	for name, credentials := range u.mu.byName {
		byName[name] = maps.Clone(credentials)
	}
	for _, c := range changes {
		if err := apply(byName, c); err != nil {
			return fmt.Errorf("changing user %q: %w", c.User, err)
		}
	}
	if u.mu.seen == nil { // the folder may be new, and its name lies in the one above
		if err := u.disk.SyncDir(filepath.Dir(u.dir)); err != nil {
			return fmt.Errorf("keeping the users: %w", err)
		}
	}
	if err := durable.ReplaceOn(u.disk, u.path(), durable.Sign(encode(byName, u.mu.secret)), 0o600); err != nil {
		return fmt.Errorf("keeping the users: %w", err)
	}
	u.mu.byName, u.mu.seen = byName, nil // the next look reads it again
	return nil
}

// apply makes one change.
func apply(byName map[string]map[Mechanism]Credential, c Change) error {
	if c.New == nil {
		if _, ok := byName[c.User][c.Mechanism]; !ok {
			return ErrNotFound
		}
		if delete(byName[c.User], c.Mechanism); len(byName[c.User]) == 0 {
			delete(byName, c.User)
		}
		return nil
	}
	if err := CheckName(c.User); err != nil {
		return err
	}
	if byName[c.User] == nil {
		byName[c.User] = map[Mechanism]Credential{}
	}
	byName[c.User][c.Mechanism] = *c.New
	return nil
}

// CheckName says whether a user may be called so.
func CheckName(name string) error {
	if name == "" || len(name) > 255 {
		return ErrName
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return ErrName
		}
	}
	return nil
}

// lock keeps other processes from changing the file at the same time; the folder is held only while it is written.
func (u *Users) lock() (*datadir.Held, error) {
	for until := time.Now().Add(lockPatience); ; {
		held, err := datadir.Hold(u.dir)
		if err == nil || time.Now().After(until) {
			return held, err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

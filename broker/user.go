package broker

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/loghaul/loghaul/broker/users"
)

// Users are those who may log in at a broker. The broker sees changes at the next login, whether it runs or not.
type Users struct{ known *users.Users }

// User is one of them.
type User struct {
	Name       string   `json:"name"`
	Mechanisms []string `json:"mechanisms"` // SCRAM-SHA-256=iterations; PLAIN goes with any
}

// OpenUsers opens the users of a broker's data folder.
func OpenUsers(data string) (*Users, error) {
	known, err := users.Open(filepath.Join(data, securityFolder), nil)
	return &Users{known}, err
}

// Add gives a user a password for the mechanisms, or for all if none is named. A user that is there gets a new one, and
// the old one is good for nothing any more: mechanisms that are not named are taken away.
func (u *Users) Add(name, password string, mechanisms ...string) error {
	if err := users.CheckName(name); err != nil {
		return err
	}
	if password == "" {
		return errors.New("the password is empty")
	}
	all, err := scramMechanisms(mechanisms)
	if err != nil {
		return err
	}
	var changes []users.Change
	for _, m := range all {
		c, err := users.Derive(m, password, users.DefaultIterations)
		if err != nil {
			return err
		}
		changes = append(changes, users.Change{User: name, Mechanism: m, New: &c})
	}
	for _, c := range u.credentials(name) {
		if !slices.Contains(all, c.Mechanism) {
			changes = append(changes, users.Change{User: name, Mechanism: c.Mechanism})
		}
	}
	return u.known.Alter(changes...)
}

// ErrNoUser says that there is no such user.
var ErrNoUser = errors.New("there is no such user")

// Remove takes away all that a user may log in with. Connections that are logged in stay until they end.
func (u *Users) Remove(name string) error {
	var changes []users.Change
	for _, c := range u.credentials(name) {
		changes = append(changes, users.Change{User: name, Mechanism: c.Mechanism})
	}
	if changes == nil {
		return fmt.Errorf("user %q: %w", name, ErrNoUser)
	}
	return u.known.Alter(changes...)
}

// credentials are what a user may log in with, none for one that is not there.
func (u *Users) credentials(name string) []users.Credential {
	for _, user := range u.known.List() {
		if user.Name == name {
			return user.Credentials
		}
	}
	return nil
}

// List is all users, by name.
func (u *Users) List() []User {
	list := []User{}
	for _, user := range u.known.List() {
		item := User{Name: user.Name}
		for _, c := range user.Credentials {
			item.Mechanisms = append(item.Mechanisms, fmt.Sprintf("%s=%d", c.Mechanism, c.Iterations))
		}
		list = append(list, item)
	}
	return list
}

// scramMechanisms reads names of mechanisms, in upper or lower case.
func scramMechanisms(names []string) ([]users.Mechanism, error) {
	if len(names) == 0 {
		return []users.Mechanism{users.SHA256, users.SHA512}, nil
	}
	var all []users.Mechanism
	for _, name := range names {
		switch m := users.Mechanism(strings.ToUpper(name)); m {
		case users.SHA256, users.SHA512:
			all = append(all, m)
		case users.Plain:
			all = append(all, users.SHA256) // what PLAIN is checked against
		default:
			return nil, fmt.Errorf("mechanism %q is none of SCRAM-SHA-256, SCRAM-SHA-512, PLAIN", name)
		}
	}
	return all, nil
}

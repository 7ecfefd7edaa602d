package quota

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/disk"
)

func TestQuotasSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "client-quotas.json")
	q := open(t, path)
	set(t, q, Entity{User: Named(`al"ice`), Client: Default}, Produce, 1<<40)
	set(t, q, Entity{User: Named(`al"ice`), Client: Default}, Request, 12.5)
	set(t, q, Entity{IP: Default}, Connections, 3)
	if err := q.Alter(Entity{Client: Named("dry")}, []Change{{Key: Fetch, Value: 1}}, true); err != nil {
		t.Fatal(err)
	}
	want := q.List()
	if len(want) != 2 {
		t.Fatalf("%d rules are kept, want 2: one was only to be checked", len(want))
	}
	if got := open(t, path).List(); !reflect.DeepEqual(got, want) {
		t.Errorf("after a restart the quotas are %v, want %v", got, want)
	}
}

func TestABrokenFileIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "client-quotas.json")
	for _, text := range []string{"", "{", `{"version": 2}`, `{"version": 1, "quotas": [{"user": 5}]}`, `{"version": 1, "quotas": [{"group": "g", "values": {}}]}`,
		`{"version": 1, "quotas": [{"user": "u", "values": {"producer_byte_rate": -1}}]}`, `{"version": 1, "quotas": [{"values": {}}]}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Config{Path: path}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v, want a refusal that names the file", text, err)
		}
	}
}

func TestWhatKafkaRefusesIsRefused(t *testing.T) {
	q := fresh(t)
	user, ip := Entity{User: Named("u")}, Entity{IP: Named("10.0.0.1")}
	for _, c := range []struct {
		entity Entity
		change Change
		says   string
	}{
		{Entity{}, Change{Key: Produce, Value: 1}, "empty client quota entity"},
		{Entity{User: Default, IP: Default}, Change{Key: Produce, Value: 1}, "combination"},
		{Entity{IP: Named("no such host!")}, Change{Key: Connections, Value: 1}, "not a valid IP"},
		{user, Change{Key: "foo", Value: 1}, "Invalid configuration key foo"},
		{ip, Change{Key: Produce, Value: 1}, "Invalid configuration key producer_byte_rate"},
		{user, Change{Key: Connections, Value: 1}, "Invalid configuration key connection_creation_rate"},
		{user, Change{Key: Produce, Value: 0}, "must be greater than 0"},
		{user, Change{Key: Fetch, Value: 1.5}, "cannot be a fractional value"},
	} {
		if err := q.Alter(c.entity, []Change{c.change}, false); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v for %+v: %v, want an ErrInvalid that says %q", c.change, c.entity, err, c.says)
		}
	}
	if len(q.List()) != 0 {
		t.Errorf("what was refused is kept: %v", q.List())
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte(`{"version": 1, "quotas": [{"user": "alice", "client-id": null, "values": {"producer_byte_rate": 1048576}}]}`))
	f.Add([]byte(`{"version": 1, "quotas": [{"ip": null, "values": {}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		rules, err := parse(data)
		if err != nil {
			return
		}
		path := filepath.Join(t.TempDir(), "q")
		if err := write(disk.Real{}, path, rules); err != nil {
			t.Fatalf("%v cannot be written: %v", rules, err)
		}
		again, err := read(disk.Real{}, path)
		if err != nil || !maps.EqualFunc(again, rules, maps.Equal) {
			t.Fatalf("%v read again is %v, %v", rules, again, err)
		}
	})
}

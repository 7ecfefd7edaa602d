package quota

import (
	"path/filepath"
	"testing"
)

// open opens the quotas of a file.
func open(t *testing.T, path string) *Quotas {
	t.Helper()
	q, err := Open(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// fresh are quotas of which nobody has any yet.
func fresh(t *testing.T) *Quotas {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "client-quotas.json"))
}

// set sets one quota.
func set(t *testing.T, q *Quotas, e Entity, key Key, value float64) {
	t.Helper()
	if err := q.Alter(e, []Change{{Key: key, Value: value}}, false); err != nil {
		t.Fatal(err)
	}
}

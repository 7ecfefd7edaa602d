package etcdconf

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// silent is a source that never answers.
type silent struct{}

func (silent) Watch(ctx context.Context, _ func([]Value)) error {
	<-ctx.Done()
	return nil
}

// broken is a source that cannot go on.
type broken struct{ err error }

func (b broken) Watch(context.Context, func([]Value)) error { return b.err }

// remember leaves a cache file behind, with these values.
func remember(t *testing.T, values map[string]string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "inputs.json")
	m := NewMemory(KindInput)
	for name, data := range values {
		m.Put(name, data)
	}
	w := watchSource(t, Cached(file, m, time.Hour, nil))
	w.sees(values)
	w.stop()
	return file
}

func TestTheCacheIsUsedOnlyWhenTheSourceIsSilent(t *testing.T) {
	t.Parallel()
	file := remember(t, map[string]string{"a": "old"})
	w := watchSource(t, Cached(file, silent{}, time.Millisecond, nil))
	w.sees(map[string]string{"a": "old"})
	if v := w.last()[0]; v.Key != "/loghaul/v1/inputs/a" || v.Revision != 1 {
		t.Errorf("the cached value lost its key or revision: %+v", v)
	}

	m := NewMemory(KindInput)
	m.Put("a", "new")
	fresh := watchSource(t, Cached(file, m, time.Hour, nil))
	fresh.sees(map[string]string{"a": "new"})
	if fresh.count() != 1 {
		t.Errorf("applied %d times, want once: the source answered in time", fresh.count())
	}
}

func TestADamagedCacheIsIgnoredAndSaid(t *testing.T) {
	t.Parallel()
	damages := map[string]func(b []byte) []byte{
		"empty":      func([]byte) []byte { return nil },
		"cut":        func(b []byte) []byte { return b[:len(b)-5] },
		"flipped":    func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"other file": func([]byte) []byte { return []byte(strings.Repeat("garbage\n", 20)) },
		"no line":    func(b []byte) []byte { return b[:8] },
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			file := remember(t, map[string]string{"a": "old"})
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			said := &talk{}
			m := NewMemory(KindInput)
			m.Put("b", "new")
			w := watchSource(t, Cached(file, m, time.Hour, said.logger()))
			w.sees(map[string]string{"b": "new"})
			w.stop()
			said.holds(t, "ignoring the cached configuration")
			watchSource(t, Cached(file, silent{}, time.Millisecond, nil)).sees(map[string]string{"b": "new"}) // and it is whole again
		})
	}
}

func TestTheCacheIsPrivateAndLeavesNothingBeside(t *testing.T) {
	t.Parallel()
	file := remember(t, map[string]string{"a": "1", "b": "2"})
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the cache lie %v (%v)", entries, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the cache can be read by others: %v (%v)", info.Mode(), err)
	}
}

func TestACacheThatCannotBeWrittenStopsNothing(t *testing.T) {
	t.Parallel()
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	said := &talk{}
	m := NewMemory(KindInput)
	m.Put("a", "1")
	w := watchSource(t, Cached(filepath.Join(blocked, "inputs.json"), m, time.Hour, said.logger()))
	w.sees(map[string]string{"a": "1"})
	m.Put("a", "2")
	w.sees(map[string]string{"a": "2"})
	said.holds(t, "could not be cached")
}

func TestAnErrorOfTheSourceComesThroughTheCache(t *testing.T) {
	t.Parallel()
	want := errors.New("no such folder")
	err := Cached(filepath.Join(t.TempDir(), "x"), broken{want}, time.Hour, nil).Watch(t.Context(), func([]Value) {})
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

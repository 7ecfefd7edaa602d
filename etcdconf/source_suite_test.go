package etcdconf

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// place under test: somewhere values are stored, and the source that reads it.
type store struct {
	source Source
	put    func(name, data string)
	remove func(name string)
}

// stores are all that promise to be a Source.
func stores(t *testing.T) map[string]func(t *testing.T) store {
	m := startEtcd(t)
	return map[string]func(t *testing.T) store{
		"etcd": func(t *testing.T) store {
			c := dial(t, m.url)
			clearEtcd(t, c)
			return store{
				source: c.Inputs("web-1", []string{"10.0.0.1"}),
				put:    func(name, data string) { mustPut(t, c, KindInput, name, data) },
				remove: func(name string) {
					if _, err := c.Delete(t.Context(), KindInput, name); err != nil {
						t.Errorf("deleting %s: %v", name, err)
					}
				},
			}
		},
		"folder": func(t *testing.T) store {
			dir := t.TempDir()
			file := func(name string) string { return filepath.Join(dir, name+".json") }
			return store{
				source: Folder(dir, nil),
				put: func(name, data string) {
					if err := os.WriteFile(file(name), []byte(data), 0o600); err != nil {
						t.Error(err)
					}
				},
				remove: func(name string) {
					if err := os.Remove(file(name)); err != nil {
						t.Error(err)
					}
				},
			}
		},
		"memory": func(t *testing.T) store {
			s := NewMemory(KindInput)
			return store{source: s, put: func(name, data string) { s.Put(name, data) }, remove: func(name string) { s.Delete(name) }}
		},
		"cached": func(t *testing.T) store {
			s := NewMemory(KindInput)
			file := filepath.Join(t.TempDir(), "inputs.json")
			return store{source: Cached(file, s, 0, nil), put: func(name, data string) { s.Put(name, data) }, remove: func(name string) { s.Delete(name) }}
		},
	}
}

func clearEtcd(t *testing.T, c *Client) {
	t.Helper()
	values, err := c.List(t.Context(), KindInput)
	if err != nil {
		t.Fatalf("listing: %v", err)
	}
	for _, v := range values {
		if _, err := c.Delete(t.Context(), KindInput, v.Name); err != nil {
			t.Fatalf("deleting: %v", err)
		}
	}
}

func TestEverySourceKeepsThePromise(t *testing.T) {
	t.Parallel()
	stories := map[string]func(t *testing.T, s store){
		"an empty source applies an empty whole":            emptyApplies,
		"first the whole, then every change, by name":       wholeThenChanges,
		"what happens while nobody watches is seen later":   seenLater,
		"a storm of changes ends with what was stored last": storm,
		"a bad value leaves the last good one in force":     lastGoodStays,
	}
	for name, open := range stores(t) {
		t.Run(name, func(t *testing.T) {
			for story, tell := range stories {
				t.Run(story, func(t *testing.T) { tell(t, open(t)) })
			}
		})
	}
}

func emptyApplies(t *testing.T, s store) {
	watchSource(t, s.source).sees(nil)
}

func wholeThenChanges(t *testing.T, s store) {
	s.put("b", `{"n":1}`)
	w := watchSource(t, s.source)
	w.sees(map[string]string{"b": `{"n":1}`})
	s.put("a", `{"n":22}`)
	w.sees(map[string]string{"a": `{"n":22}`, "b": `{"n":1}`})
	s.put("b", `{"n":333}`)
	w.sees(map[string]string{"a": `{"n":22}`, "b": `{"n":333}`})
	s.remove("a")
	w.sees(map[string]string{"b": `{"n":333}`})
	for _, whole := range w.all() {
		if !slices.IsSortedFunc(whole, func(a, b Value) int { return strings.Compare(a.Name, b.Name) }) {
			t.Errorf("a whole was not ordered by name: %v", whole)
		}
		for _, v := range whole {
			if v.Key == "" || v.Revision == 0 || v.Err != nil {
				t.Errorf("a value came without key or revision, or with an error: %+v", v)
			}
		}
	}
}

func seenLater(t *testing.T, s store) {
	w := watchSource(t, s.source)
	w.sees(nil)
	w.stop()
	s.put("a", "1")
	s.put("b", "2")
	s.remove("a")
	watchSource(t, s.source).sees(map[string]string{"b": "2"})
}

func storm(t *testing.T, s store) {
	w := watchSource(t, s.source)
	model := map[string]string{}
	for i := range 300 {
		name := fmt.Sprintf("v%d", rand.IntN(10))
		if _, ok := model[name]; ok && rand.IntN(3) == 0 {
			s.remove(name)
			delete(model, name)
			continue
		}
		model[name] = strings.Repeat("x", i) // a length of its own: mtimes may repeat
		s.put(name, model[name])
	}
	w.sees(maps.Clone(model))
}

func lastGoodStays(t *testing.T, s store) {
	s.put("nginx", `{"paths":["/var/log/nginx.log"],"topic":"first"}`)
	w := watchInputs(t, s.source)
	w.reaches("first", "")
	s.put("nginx", `{"paths":["/var/log/nginx.log"],"topic":"a/b"}`)
	w.reaches("first", "topic")
	s.put("nginx", `{"paths":["/var/log/nginx.log"],"top`)
	w.reaches("first", "not JSON")
	s.put("nginx", `{"paths":["/var/log/nginx.log"],"topic":"second"}`)
	w.reaches("second", "")
	s.remove("nginx")
	w.reaches("", "")
}
